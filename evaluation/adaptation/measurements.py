"""What was measured of one model on the files that an adaptation holds out.

``parrotlet adapt`` runs the commands ``lines``, ``bits`` and ``replay`` into one folder for each
model; this module reads what they left there.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evaluation.accuracy.run import ANSWERS_FILE
from evaluation.comparison.file_bits import FileBits
from evaluation.replay.replay_run import SESSIONS_FILE
from evaluation.runs.journal import read_records
from evaluation.runs.record_fields import get_field
from training.foundation.errors import ConfigError
from training.foundation.foreign_text import read_json

LINES, TYPING = "lines", "typing"
BITS_FILE, GENERAL_FILE = "bits.json", "general.json"
_BLOCK = "block"


@dataclass(frozen=True, kw_only=True)
class TypedFile:
    """How many characters of a typed text suggestions wrote."""

    n_saved: int
    n_chars: int


@dataclass(frozen=True, kw_only=True)
class Measurements:
    """One model's figures.

    Attributes:
        lines: For each position in lines, by its id, whether the line was completed exactly.
        blocks: The same for blocks.
        bits: What the model needs for each held-out file, by name.
        general: The same for files of general code.
        typed: The files that were typed, by name.
    """

    lines: Mapping[str, bool]
    blocks: Mapping[str, bool]
    bits: Mapping[str, FileBits]
    general: Mapping[str, FileBits]
    typed: Mapping[str, TypedFile]


def read_measurements(folder: Path) -> Measurements:
    """Reads the figures in a folder.

    Raises:
        ConfigError: They are missing or damaged.
    """
    answers = read_records(folder / LINES / ANSWERS_FILE, _parse_answer)
    kinds: dict[bool, dict[str, bool]] = {False: {}, True: {}}
    for is_block, item_id, is_exact in answers:
        kinds[is_block][item_id] = is_exact
    return Measurements(
        lines=kinds[False],
        blocks=kinds[True],
        bits=read_bits(folder / BITS_FILE),
        general=read_bits(folder / GENERAL_FILE),
        typed=dict(read_records(folder / TYPING / SESSIONS_FILE, _parse_session)),
    )


def _parse_answer(record: Mapping[str, Any]) -> tuple[bool, str, bool]:
    kind = get_field(record, "kind", str)
    return kind == _BLOCK, get_field(record, "id", str), get_field(record, "exact", bool)


def _parse_session(record: Mapping[str, Any]) -> tuple[str, TypedFile]:
    task = record["task"]
    accepted = [e for e in record["events"] if e["event"] == "accept"]
    n_saved = sum(len(get_field(e, "text", str)) - 1 for e in accepted)  # accepting costs a key
    n_chars = len(get_field(task, "target", str))
    return get_field(task, "id", str), TypedFile(n_saved=n_saved, n_chars=n_chars)


def read_bits(file: Path) -> dict[str, FileBits]:
    """Reads what files need, by name; nothing if it was not measured.

    Raises:
        ConfigError: The file is damaged.
    """
    if not file.is_file():
        return {}
    try:
        return {(found := FileBits.from_json(record)).name: found for record in read_json(file)}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{file} is damaged ({error}); measure again") from error
