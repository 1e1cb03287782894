"""Indexes on disk: one folder for each workspace and tokenizer, mapped rather than read.

No index of a workspace outlives a newer one that lacks some of its files: they may be private now.

A new index is a new folder, so that a worker can go on with the one it has mapped. Only ids and
paths are kept, readable by the user alone. What is not as expected is as if it were not there.
"""

import hashlib
import json
import math
import re
import shutil
import tempfile
import time
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from server.memory.suffix_index import SuffixIndex, Tokens
from server.workspace.sources.token_index import TokenIndex

FORMAT = 2
MAX_WORKSPACES = 8  # whose indexes are kept
_TOKENS, _ORDER, _FILES = "tokens.bin", "order.bin", "files.json"
_MAX_FILES_BYTES = 64 << 20
_PROBE_BYTES = 1 << 16
_UNFINISHED = ".new-"
_LONGEST_WRITE_S = 3600.0  # what is unfinished for longer, a killed process has left
_KEY = re.compile(rf"{FORMAT}-[0-9a-f]{{24}}-[0-9a-f]{{8}}")
_FORMER_KEY = re.compile(r"[0-9a-f]{24}")  # of format 1, which kept files that became private
Version = tuple[int, int, int]


@dataclass(frozen=True, kw_only=True)
class StoredIndex:
    """An index on disk.

    Attributes:
        index: The mapped index.
        versions: For each of its files, what changes whenever the file does.
        state: A hash of all files of the workspace, also of those that did not fit.
        tokenizer_sha256: The hash of the tokenizer whose ids these are.
        built: When, in seconds since 1970.
    """

    index: TokenIndex
    versions: Sequence[Version]
    state: str
    tokenizer_sha256: str
    built: float


def make_key(roots: Sequence[Path], tokenizer_sha256: str) -> str:
    """Returns the name of a workspace's folder in the cache."""
    workspace = hashlib.sha256(json.dumps(sorted(map(str, roots))).encode()).hexdigest()
    return f"{FORMAT}-{workspace[:24]}-{tokenizer_sha256[:8]}"


def prepare_folder(cache: Path, key: str) -> Path:
    """Makes a workspace's folder; returns it if a file can be written there.

    Raises:
        OSError: None can: the disk is full, or may only be read.
    """
    workspace = cache / key
    workspace.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.TemporaryFile(dir=workspace) as file:
        file.write(bytes(_PROBE_BYTES))
    return workspace


def save_index(cache: Path, key: str, stored: StoredIndex) -> Path:
    """Writes an index, and removes those that it makes obsolete; returns its folder.

    Raises:
        OSError: It cannot be written.
    """
    index = stored.index
    workspace = prepare_folder(cache, key)
    aside = Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=workspace))
    try:
        (aside / _TOKENS).write_bytes(index.index.tokens.tobytes())
        (aside / _ORDER).write_bytes(index.index.order.astype("<i4").tobytes())
        described = {
            "format": FORMAT,
            "token_bytes": index.index.tokens.dtype.itemsize,
            "paths": list(index.paths),
            "targets": list(index.targets),
            "starts": list(index.starts),
            "versions": [list(version) for version in stored.versions],
            "n_left_out": index.n_left_out,
            "state": stored.state,
            "tokenizer_sha256": stored.tokenizer_sha256,
            "built": stored.built,
        }
        (aside / _FILES).write_text(json.dumps(described), encoding="ascii")
        target = workspace / f"{time.time_ns():020}"
        aside.rename(target)
    except BaseException:
        shutil.rmtree(aside, ignore_errors=True)
        raise
    _remove_old(cache, workspace, target)
    _remove_with_others(cache, workspace, set(index.paths))
    return target


def open_newest(cache: Path, key: str) -> tuple[Path, StoredIndex] | None:
    """Returns the newest index of a workspace and its folder; None if there is none."""
    for folder in sorted((cache / key).glob("[0-9]*"), reverse=True):
        found = open_index(folder)
        if found is not None:
            return folder, found
    return None


def open_index(folder: Path) -> StoredIndex | None:
    """Maps an index; None if it is damaged, or of another version."""
    try:
        if (folder / _FILES).stat().st_size > _MAX_FILES_BYTES:
            return None
        described = json.loads((folder / _FILES).read_text(encoding="ascii"))
        return _open_described(folder, described)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _open_described(folder: Path, described: dict[str, Any]) -> StoredIndex | None:
    width = described["token_bytes"]
    if described["format"] != FORMAT or width not in {2, 4}:
        return None
    tokens: Tokens = np.memmap(folder / _TOKENS, dtype=f">u{width}", mode="r")
    order = np.memmap(folder / _ORDER, dtype="<i4", mode="r")
    paths, starts = list(map(str, described["paths"])), list(map(int, described["starts"]))
    targets = list(map(str, described["targets"]))
    versions = [(int(a), int(b), int(c)) for a, b, c in described["versions"]]
    bounds = [0, *starts, len(tokens)]
    is_sound = (
        len(tokens) == len(order)
        and len(paths) == len(targets) == len(starts) == len(versions)
        and bounds == sorted(bounds)
    )
    if not is_sound:
        return None
    index = TokenIndex(
        index=SuffixIndex(tokens, order),
        paths=paths,
        starts=starts,
        targets=targets,
        n_left_out=int(described["n_left_out"]),
    )
    return StoredIndex(
        index=index,
        versions=versions,
        state=str(described["state"]),
        tokenizer_sha256=str(described["tokenizer_sha256"]),
        built=float(described["built"]),
    )


def _remove_old(cache: Path, workspace: Path, newest: Path) -> None:
    """Removes what is not needed any more; what cannot be removed stays."""
    for folder in workspace.iterdir():
        if folder != newest and re.fullmatch(r"\d{20}", folder.name):
            shutil.rmtree(folder, ignore_errors=True)
    for folder in cache.glob(f"*/{_UNFINISHED}*"):
        if time.time() - _read_mtime(folder) > _LONGEST_WRITE_S:
            shutil.rmtree(folder, ignore_errors=True)
    for folder in cache.iterdir():
        if _FORMER_KEY.fullmatch(folder.name):
            shutil.rmtree(folder, ignore_errors=True)
    others = [f for f in cache.iterdir() if _KEY.fullmatch(f.name) and f.is_dir()]
    others.sort(key=_read_mtime, reverse=True)
    for folder in others[MAX_WORKSPACES:]:
        shutil.rmtree(folder, ignore_errors=True)


def _read_mtime(folder: Path) -> float:
    """Returns when a folder was changed, in seconds since 1970; infinity if it is gone."""
    try:
        return folder.stat().st_mtime
    except OSError:  # another process has removed it
        return math.inf


def _remove_with_others(cache: Path, workspace: Path, paths: AbstractSet[str]) -> None:
    """Removes a workspace's indexes by other tokenizers if they have other files than these."""
    same_roots = workspace.name.rpartition("-")[0]
    for folder in cache.glob(f"{same_roots}-*"):
        found = open_newest(cache, folder.name) if folder != workspace else None
        if found is not None and not paths >= set(found[1].index.paths):
            shutil.rmtree(folder, ignore_errors=True)
