"""The folder of an evaluation run: the names of its files, and the one run that it belongs to.

A folder is bound to a run by ``run.json``, which records what identifies it: model, weights,
problems, settings. The same run resumes in its folder; any other is refused, since mixing the
samples of two models would give a score of neither.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

from training.foundation.atomic_files import write_json_atomically
from training.foundation.errors import ConfigError

RUN_FILE = "run.json"
SUMMARY_FILE = "summary.json"
REPORT_FILE = "report.html"

# Settings as a run recorded them: shown and compared, never interpreted.
RecordedSettings: TypeAlias = Mapping[str, object]


def start_or_resume(out: Path, identity: RecordedSettings) -> None:
    """Binds a folder to a run, or checks that it already belongs to it.

    Raises:
        ConfigError: The folder belongs to another run, or its ``run.json`` is damaged.
    """
    path = out / RUN_FILE
    if path.exists():
        try:
            found = _read_object(path)
        except (OSError, ValueError, TypeError) as error:
            raise ConfigError(
                f"{path} is damaged ({error}); delete the folder or choose another --out"
            ) from error
        if found != identity:
            key = next(k for k in {**identity, **found} if found.get(k) != identity.get(k))
            raise ConfigError(
                f"{out} contains a run with another {key}; choose another --out, or repeat that"
                " run's arguments to resume it"
            )
    write_json_atomically(path, identity)


def read_identity(out: Path, *, command: str) -> dict[str, Any]:
    """Returns what ``run.json`` records of the run in a folder.

    Args:
        out: The run's folder.
        command: The command that makes such a run, for the message.

    Raises:
        ConfigError: The folder contains no run.
    """
    try:
        return _read_object(out / RUN_FILE)
    except (OSError, ValueError, TypeError) as error:
        raise ConfigError(
            f"{out} contains no run of parrotlet {command} ({error}); name the --out folder of"
            " such a run"
        ) from error


def _read_object(path: Path) -> dict[str, Any]:
    found = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(found, dict):
        raise TypeError("expected a JSON object")
    return found
