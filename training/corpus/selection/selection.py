"""Decides what is kept of the corpus as a whole: duplicates, split, balance.

Sees numbers of all documents (keys, signatures, sizes) and the text of none. Held-out documents
come first, then the best-licensed, then the newest: of several equal ones the first in that order
is kept, so that held-out text is never trained on. Called by :mod:`training.corpus.build`.
"""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt
from packaging.version import InvalidVersion, Version

from training.corpus.config import BalanceConfig, CorpusConfig
from training.corpus.dedup.exact_duplicates import find_exact_duplicates
from training.corpus.dedup.near_duplicates import Words, find_near_duplicates
from training.corpus.extraction.parts import Part
from training.corpus.selection.heldout_split import HeldOut, hold_out
from training.corpus.selection.sampling_weights import is_test
from training.corpus.selection.share_limits import (
    OVER_PACKAGE_SHARE,
    OVER_TEST_SHARE,
    Weighed,
    over_shares,
)

EXACT, NEAR, NEAR_HELDOUT = "exact duplicate", "near duplicate", "near duplicate of held-out"
DOWN_WEIGHTED, OVER_CAP = "down-weighted", "over the package's cap"
BALANCE = (DOWN_WEIGHTED, OVER_CAP, OVER_PACKAGE_SHARE, OVER_TEST_SHARE)
Place = tuple[int, int]  # number of the part, row in it
_COLUMNS = [
    *("package", "version", "path", "licence", "sha256"),
    *("n_bytes", "weight", "content_key", "signature"),
]


@dataclass(kw_only=True)
class Candidates:
    """What is known of every document that passed its own stages; lists are parallel."""

    part: list[int] = field(default_factory=list)
    row: list[int] = field(default_factory=list)
    package: list[str] = field(default_factory=list)
    version: list[str] = field(default_factory=list)
    path: list[str] = field(default_factory=list)
    licence: list[str] = field(default_factory=list)
    sha256: list[str] = field(default_factory=list)
    n_bytes: list[int] = field(default_factory=list)
    weight: list[float] = field(default_factory=list)
    content_key: list[bytes] = field(default_factory=list)
    signature: list[npt.NDArray[np.uint32]] = field(default_factory=list)

    @classmethod
    def of(cls, parts: Sequence[Part], *, with_signatures: bool = True) -> "Candidates":
        """Reads the key columns of all parts."""
        found = cls()
        columns = _COLUMNS if with_signatures else _COLUMNS[:-1]
        for number, part in enumerate(parts):
            row = 0
            for table in part.row_groups(columns):
                found.part += [number] * table.num_rows
                found.row += range(row, row + table.num_rows)
                for name in _COLUMNS[:-1]:
                    getattr(found, name).extend(table[name].to_pylist())
                if with_signatures:
                    hashes = table["signature"]
                    found.signature += [np.frombuffer(s.as_py(), np.uint32) for s in hashes]
                row += table.num_rows
        return found

    def __len__(self) -> int:
        return len(self.part)


@dataclass(frozen=True, kw_only=True)
class Dropped:
    """Why a document is not taken, and for which other, if it is for one."""

    reason: str
    kept: int | None = None
    similarity: float | None = None


@dataclass(kw_only=True)
class Selection:
    """Which documents go where; indices are those of ``candidates``."""

    candidates: Candidates
    heldout: HeldOut
    dropped: dict[int, Dropped]

    @property
    def is_heldout(self) -> list[bool]:
        """For each document whether it is held out."""
        return self.heldout.is_heldout

    @cached_property
    def by_part(self) -> Mapping[int, Sequence[int]]:
        """The documents of each part."""
        found: dict[int, list[int]] = {}
        for index, part in enumerate(self.candidates.part):
            found.setdefault(part, []).append(index)
        return found

    def kept_rows(self, part: int, *, heldout: bool) -> set[int]:
        """Returns the rows of a part that go to a split."""
        return {
            self.candidates.row[i]
            for i in self.by_part.get(part, ())
            if self.is_heldout[i] == heldout and i not in self.dropped
        }


def select(
    parts: Sequence[Part],
    config: CorpusConfig,
    near: Sequence[Sequence[tuple[int, int]]] | None = None,
) -> Selection:
    """Applies everything that concerns more than one document.

    Args:
        parts: What was read.
        config: The corpus' config.
        near: Clusters of near duplicates that were found elsewhere, each a list of places;
            None finds them here.
    """
    found = Candidates.of(parts, with_signatures=near is None)
    heldout = hold_out(config, found.package, found.sha256, found.n_bytes)
    is_heldout = heldout.is_heldout
    order = preference(found, is_heldout, config.licences)
    dropped = {
        index: Dropped(reason=EXACT, kept=kept)
        for index, kept in find_exact_duplicates(found.content_key, order).items()
    }
    left = [index for index in order if index not in dropped]
    if near is not None:
        dropped |= _of_clusters(found, is_heldout, left, near)
    elif config.near_duplicate_similarity is not None:
        dropped |= _near(found, is_heldout, parts, left, config.near_duplicate_similarity)
    left = [i for i in order if i not in dropped and not is_heldout[i]]
    dropped |= balance(found, left, config.balance)
    return Selection(candidates=found, heldout=heldout, dropped=dropped)


def _of_clusters(
    found: Candidates,
    is_heldout: Sequence[bool],
    order: Sequence[int],
    clusters_of: Sequence[Sequence[Place]],
) -> dict[int, Dropped]:
    """Keeps the first of each cluster in ``order``; how similar the others are is not known."""
    cluster = {place: n for n, places in enumerate(clusters_of) for place in places}
    kept: dict[int, int] = {}
    dropped = {}
    for index in order:
        number = cluster.get((found.part[index], found.row[index]))
        if number is None:
            continue
        first = kept.setdefault(number, index)
        if first != index:
            dropped[index] = Dropped(reason=_near_reason(is_heldout, first, index), kept=first)
    return dropped


def _near_reason(is_heldout: Sequence[bool], kept: int, dropped: int) -> str:
    return NEAR_HELDOUT if is_heldout[kept] and not is_heldout[dropped] else NEAR


def preference(found: Candidates, is_heldout: Sequence[bool], licences: Sequence[str]) -> list[int]:
    """Returns all documents, the best first: held-out, best-licensed, newest, as they come."""
    ranks = {licence: rank for rank, licence in enumerate(licences)}
    versions = sorted(set(found.version), key=_version, reverse=True)
    newest = {version: rank for rank, version in enumerate(versions)}
    return sorted(
        range(len(found)),
        key=lambda i: (
            not is_heldout[i],
            ranks.get(found.licence[i], len(ranks)),
            newest[found.version[i]],
            i,
        ),
    )


def _version(text: str) -> tuple[int, Version]:
    try:
        return 1, Version(text)
    except InvalidVersion:
        return 0, Version("0")


def _near(
    found: Candidates,
    is_heldout: Sequence[bool],
    parts: Sequence[Part],
    order: Sequence[int],
    threshold: float,
) -> dict[int, Dropped]:
    def words_of(wanted: Sequence[int]) -> dict[int, Words]:
        rows: dict[int, dict[int, int]] = {}
        for place in wanted:
            index = order[place]
            rows.setdefault(found.part[index], {})[found.row[index]] = place
        return {
            places[row]: words
            for part, places in rows.items()
            for row, words in parts[part].words(list(places)).items()
        }

    if not order:
        return {}
    signatures = np.stack([found.signature[i] for i in order])
    near = find_near_duplicates(signatures, words_of, order=range(len(order)), threshold=threshold)
    return {
        order[d.index]: Dropped(
            reason=_near_reason(is_heldout, order[d.kept], order[d.index]),
            kept=order[d.kept],
            similarity=round(d.similarity, 4),
        )
        for d in near
    }


def balance(found: Candidates, indices: Sequence[int], config: BalanceConfig) -> dict[int, Dropped]:
    """Thins out by weight, caps and shares; which documents go is drawn from their hash."""
    draw = {i: _fraction(found.sha256[i], config.seed) for i in indices}
    dropped = {i: Dropped(reason=DOWN_WEIGHTED) for i in indices if draw[i] >= found.weight[i]}
    if config.max_package_bytes is not None:
        taken: Counter[str] = Counter()
        for i in sorted(indices, key=draw.__getitem__):
            if i not in dropped:
                taken[found.package[i]] += found.n_bytes[i]
                if taken[found.package[i]] > config.max_package_bytes:
                    dropped[i] = Dropped(reason=OVER_CAP)
    weighed = {
        i: Weighed(
            package=found.package[i],
            n_bytes=found.n_bytes[i],
            is_test=is_test(found.path[i]),
            draw=draw[i],
            test_draw=_fraction(f"test:{found.sha256[i]}", config.seed),
        )
        for i in indices
        if i not in dropped
    }
    over = over_shares(weighed, config)
    return dropped | {i: Dropped(reason=reason) for i, reason in over.items()}


def _fraction(sha256: str, seed: int) -> float:
    digest = hashlib.blake2b(f"{seed}:{sha256}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


def clusters(selection: Selection) -> Mapping[int, list[int]]:
    """Returns for each kept document those dropped for it, the largest cluster first."""
    found: dict[int, list[int]] = {}
    for index, dropped in selection.dropped.items():
        if dropped.kept is not None:
            found.setdefault(dropped.kept, []).append(index)
    return dict(sorted(found.items(), key=lambda item: (-len(item[1]), item[0])))
