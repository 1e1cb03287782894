"""Selects what is kept of the corpus as a whole: split, deduplication, balance.

Works on the keys, signatures and sizes of all documents, never on their text. Of several equal
documents a held-out one is kept first, then the best-licensed, then the newest, so that held-out
text is never trained on. Called by :mod:`training.corpus.build` and ``python -m training.cluster``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from packaging.version import InvalidVersion, Version

from training.corpus.config import BalanceConfig, CorpusConfig
from training.corpus.dedup.exact_duplicates import find_exact_duplicates
from training.corpus.dedup.near_duplicates import WordHashes, find_near_duplicates
from training.corpus.extraction.parts import Part
from training.corpus.filters.sampling_weights import is_test
from training.corpus.readers.package_names import NamedPackages
from training.corpus.selection.balance import TrainingDocument, balance, draw_fraction
from training.corpus.selection.heldout_list import find_last_file, find_listed
from training.corpus.selection.heldout_split import HeldoutSplit, hold_out

EXACT, NEAR, NEAR_HELDOUT = "exact duplicate", "near duplicate", "near duplicate of held-out"
_COLUMNS = [
    *("package", "version", "path", "licence", "sha256"),
    *("n_bytes", "weight", "source", "content_key", "signature"),
]


class PartRow(NamedTuple):
    """Where a document is stored."""

    part: int
    row: int


@dataclass(kw_only=True)
class DocumentIndex:
    """The facts about every document that passed the screening, as parallel lists."""

    part: list[int] = field(default_factory=list)
    row: list[int] = field(default_factory=list)
    package: list[str] = field(default_factory=list)
    version: list[str] = field(default_factory=list)
    path: list[str] = field(default_factory=list)
    licence: list[str] = field(default_factory=list)
    sha256: list[str] = field(default_factory=list)
    n_bytes: list[int] = field(default_factory=list)
    weight: list[float] = field(default_factory=list)
    source: list[str] = field(default_factory=list)
    content_key: list[bytes] = field(default_factory=list)
    signature: list[npt.NDArray[np.uint32]] = field(default_factory=list)

    @classmethod
    def load(cls, parts: Sequence[Part], *, with_signatures: bool = True) -> "DocumentIndex":
        """Reads the key columns of all parts."""
        found = cls()
        columns = _COLUMNS if with_signatures else _COLUMNS[:-1]
        for number, part in enumerate(parts):
            row = 0
            for table in part.read_row_groups(columns):
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
class DroppedDocument:
    """Why a document is dropped; ``kept`` is the document it duplicates, if it does."""

    reason: str
    kept: int | None = None
    similarity: float | None = None


@dataclass(kw_only=True)
class Selection:
    """Which documents are kept, and in which split; numbers are positions in ``index``."""

    index: DocumentIndex
    heldout: HeldoutSplit
    dropped: dict[int, DroppedDocument]

    @property
    def is_heldout(self) -> list[bool]:
        """For each document, whether it is held out."""
        return self.heldout.is_heldout

    @cached_property
    def by_part(self) -> Mapping[int, Sequence[int]]:
        """The documents of each part."""
        found: dict[int, list[int]] = {}
        for index, part in enumerate(self.index.part):
            found.setdefault(part, []).append(index)
        return found

    def kept_rows(self, part: int, *, heldout: bool) -> set[int]:
        """Returns the rows of a part that belong to a split."""
        return {
            self.index.row[i]
            for i in self.by_part.get(part, ())
            if self.is_heldout[i] == heldout and i not in self.dropped
        }


def select(
    parts: Sequence[Part],
    config: CorpusConfig,
    near: Sequence[Sequence[PartRow]] | None = None,
) -> Selection:
    """Applies the stages that concern several documents.

    Args:
        parts: The parts of all sources.
        config: The corpus' config.
        near: Clusters of near duplicates that were found elsewhere; None to find them here.

    Raises:
        CorpusError: The documents are too few to hold some out, or to limit a package's share.
    """
    found = DocumentIndex.load(parts, with_signatures=near is None)
    names, heldout_files = NamedPackages(config.heldout), frozenset(config.heldout_files)
    named = [
        path if path in heldout_files else names.find_document(package, source, path=path)
        for package, source, path in zip(found.package, found.source, found.path, strict=True)
    ]
    listed = find_listed(config, found.package, found.path, found.sha256)
    if config.heldout_last_file:
        last_file = find_last_file(config, parts)
        listed = listed.extend([part in last_file for part in found.part])
    heldout = hold_out(config, found.package, found.sha256, found.n_bytes, named, listed=listed)
    is_heldout = heldout.is_heldout
    order = order_by_preference(found, is_heldout, config.licences)
    dropped = {
        index: DroppedDocument(reason=EXACT, kept=kept)
        for index, kept in find_exact_duplicates(found.content_key, order).items()
    }
    left = [index for index in order if index not in dropped]
    if near is not None:
        dropped |= _drop_clusters(found, is_heldout, left, near)
    elif config.near_duplicate_similarity is not None:
        dropped |= _drop_near(found, is_heldout, parts, left, config.near_duplicate_similarity)
    left = [i for i in order if i not in dropped and not is_heldout[i]]
    dropped |= _balance(found, left, config.balance)
    return Selection(index=found, heldout=heldout, dropped=dropped)


def _drop_clusters(
    found: DocumentIndex,
    is_heldout: Sequence[bool],
    order: Sequence[int],
    clusters: Sequence[Sequence[PartRow]],
) -> dict[int, DroppedDocument]:
    """Keeps the first of each cluster in ``order``; the similarity of the others is unknown."""
    cluster = {row: number for number, rows in enumerate(clusters) for row in rows}
    kept: dict[int, int] = {}
    dropped = {}
    for index in order:
        number = cluster.get(PartRow(found.part[index], found.row[index]))
        if number is None:
            continue
        first = kept.setdefault(number, index)
        if first != index:
            dropped[index] = DroppedDocument(
                reason=_describe_near(is_heldout, first, index), kept=first
            )
    return dropped


def _describe_near(is_heldout: Sequence[bool], kept: int, dropped: int) -> str:
    return NEAR_HELDOUT if is_heldout[kept] and not is_heldout[dropped] else NEAR


def order_by_preference(
    found: DocumentIndex, is_heldout: Sequence[bool], licences: Sequence[str]
) -> list[int]:
    """Returns all documents: held-out ones first, then by licence, newest version and source."""
    ranks = {licence: rank for rank, licence in enumerate(licences)}
    parsed = {text: _parse_version(text) for text in set(found.version)}
    newest = {version: rank for rank, version in enumerate(sorted(parsed.values(), reverse=True))}
    return sorted(
        range(len(found)),
        key=lambda i: (
            not is_heldout[i],
            ranks.get(found.licence[i], len(ranks)),
            newest[parsed[found.version[i]]],  # equal for "1.0" and "1.0.0", and all commits
            i,
        ),
    )


def _parse_version(text: str) -> tuple[int, Version]:
    try:
        return 1, Version(text)
    except InvalidVersion:
        return 0, Version("0")


def _drop_near(
    found: DocumentIndex,
    is_heldout: Sequence[bool],
    parts: Sequence[Part],
    order: Sequence[int],
    threshold: float,
) -> dict[int, DroppedDocument]:
    def read_words(wanted: Sequence[int]) -> dict[int, WordHashes]:
        rows: dict[int, dict[int, int]] = {}
        for place in wanted:
            index = order[place]
            rows.setdefault(found.part[index], {})[found.row[index]] = place
        return {
            places[row]: words
            for part, places in rows.items()
            for row, words in parts[part].read_words(list(places)).items()
        }

    if not order:
        return {}
    signatures = np.stack([found.signature[i] for i in order])
    near = find_near_duplicates(
        signatures, read_words, order=range(len(order)), threshold=threshold
    )
    return {
        order[d.index]: DroppedDocument(
            reason=_describe_near(is_heldout, order[d.kept], order[d.index]),
            kept=order[d.kept],
            similarity=round(d.similarity, 4),
        )
        for d in near
    }


def _balance(
    index: DocumentIndex, documents: Sequence[int], config: BalanceConfig
) -> dict[int, DroppedDocument]:
    facts = {
        i: TrainingDocument(
            package=index.package[i],
            n_bytes=index.n_bytes[i],
            is_test=is_test(index.path[i]),
            draw=draw_fraction(index.sha256[i], config.seed),
            test_draw=draw_fraction(f"test:{index.sha256[i]}", config.seed),
            weight=index.weight[i],
        )
        for i in documents
    }
    return {i: DroppedDocument(reason=reason) for i, reason in balance(facts, config).items()}


def group_duplicates(selection: Selection) -> Mapping[int, list[int]]:
    """Returns the documents dropped for each kept one, the largest group first."""
    found: dict[int, list[int]] = {}
    for index, dropped in selection.dropped.items():
        if dropped.kept is not None:
            found.setdefault(dropped.kept, []).append(index)
    return dict(sorted(found.items(), key=lambda item: (-len(item[1]), item[0])))
