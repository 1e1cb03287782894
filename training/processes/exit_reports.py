"""Why a training process ended early, so that the launcher can say it once.

A process that ``training.launch`` started writes its report to a file, and the launcher prints the
most useful one when all processes are gone. Any other process prints its own. Under ``torchrun``
(which ``accelerate launch`` uses for several processes) the message also goes to the launcher's
error file, so that torchrun's own summary ends with it.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NoReturn

from training.foundation.atomic_files import write_json_atomically
from training.foundation.errors import EXIT_INTERRUPTED, ExitReport, print_exit_report, run_main

# training.launch tells its processes by this variable where their reports go.
EXIT_REPORTS_FOLDER = "PARROTLET_EXIT_REPORTS"
_TORCH_ERROR_FILE = "TORCHELASTIC_ERROR_FILE"


def run_process(main: Callable[[Sequence[str]], int], argv: Sequence[str] | None = None) -> int:
    """Does what ``run_main`` does, in a process that may be one of several."""
    return run_main(main, argv, report=_write_exit_report)


def exit_immediately(code: int) -> NoReturn:
    """Ends the process without tearing down the interpreter.

    The connection of a sharded network outlives the network, and one of its threads that still
    holds a tensor during teardown aborts the process (PyTorch issue 190489).
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


@dataclass(frozen=True)
class ProcessExit:
    """The report of one training process."""

    rank: int
    report: ExitReport


def read_exit_reports(folder: Path) -> list[ProcessExit]:
    """Returns the reports of all processes that wrote one, root causes first.

    One that reports an error comes before those that were interrupted meanwhile, and both before
    those that only know that another one failed.
    """
    found = []
    for path in folder.glob("*.json"):
        report = ExitReport(**json.loads(path.read_text(encoding="utf-8")))
        found.append(ProcessExit(int(path.stem), report))
    return sorted(found, key=_causes_first)


def _causes_first(process: ProcessExit) -> tuple[bool, bool, int]:
    report = process.report
    return report.is_consequence, report.exit_code == EXIT_INTERRUPTED, process.rank


def _write_exit_report(report: ExitReport) -> None:
    folder, torch_file = os.environ.get(EXIT_REPORTS_FOLDER), os.environ.get(_TORCH_ERROR_FILE)
    if folder:
        rank = int(os.environ.get("RANK", "0"))
        write_json_atomically(Path(folder) / f"{rank}.json", asdict(report))
        return
    if torch_file and report.exit_code:
        record = {"message": report.message, "timestamp": int(time.time())}
        write_json_atomically(Path(torch_file), record)
    print_exit_report(report)
