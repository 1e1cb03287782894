"""Which files of a repository are measured on: those that changed last, and some by their names.

Files that changed last are what the model will be asked about next. Those chosen by the hash of
their path stay the same in every adaptation, so no version of them is ever learned from. Pure
functions; called by :mod:`training.adaptation.adaptation_plan`.
"""

import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

BY_HASH_SHARE = 0.6  # of what is held out
MAX_CHANGED_SHARE = 0.25  # of all files: a commit that changes more only reformats
MIN_FILES = 2  # to measure on


@dataclass(frozen=True, kw_only=True)
class HeldoutFiles:
    """The paths of the files to measure on."""

    newest: tuple[str, ...]
    by_hash: tuple[str, ...]


def choose_heldout(
    sizes: Mapping[str, int],
    changes: Iterable[Collection[str]],
    *,
    share: float,
    learned: Collection[str] = (),
) -> HeldoutFiles:
    """Chooses files of about ``share`` of the bytes.

    Args:
        sizes: The size of each file, by path.
        changes: What each commit changed, the newest first.
        share: Of the bytes of all files.
        learned: Files that an earlier adaptation has learned from; these are not measured on.
    """
    total = sum(sizes.values())
    by_hash = _choose_by_hash(sizes, BY_HASH_SHARE * share * total, learned)
    taken = sum(sizes[path] for path in by_hash)
    excluded = {*by_hash, *learned}
    newest = _choose_newest(sizes, changes, share * total - taken, excluded)
    if not newest:  # one commit only
        by_hash = _choose_by_hash(sizes, share * total, learned)
    return HeldoutFiles(newest=tuple(sorted(newest)), by_hash=tuple(sorted(by_hash)))


def _choose_by_hash(sizes: Mapping[str, int], wanted: float, learned: Collection[str]) -> list[str]:
    known = set(learned)
    chosen: list[str] = []
    n_bytes = 0
    for path in sorted(sizes, key=draw):
        if n_bytes >= wanted and len(chosen) >= MIN_FILES:
            break
        if path not in known:
            chosen.append(path)
            n_bytes += sizes[path]
    return chosen


def _choose_newest(
    sizes: Mapping[str, int],
    changes: Iterable[Collection[str]],
    wanted: float,
    excluded: Collection[str],
) -> list[str]:
    chosen: dict[str, None] = {}
    n_bytes = 0
    for changed in changes:
        paths = [path for path in changed if path in sizes]
        if len(paths) > max(1, MAX_CHANGED_SHARE * len(sizes)):
            continue
        for path in paths:
            if path in chosen or path in excluded:
                continue
            if n_bytes + sizes[path] > wanted:
                return list(chosen)
            chosen[path] = None
            n_bytes += sizes[path]
    return list(chosen)


def draw(path: str) -> bytes:
    """Returns the key by which files are chosen; it depends on the path alone."""
    return hashlib.blake2b(f"adapt:{path}".encode(), digest_size=8).digest()
