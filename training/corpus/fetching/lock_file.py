"""The lock file: one pinned package a line, with the hashes of its archives.

Written by ``parrotlet lock-corpus``, read before the archives are fetched.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from training.foundation.atomic_files import write_text_atomically
from training.foundation.errors import CorpusError

_LINE = re.compile(r"(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^\s;]+)(?P<hashes>(?:\s+--hash=\S+)+)")
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})(?=\s|$)")
_COMMENT = re.compile(r"(?:^|\s)#.*")


@dataclass(frozen=True, kw_only=True)
class Pin:
    """One line of a lock: a version, and the hashes of the archives that may stand for it."""

    name: str
    version: str
    sha256: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.name}=={self.version}"


def read_lock(path: Path) -> list[Pin]:
    """Reads ``name==version --hash=sha256:...`` lines; ``#`` starts a comment.

    Raises:
        CorpusError: The file cannot be read, or a line is not pinned by hash.
    """
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise CorpusError(f"cannot read the lock {path}: {error}") from error
    pins = []
    carried = ""
    for number, line in enumerate(lines, 1):
        content = carried + _COMMENT.sub("", line).strip()
        carried = ""
        if content.endswith("\\"):
            carried = content[:-1].rstrip() + " "
            continue
        if not content:
            continue
        match = _LINE.fullmatch(content)
        hashes = tuple(_HASH.findall(content))
        if match is None or not hashes:
            raise CorpusError(
                f"{path}, line {number}: found {content!r}, expected NAME==VERSION"
                " --hash=sha256:HEX"
            )
        pins.append(Pin(name=match["name"], version=match["version"], sha256=hashes))
    return pins


def write_lock(path: Path, pins: Mapping[str, tuple[Pin, str]]) -> None:
    """Writes pins sorted by name, each with its kind as a comment.

    Args:
        path: The lock.
        pins: Pin and kind by normalized name.
    """
    lines = [
        f"{pin} {' '.join(f'--hash=sha256:{h}' for h in pin.sha256)}  # {kind}\n"
        for _, (pin, kind) in sorted(pins.items())
    ]
    write_text_atomically(path, "".join(lines))
