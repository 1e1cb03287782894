"""Places in held-out files at which a suggestion is requested, of every kind that editing has.

Every place has the file's own text at the cursor, so that the file, which parses, says what the
author meant. Half of the places that are inside of brackets or quotes have behind them what an
editor closes by itself; there the target repeats these closers, as a typist types over them.
"""

import hashlib
import json
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from pathlib import Path

from evaluation.insertions.auto_closing import closers_within
from evaluation.insertions.judgement import parses
from evaluation.insertions.place_kinds import CUTTERS, Cut, Source
from evaluation.runs.corpus_documents import (
    CorpusDocument,
    alternate_packages,
    make_unique_id,
    read_documents,
)

_HASHED = ("id", "kind", "prefix", "suffix", "target", "closers")
MAX_FILE_CHARS = 60_000  # a longer file takes too long to parse again for each place


@dataclass(frozen=True, kw_only=True)
class Place:
    """A cursor in a file.

    Attributes:
        id: Kind, package and path; numbered if the corpus has several versions of a file.
        kind: A key of ``CUTTERS``.
        prefix: The text before the cursor.
        suffix: The text after it, as the editor shows it.
        target: What the author wrote at the cursor; empty if nothing was removed.
        closers: What ``suffix`` begins with because the editor closed it; the target closes it too.
        package: The file's package.
        path: The file's path in the package.
    """

    id: str
    kind: str
    prefix: str
    suffix: str
    target: str
    closers: str
    package: str = ""
    path: str = ""

    @property
    def text(self) -> str:
        """The file as the editor shows it."""
        return self.prefix + self.suffix

    @property
    def original(self) -> str:
        """The file as its author wrote it."""
        return self.prefix + self.target + self.suffix[len(self.closers) :]

    @property
    def label(self) -> str:
        """The kind, and whether an editor closed something."""
        return f"{self.kind}, auto-closed" if self.closers else self.kind


def cut_places(corpus: Path, *, n: int, seed: int) -> list[Place]:
    """Cuts about ``n`` places, as many of each kind, from the held-out packages of a corpus.

    The files are drawn evenly from the packages, each file at most once per kind. The kinds take
    turns, so that the beginning of a run has all of them.

    Raises:
        PrerequisiteError: The corpus does not exist.
    """
    documents = list(read_documents(corpus, "heldout"))
    sources: dict[CorpusDocument, Source | None] = {}
    n_of_id: Counter[str] = Counter()
    groups: list[list[Place]] = []
    for number, (kind, cut) in enumerate(CUTTERS.items()):
        chance, group = random.Random(f"{seed}:{kind}"), list[Place]()
        groups.append(group)
        n_wanted = n // len(CUTTERS) + (number < n % len(CUTTERS))
        for document in alternate_packages(documents, chance):
            if len(group) == n_wanted:
                break
            if document not in sources:
                sources[document] = _parse(document.text)
            source = sources[document]
            found = None if source is None else cut(source, chance)
            if source is None or found is None:
                continue
            place_id, closes = f"{kind}/{document.name}", chance.random() < 0.5  # noqa: PLR2004
            place = _place_at(place_id, kind, source, found, closes=closes)
            if place is not None:
                place = replace(place, package=document.package, path=document.path)
                group.append(replace(place, id=make_unique_id(place.id, n_of_id)))
    return [place for turn in zip_longest(*groups) for place in turn if place is not None]


def hash_places(places: Sequence[Place]) -> str:
    """Returns a SHA-256 over all places."""
    records = [{name: getattr(place, name) for name in _HASHED} for place in places]
    text = json.dumps(records, sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def _parse(text: str) -> Source | None:
    """Returns a file that parses, None of any other."""
    if len(text) > MAX_FILE_CHARS or "\r" in text or "\f" in text:
        return None
    try:
        return Source.of(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _place_at(place_id: str, kind: str, source: Source, cut: Cut, *, closes: bool) -> Place | None:
    """Returns the place of a cut; None if the target would not restore a file that parses."""
    text, target = source.text, source.text[cut.start : cut.end]
    head = text[: cut.start].rpartition("\n")[2]
    line, newline, _ = target.partition("\n")
    closers = ""
    if closes and target and not newline:
        closers = closers_within(head, line)
    if cut.shown and not parses(text[: cut.start] + cut.shown + text[cut.end :]):
        return None
    return Place(
        id=place_id,
        kind=kind,
        prefix=text[: cut.start] + cut.shown,
        suffix=closers + text[cut.end :],
        target=target,
        closers=closers,
    )
