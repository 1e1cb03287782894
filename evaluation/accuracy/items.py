"""Positions in files where the completion is known, from a file or from held-out packages.

An item is ``{id, kind, prefix, suffix, target}``. The kinds are: ``mid``, the cursor is within a
line of code and the target is the rest of the line; ``start``, the cursor is after a line's
indentation and the target is the line; ``block``, the cursor is after the line that opens a block
and the target is the block; ``span``, the target is any span of a document, as in training.
"""

import ast
import hashlib
import json
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypeAlias

from evaluation.runs.corpus_documents import (
    CorpusDocument,
    alternate_packages,
    make_unique_id,
)
from evaluation.runs.input_files import read_json_lines
from evaluation.runs.record_fields import shorten
from training.foundation.errors import ConfigError

Kind = Literal["mid", "start", "block", "span"]
Span: TypeAlias = tuple[int, int]  # of characters
MIN_LINE_CHARS = 6  # shorter lines (a bracket, "pass") say nothing about a model
MAX_BLOCK_LINES = 12
MAX_SPAN_CHARS = 200
MAX_ITEM_CHARS = 1 << 20  # an editor sends no longer files
_FIELDS = ("id", "kind", "prefix", "suffix", "target")


@dataclass(frozen=True, kw_only=True)
class Item:
    """A position in a document, and the text that follows.

    ``package`` and ``path`` say which document; both are empty for items from a file.
    """

    id: str
    kind: Kind
    prefix: str
    suffix: str
    target: str
    package: str = ""
    path: str = ""


def read_items(path: Path, kinds: Sequence[Kind]) -> list[Item]:
    """Reads a JSON-lines file of items.

    Raises:
        ConfigError: A line is not an item of these kinds, or an id occurs twice.
        PrerequisiteError: The file does not exist.
    """
    items = [
        _check_item(values, kinds, where) for where, values in read_json_lines(path, "--items")
    ]
    if not items:
        raise ConfigError(f"{path} contains no items; expected one JSON object per line")
    for item_id, n in Counter(item.id for item in items).items():
        if n > 1:
            raise ConfigError(
                f"{path}: the id {shorten(item_id)!r} occurs {n} times; make it unique"
            )
    return items


def _check_item(values: Any, kinds: Sequence[Kind], where: str) -> Item:
    if not isinstance(values, dict):
        raise ConfigError(f"{where}: expected a JSON object")
    for name in _FIELDS:
        if not isinstance(values.get(name), str):
            raise ConfigError(f"{where}: expected a string '{name}'")
    n_chars = sum(len(values[name]) for name in _FIELDS)
    if n_chars > MAX_ITEM_CHARS:
        raise ConfigError(
            f"{where}: the item has {n_chars} characters, more than {MAX_ITEM_CHARS}; shorten it"
        )
    if values["kind"] not in kinds:
        raise ConfigError(
            f"{where}: 'kind' is {shorten(values['kind'])!r}; use {' or '.join(kinds)}"
        )
    return Item(**{name: values[name] for name in _FIELDS})


def cut_items(
    documents: Sequence[CorpusDocument],
    kinds: Sequence[Kind],
    *,
    n: int,
    seed: int,
    per_document: int = 1,
) -> list[Item]:
    """Cuts ``n`` items of each kind from documents.

    They are drawn evenly from the packages, each document at most ``per_document`` times per kind,
    and never twice at the same place.
    """
    items: list[Item] = []
    n_of_id: Counter[str] = Counter()
    for kind in kinds:
        chance = random.Random(f"{seed}:{kind}")
        places: set[tuple[int, Span]] = set()  # a corpus may have several files of one name
        for _ in range(per_document):
            for document in alternate_packages(documents, chance):
                span = _cut(document.text, kind, chance) if len(places) < n else None
                if span is not None and (id(document), span) not in places:
                    places.add((id(document), span))
                    item = _item_at(document, kind, span)
                    items.append(replace(item, id=make_unique_id(item.id, n_of_id)))
    return items


def hash_items(items: Sequence[Item]) -> str:
    """Returns a SHA-256 over all items."""
    records = [{name: getattr(item, name) for name in _FIELDS} for item in items]
    text = json.dumps(records, sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def _item_at(document: CorpusDocument, kind: Kind, span: Span) -> Item:
    text, (start, end) = document.text, span
    return Item(
        id=f"{kind}/{document.name}",
        kind=kind,
        prefix=text[:start],
        suffix=text[end:],
        target=text[start:end],
        package=document.package,
        path=document.path,
    )


def _cut(text: str, kind: Kind, chance: random.Random) -> Span | None:
    """Returns the span of a random target; None if the text has no position of this kind."""
    cut = {"mid": _cut_mid, "start": _cut_start, "block": _cut_block, "span": _cut_span}[kind]
    try:
        ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    return None if "\r" in text else cut(text, chance)


def _code_lines(text: str) -> list[tuple[int, str]]:
    """Returns the lines of code that are long enough, each with the offset of its start."""
    found, at = [], 0
    for line in text.split("\n"):  # the lines that Python sees
        code = line.strip()
        if len(code) >= MIN_LINE_CHARS and not code.startswith("#"):
            found.append((at, line))
        at += len(line) + 1
    return found


def _cut_mid(text: str, chance: random.Random) -> Span | None:
    lines = _code_lines(text)
    if not lines:
        return None
    at, line = chance.choice(lines)
    indent = len(line) - len(line.lstrip())
    return at + chance.randrange(indent + 1, len(line.rstrip())), at + len(line)


def _cut_start(text: str, chance: random.Random) -> Span | None:
    lines = _code_lines(text)
    if not lines:
        return None
    at, line = chance.choice(lines)
    return at + len(line) - len(line.lstrip()), at + len(line)


def _cut_block(text: str, chance: random.Random) -> Span | None:
    """Cuts a block after its header's line feed; the target includes the first indentation."""
    starts = [0]
    for line in text.split("\n"):
        starts.append(starts[-1] + len(line) + 1)
    blocks = [
        (starts[body[0].lineno - 1], starts[body[-1].end_lineno or body[-1].lineno])
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.stmt)
        for body in [getattr(node, "body", [])]
        if body
        and body[0].lineno > node.lineno
        and body[-1].end_lineno - body[0].lineno < MAX_BLOCK_LINES
    ]
    if not blocks:
        return None
    start, end = chance.choice(blocks)
    return start, start + len(text[start:end].rstrip())


def _cut_span(text: str, chance: random.Random) -> Span | None:
    if len(text) < 2 * MAX_SPAN_CHARS:
        return None
    start = chance.randrange(1, len(text) - MAX_SPAN_CHARS)
    return start, start + chance.randrange(1, MAX_SPAN_CHARS)
