"""What a run reports while it trains: progress bar, ``metrics.jsonl``, trackers, process logs.

``metrics.jsonl`` in the run's folder is the record from which reports are drawn; a resumed run
appends to it. Trackers and logs are :mod:`training.run.tracking`'s.
"""

import json
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from training.config import RunConfig
from training.foundation.progress import progress_bar
from training.run.run_metrics import (
    METRICS_FILE,
    SampleCompletion,
    StartFacts,
    StepMetrics,
    ValidationMetrics,
)
from training.run.tracking.process_log import ProcessLog
from training.run.tracking.trackers import start_trackers, track

_LOGGER = logging.getLogger(__name__)


class RunLog:
    """Reports a run from its main process; the others only log.

    Args:
        config: The run's folder and its number of steps.
        step: How many steps are done.
        accelerator: Accelerate's, of this process.
    """

    def __init__(self, config: RunConfig, step: int, accelerator: Any) -> None:
        self._accelerator = accelerator
        self._is_active = bool(accelerator.is_main_process)
        config.paths.run.mkdir(parents=True, exist_ok=True)
        start_trackers(config, step, accelerator)
        self._process_log = ProcessLog(
            config.paths.run,
            accelerator.process_index,
            level=config.tracking.log_level,
            is_main=self._is_active,
        )
        self._bar = progress_bar(
            config.pretrain.steps, "pretraining", "step", initial=step, shown=self._is_active
        )
        if self._is_active:
            self._file = (config.paths.run / METRICS_FILE).open("a", encoding="utf-8")

    def log_start(self, step: int, facts: StartFacts) -> None:
        """Reports that the run starts, or resumes after ``step`` steps."""
        values = facts.values()
        if self._is_active:
            text = ", ".join(f"{name} {value}" for name, value in values.items())
            _LOGGER.info("from step %d: %s", step, text)
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
        _LOGGER.debug("step %d: loss %.4f", step, metrics.losses.total)

    def log_validation(self, step: int, metrics: ValidationMetrics) -> None:
        """Reports a validation."""
        values = metrics.values()
        if self._is_active:
            text = ", ".join(f"{name} {value:.4f}" for name, value in values.items())
            _LOGGER.info("step %d: %s", step, text)
        self._append("validation", step, values)
        self._track("validation", step, values)

    def log_samples(self, step: int, samples: Sequence[SampleCompletion]) -> None:
        """Reports what the model writes; the last sample on the terminal too."""
        if not self._is_active:
            return
        last = samples[-1]
        _LOGGER.info("step %d: %r %r", step, last.prompt, last.text)
        self._append("samples", step, {"samples": [(s.prompt, s.text) for s in samples]})
        texts = {f"samples/{n}": f"{s.prompt} -> {s.text}" for n, s in enumerate(samples)}
        track(self._accelerator, texts, step)

    def close(self) -> None:
        """Closes the bar and the files."""
        self._bar.close()
        self._process_log.close()
        if self._is_active:
            self._file.close()

    def _append(self, kind: str, step: int, values: Mapping[str, object]) -> None:
        if self._is_active:
            self._file.write(json.dumps({"event": kind, "step": step, **values}) + "\n")
            self._file.flush()

    def _track(self, group: str, step: int, values: Mapping[str, float]) -> None:
        track(self._accelerator, {f"{group}/{name}": v for name, v in values.items()}, step)
