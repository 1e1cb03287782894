"""The folder of an evaluation run: the names of its files, and the one run that it belongs to.

A folder is bound to a run by ``run.json``, which records what identifies it: model, weights,
problems, settings. The same run resumes in its folder; any other is refused, since mixing the
samples of two models would give a score of neither.
"""

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from evaluation.runs.input_files import read_text_file
from training.foundation.atomic_files import write_json_atomically
from training.foundation.errors import ConfigError, PrerequisiteError
from training.foundation.foreign_text import parse_json

RUN_FILE = "run.json"
SUMMARY_FILE = "summary.json"
REPORT_FILE = "report.html"

# Settings as a run recorded them: shown and compared, never interpreted.
RecordedSettings: TypeAlias = Mapping[str, object]

T = TypeVar("T")


def start_or_resume(out: Path, identity: RecordedSettings) -> None:
    """Binds a folder to a run, or checks that it already belongs to it.

    Raises:
        ConfigError: The folder belongs to another run, or its ``run.json`` is damaged.
    """
    path = out / RUN_FILE
    if path.exists():
        try:
            found = read_object(path)
        except (ConfigError, PrerequisiteError, ValueError, TypeError) as error:
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


def drop_unused(identity: RecordedSettings, names: Collection[str]) -> dict[str, object]:
    """Returns an identity without those of ``names`` that are empty.

    So a run to which they do not apply is the same as in versions that did not record them.
    """
    return {key: value for key, value in identity.items() if value or key not in names}


def read_identity(out: Path, *, command: str, parse: Callable[[Mapping[str, Any]], T]) -> T:
    """Returns what ``run.json`` records of the run in a folder.

    Args:
        out: The run's folder.
        command: The command that makes such a run, for the message.
        parse: Makes the identity of the object in the file; refuses it by a ``KeyError``, a
            ``TypeError`` or a ``ValueError``.

    Raises:
        ConfigError: The folder contains no run.
    """
    try:
        return parse(read_object(out / RUN_FILE))
    except (ConfigError, PrerequisiteError, KeyError, ValueError, TypeError) as error:
        raise ConfigError(
            f"{out} contains no run of parrotlet {command} ({error}); name the --out folder of"
            " such a run"
        ) from error


def read_object(path: Path) -> dict[str, Any]:
    """Returns the object in a file of a run's folder.

    Raises:
        ConfigError: The file cannot be read, or is a link to elsewhere.
        PrerequisiteError: It does not exist.
        TypeError: It contains another value.
        ValueError: It is not JSON.
    """
    found = parse_json(read_text_file(path, "--out", within=path.parent), allow_nan=True)
    if not isinstance(found, dict):
        raise TypeError("expected a JSON object")
    return found
