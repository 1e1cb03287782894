"""How one of several training processes says why it ended.

A process that ``training.launch`` started hands its sentence to the launcher, which prints one of
them when all processes are gone; any other prints it. Under ``torchrun`` (which is what
``accelerate launch`` starts for several processes) it is written to the launcher's error file too,
so that the launcher's own summary ends with it.
"""

import json
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from training.foundation.atomic_files import write_json_atomically
from training.foundation.errors import Ending, run_main, write_ending

ENDINGS_FOLDER = "PARROTLET_ENDINGS"  # names the folder in the processes of training.launch
_TORCH_ERROR_FILE = "TORCHELASTIC_ERROR_FILE"


def run_process(main: Callable[[Sequence[str]], int], argv: Sequence[str] | None = None) -> int:
    """Does what ``run_main`` does, in a process that may be one of several."""
    return run_main(main, argv, report=_report)


@dataclass(frozen=True)
class ProcessEnding:
    """The ending of the process of a rank."""

    rank: int
    ending: Ending


def read_endings(folder: Path) -> list[ProcessEnding]:
    """Returns what the processes have handed in, the one that a person should read first."""
    found = []
    for path in folder.glob("*.json"):
        ending = Ending(**json.loads(path.read_text(encoding="utf-8")))
        found.append(ProcessEnding(int(path.stem), ending))
    return sorted(found, key=lambda process: (process.ending.is_consequence, process.rank))


def _report(ending: Ending) -> None:
    folder, torch_file = os.environ.get(ENDINGS_FOLDER), os.environ.get(_TORCH_ERROR_FILE)
    if folder:
        rank = int(os.environ.get("RANK", "0"))
        write_json_atomically(Path(folder) / f"{rank}.json", ending.__dict__)
        return
    if torch_file and ending.exit_code:
        record = {"message": ending.line, "timestamp": int(time.time())}
        write_json_atomically(Path(torch_file), record)
    write_ending(ending)
