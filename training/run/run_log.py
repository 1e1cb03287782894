"""What a run reports while it trains: a progress bar, ``metrics.jsonl`` and a tracker.

``metrics.jsonl`` in the run's folder is the record from which reports are drawn; a resumed run
appends to it. The tracker (TensorBoard, say) is Accelerate's.
"""

import importlib.util
import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from training.config import RunConfig
from training.foundation.errors import ConfigError
from training.foundation.progress import progress_bar
from training.run.run_metrics import (
    METRICS_FILE,
    SampleCompletion,
    StartFacts,
    StepMetrics,
    ValidationMetrics,
)

_TRACKER_PROJECT = "logs"


class RunLog:
    """Reports a run from its main process; does nothing in the others.

    Args:
        config: The run's folder and its number of steps.
        step: How many steps are done.
        accelerator: Accelerate's, of this process.
    """

    def __init__(self, config: RunConfig, step: int, accelerator: Any) -> None:
        self._accelerator = accelerator
        self._is_active = bool(accelerator.is_main_process)
        if accelerator.log_with:
            accelerator.init_trackers(_TRACKER_PROJECT)
        self._bar = progress_bar(
            config.pretrain.steps, "pretraining", "step", initial=step, shown=self._is_active
        )
        if self._is_active:
            config.paths.run.mkdir(parents=True, exist_ok=True)
            self._file = (config.paths.run / METRICS_FILE).open("a", encoding="utf-8")

    def log_start(self, step: int, facts: StartFacts) -> None:
        """Reports that the run starts, or resumes after ``step`` steps."""
        values = facts.values()
        if self._is_active:
            text = ", ".join(f"{name} {value}" for name, value in values.items())
            self._bar.write(f"from step {step}: {text}", file=sys.stderr)
        self._append("start", step, values)

    def log_step(self, step: int, metrics: StepMetrics) -> None:
        """Reports one optimiser step."""
        self._bar.update()
        self._bar.set_postfix(
            loss=f"{metrics.losses.total:.3f}",
            tokens_per_s=f"{metrics.throughput.tokens_per_s:.0f}",
            mfu=f"{metrics.throughput.mfu:.0%}",
            refresh=False,
        )
        values = metrics.values()
        self._append("step", step, values)
        self._track("train", step, values)

    def log_validation(self, step: int, metrics: ValidationMetrics) -> None:
        """Reports a validation."""
        values = metrics.values()
        if self._is_active:
            text = ", ".join(f"{name} {value:.4f}" for name, value in values.items())
            self._bar.write(f"step {step}: {text}", file=sys.stderr)
        self._append("validation", step, values)
        self._track("validation", step, values)

    def log_samples(self, step: int, samples: Sequence[SampleCompletion]) -> None:
        """Reports what the model writes; the last sample on the terminal too."""
        if not self._is_active:
            return
        last = samples[-1]
        self._bar.write(f"step {step}: {last.prompt!r} {last.text!r}", file=sys.stderr)
        self._append("samples", step, {"samples": [(s.prompt, s.text) for s in samples]})
        if self._accelerator.trackers:
            texts = {f"samples/{n}": f"{s.prompt} -> {s.text}" for n, s in enumerate(samples)}
            self._accelerator.log(texts, step=step)

    def close(self) -> None:
        """Closes the bar and the file."""
        self._bar.close()
        if self._is_active:
            self._file.close()

    def _append(self, kind: str, step: int, values: Mapping[str, object]) -> None:
        if self._is_active:
            self._file.write(json.dumps({"event": kind, "step": step, **values}) + "\n")
            self._file.flush()

    def _track(self, group: str, step: int, values: Mapping[str, float]) -> None:
        self._accelerator.log({f"{group}/{name}": v for name, v in values.items()}, step=step)


def select_tracker(name: str) -> str | None:
    """Returns the tracker's name as Accelerate knows it, or None for "none".

    Raises:
        ConfigError: Its package is not installed.
    """
    if name == "none":
        return None
    if importlib.util.find_spec(name) is None:
        raise ConfigError(
            f"pretrain.tracker is {name!r}, which is not installed; run: pip install {name}, or set"
            " pretrain.tracker=none"
        )
    return name
