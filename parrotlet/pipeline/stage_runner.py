"""Runs stages to their end, with pauses, and remembers which are finished.

A stage that is ended during a long pause is started again after it, and goes on where it was, as
each of the project's commands does. Called by :mod:`parrotlet.adaptation` and
:mod:`parrotlet.team`.
"""

import contextlib
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from parrotlet.pipeline.stage import Stage
from parrotlet.pipeline.stage_process import StageProcess, end_process
from training.foundation.atomic_files import write_json_atomically
from training.foundation.errors import EXIT_INTERRUPTED, ConfigError, ParrotletError
from training.foundation.foreign_text import as_object, read_json

_TICK_S = 0.25
_LONG_PAUSE_S = 120.0  # after which a stage's memory is given back
_CHILD_FILE, _STAGES, _LOGS = "process.json", "stages", "logs"
_ERROR = re.compile(r"error: (.*)")
_FAULTY_INPUT = {ConfigError.exit_code}


class StageFailedError(ParrotletError):
    """A stage has failed; its own sentence says why."""


class CancelledError(Exception):
    """The user wants no result."""


@dataclass(frozen=True)
class Pause:
    """Why a pipeline has to wait.

    Attributes:
        reason: For the user.
        frees_memory: Whether the stage is ended at once, so that it holds no memory.
    """

    reason: str
    frees_memory: bool = False


@dataclass(frozen=True)
class Progress:
    """How far a pipeline is.

    Attributes:
        stage: The stage that runs.
        done: The share of all work that is done.
        pause: Why it waits; None if it works.
    """

    stage: Stage
    done: float
    pause: Pause | None


class StageRunner:
    """Runs the stages of one pipeline.

    Args:
        work: The folder for its logs, and for what it remembers.
        stages: All stages, in order.
        find_pause: Returns why to wait now; may raise :class:`CancelledError`.
        on_progress: Called a few times a second.
    """

    def __init__(
        self,
        work: Path,
        stages: Sequence[Stage],
        find_pause: Callable[[bool], Pause | None],
        on_progress: Callable[[Progress], None],
    ) -> None:
        self.stages = list(stages)
        self.worked_s = 0.0
        self.peak_bytes = 0
        self._work = work
        self._find_pause = find_pause
        self._on_progress = on_progress
        self._end_leftover()

    def is_finished(self, name: str) -> bool:
        """Returns whether a stage has been finished."""
        return self._mark(name).is_file()

    def run(self, stage: Stage) -> None:
        """Runs a stage to its end, unless it has been finished before.

        Raises:
            CancelledError: The user cancelled.
            StageFailedError: It has failed.
        """
        while not self.is_finished(stage.name):
            self._wait(stage)
            process = StageProcess(stage.words, self._log(stage), stage.folder)
            try:
                self._remember(process)
                code = self._supervise(stage, process)
            finally:
                if process.poll() is None:
                    process.end()
                (self._work / _CHILD_FILE).unlink(missing_ok=True)
            if code is not None:
                self._note_end(stage, process, code)

    def run_all(self) -> None:
        """Runs all stages.

        Raises:
            CancelledError: The user cancelled.
            StageFailedError: One has failed.
        """
        for stage in self.stages:
            self.run(stage)

    def _wait(self, stage: Stage) -> None:
        while (pause := self._find_pause(False)) is not None:  # noqa: FBT003 - nothing runs
            self._on_progress(Progress(stage, self._share_done(stage), pause))
            time.sleep(_TICK_S)

    def _supervise(self, stage: Stage, process: StageProcess) -> int | None:
        """Returns the exit code; None if it was ended for a pause."""
        paused_at: float | None = None
        last = time.monotonic()
        while (code := process.poll()) is None:
            pause = self._find_pause(True)  # noqa: FBT003 - something runs
            now = time.monotonic()
            if pause is None:
                process.wake()
                paused_at = None
                self.worked_s += now - last
            else:
                process.stop()
                paused_at = now if paused_at is None else paused_at
                if pause.frees_memory or now - paused_at > _LONG_PAUSE_S:
                    self._on_progress(Progress(stage, self._share_done(stage), pause))
                    process.end()
                    return None
            last = now
            self.peak_bytes = max(self.peak_bytes, process.measure_memory())
            self._on_progress(Progress(stage, self._share_done(stage), pause))
            time.sleep(_TICK_S)
        return code

    def _note_end(self, stage: Stage, process: StageProcess, code: int) -> None:
        if code == 0 and stage.produces and not Path(stage.produces).is_file():
            raise StageFailedError(
                f"parrotlet {stage.words[0]} has ended, but {stage.produces} is not there yet: its"
                " jobs are queued; run the same command again when they have ended"
            )
        if code == 0 or (stage.may_fail and code in _FAULTY_INPUT):
            write_json_atomically(self._mark(stage.name), {"code": code})
            return
        if code == EXIT_INTERRUPTED:  # by somebody else: it has saved what it has
            raise KeyboardInterrupt
        line = process.read_last_line()
        found = _ERROR.search(line)
        sentence = found[1] if found else f"{line or 'it printed nothing'} (exit code {code})"
        raise StageFailedError(f"parrotlet {stage.words[0]}: {sentence}")

    def _share_done(self, stage: Stage) -> float:
        total = sum(one.weight_s for one in self.stages)
        done = sum(one.weight_s for one in self.stages if self.is_finished(one.name))
        if not self.is_finished(stage.name):
            with contextlib.suppress(OSError, ValueError):
                done += stage.weight_s * max(0.0, min(1.0, stage.measure()))
        return done / total if total else 1.0

    def _remember(self, process: StageProcess) -> None:
        """Writes down the process, so that a later runner can end it if we are killed."""
        with contextlib.suppress(psutil.Error):
            started = psutil.Process(process.pid).create_time()
            write_json_atomically(
                self._work / _CHILD_FILE, {"pid": process.pid, "started": started}
            )

    def _end_leftover(self) -> None:
        """Ends the process of a runner that was killed."""
        try:
            record = as_object(read_json(self._work / _CHILD_FILE))
            process = psutil.Process(int(record["pid"]))
            if abs(process.create_time() - float(record["started"])) < 1.0:
                end_process(process)
        except (OSError, ValueError, KeyError, TypeError, psutil.Error):
            return

    def _mark(self, name: str) -> Path:
        return self._work / _STAGES / f"{name}.json"

    def _log(self, stage: Stage) -> Path:
        return self._work / _LOGS / f"{stage.name}.txt"
