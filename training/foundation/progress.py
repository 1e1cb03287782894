"""What one sees of long work: a progress bar; of a training run JSON lines and a tracker too.

The JSON lines (``metrics.jsonl`` in the run's folder) are the record that everything else is drawn
from; a resumed run appends to them.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

TERMINAL_INTERVAL_S, LOG_INTERVAL_S = 0.5, 30.0


def progress_bar(total: int, desc: str, unit: str, *, initial: int = 0, shown: bool = True) -> tqdm:
    """Returns a bar on standard error: live on a terminal, a line now and then in a log."""
    return tqdm(
        total=total,
        initial=initial,
        desc=desc,
        unit=unit,
        file=sys.stderr,
        disable=not shown,
        mininterval=TERMINAL_INTERVAL_S if sys.stderr.isatty() else LOG_INTERVAL_S,
    )


class Progress:
    """Reports a training run from its main process; does nothing in the others."""

    def __init__(self, run: Path, *, steps: int, first_step: int, accelerator: Any) -> None:
        self._accelerator = accelerator
        self._active = bool(accelerator.is_main_process)
        self._bar = progress_bar(
            steps, "pretraining", "step", initial=first_step, shown=self._active
        )
        if self._active:
            run.mkdir(parents=True, exist_ok=True)
            self._file = (run / "metrics.jsonl").open("a", encoding="utf-8")

    def start(self, step: int, facts: dict[str, object]) -> None:
        """Reports that a run begins, or goes on, after ``step`` steps."""
        if self._active:
            text = ", ".join(f"{name} {value}" for name, value in facts.items())
            self._bar.write(f"from step {step}: {text}", file=sys.stderr)
            self._append({"event": "start", "step": step, **facts})

    def step(self, step: int, figures: dict[str, float]) -> None:
        """Reports one optimiser step."""
        self._bar.update()
        self._bar.set_postfix(
            loss=f"{figures['loss']:.3f}",
            tokens_per_s=f"{figures['tokens_per_s']:.0f}",
            mfu=f"{figures['mfu']:.0%}",
            refresh=False,
        )
        self._write("step", step, figures)

    def validation(self, step: int, figures: dict[str, float]) -> None:
        """Reports a validation."""
        if self._active:
            text = ", ".join(f"{name} {value:.4f}" for name, value in figures.items())
            self._bar.write(f"step {step}: {text}", file=sys.stderr)
        self._write("validation", step, figures)

    def samples(self, step: int, samples: Sequence[tuple[str, str]]) -> None:
        """Reports what the model writes; the first of them on the terminal too."""
        if not self._active:
            return
        prompt, text = samples[-1]
        self._bar.write(f"step {step}: {prompt!r} {text!r}", file=sys.stderr)
        self._append({"event": "samples", "step": step, "samples": list(samples)})
        texts = {f"samples/{n}": f"{p} -> {t}" for n, (p, t) in enumerate(samples)}
        if self._accelerator.trackers:
            self._accelerator.log(texts, step=step)

    def close(self) -> None:
        """Ends the bar and the file."""
        self._bar.close()
        if self._active:
            self._file.close()

    def _write(self, event: str, step: int, figures: dict[str, float]) -> None:
        if self._active:
            self._append({"event": event, "step": step, **figures})
        prefix = "train" if event == "step" else event
        self._accelerator.log({f"{prefix}/{k}": v for k, v in figures.items()}, step=step)

    def _append(self, event: dict[str, Any]) -> None:
        self._file.write(json.dumps(event) + "\n")
        self._file.flush()
