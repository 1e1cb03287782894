"""Positions in files where the completion is known, from a file or from held-out packages.

An item is ``{id, kind, prefix, suffix, target}``. Of kind ``mid`` the cursor is within a line
of code and the target is the rest of the line; of kind ``start`` it is after a line's indentation;
of kind ``block`` after the line that opens a block, and the target is the block. Of kind ``span``
the target is any span of a document, as in the training of infilling.
"""

import ast
import hashlib
import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pyarrow.parquet as pq

from evaluation.runs.input_files import json_lines
from training.foundation.errors import ConfigError, PrerequisiteError

Kind = Literal["mid", "start", "block", "span"]
MIN_LINE_CHARS = 6  # shorter lines (a bracket, "pass") tell nothing
MAX_BLOCK_LINES = 12
MAX_SPAN_CHARS = 200
_SPLITS = {"train": "training", "heldout": "held-out"}  # as people call them
_FIELDS = ("id", "kind", "prefix", "suffix", "target")


@dataclass(frozen=True, kw_only=True)
class Item:
    """A position in a document, and the text that follows."""

    id: str
    kind: Kind
    prefix: str
    suffix: str
    target: str


def read_items(path: Path, kinds: Sequence[Kind]) -> list[Item]:
    """Reads a JSON-lines file of items.

    Raises:
        ConfigError: A line is no item of these kinds; it is named.
        PrerequisiteError: There is no such file.
    """
    items = [_item(values, kinds, where) for where, values in json_lines(path, "--items")]
    if not items:
        raise ConfigError(f"{path} contains no items; expected one JSON object per line")
    return items


def _item(values: Any, kinds: Sequence[Kind], where: str) -> Item:
    if not isinstance(values, dict):
        raise ConfigError(f"{where}: expected a JSON object")
    for name in _FIELDS:
        if not isinstance(values.get(name), str):
            raise ConfigError(f"{where}: expected a string '{name}'")
    if values["kind"] not in kinds:
        raise ConfigError(f"{where}: 'kind' is {values['kind']!r}; use {' or '.join(kinds)}")
    return Item(**{name: values[name] for name in _FIELDS})


def cut_items(corpus: Path, kinds: Sequence[Kind], *, n: int, seed: int) -> list[Item]:
    """Cuts ``n`` items of each kind from the held-out packages of a corpus.

    The documents are drawn evenly over the packages, each at most once a kind.

    Raises:
        PrerequisiteError: There is no such corpus.
    """
    documents = list(heldout_documents(corpus))
    items = []
    for kind in kinds:
        chance = random.Random(f"{seed}:{kind}")
        wanted = n
        for package, path, text in in_turns(documents, chance):
            found = _cut(text, kind, chance) if wanted else None
            if found is not None:
                wanted -= 1
                items.append(Item(id=f"{kind}/{package}/{path}", kind=kind, **found))
    return items


def items_hash(items: Sequence[Item]) -> str:
    """Returns the SHA-256 of items."""
    text = json.dumps([vars(item) for item in items], sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def heldout_documents(corpus: Path) -> Iterator[tuple[str, str, str]]:
    """Yields package, path and text of a corpus' held-out documents.

    Raises:
        PrerequisiteError: There is no such corpus.
    """
    return documents_of(corpus, "heldout")


def documents_of(
    corpus: Path, split: Literal["train", "heldout"]
) -> Iterator[tuple[str, str, str]]:
    """Yields package, path and text of the documents of one part of a corpus.

    Raises:
        PrerequisiteError: There is no such corpus.
    """
    files = sorted((corpus / split).glob("*.parquet"))
    if not files:
        raise PrerequisiteError(
            f"{corpus} contains no {_SPLITS[split]} documents; build a corpus with parrotlet"
            " corpus, or correct --corpus"
        )
    for file in files:
        for row in pq.read_table(file, columns=["package", "path", "text"]).to_pylist():
            yield row["package"], row["path"], row["text"]


def in_turns(
    documents: Sequence[tuple[str, str, str]], chance: random.Random
) -> Iterator[tuple[str, str, str]]:
    """Yields documents in a random order, a package after the other."""
    packages: dict[str, list[tuple[str, str, str]]] = {}
    for document in documents:
        packages.setdefault(document[0], []).append(document)
    for group in packages.values():
        chance.shuffle(group)
    while packages:
        for name in list(packages):
            yield packages[name].pop()
            if not packages[name]:
                del packages[name]


def _cut(text: str, kind: Kind, chance: random.Random) -> dict[str, str] | None:
    """Returns prefix, suffix and target of a random place; None if the text has none."""
    cut = {"mid": _cut_mid, "start": _cut_start, "block": _cut_block, "span": _cut_span}[kind]
    try:
        ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return None
    if "\r" in text:
        return None
    found = cut(text, chance)
    if found is None:
        return None
    start, end = found
    return {"prefix": text[:start], "suffix": text[end:], "target": text[start:end]}


def _code_lines(text: str) -> list[tuple[int, str]]:
    """Returns the lines that are long enough and no comments, each with where it begins."""
    found, at = [], 0
    for line in text.split("\n"):  # as Python counts lines
        code = line.strip()
        if len(code) >= MIN_LINE_CHARS and not code.startswith("#"):
            found.append((at, line))
        at += len(line) + 1
    return found


def _cut_mid(text: str, chance: random.Random) -> tuple[int, int] | None:
    lines = _code_lines(text)
    if not lines:
        return None
    at, line = chance.choice(lines)
    indent = len(line) - len(line.lstrip())
    return at + chance.randrange(indent + 1, len(line.rstrip())), at + len(line)


def _cut_start(text: str, chance: random.Random) -> tuple[int, int] | None:
    lines = _code_lines(text)
    if not lines:
        return None
    at, line = chance.choice(lines)
    return at + len(line) - len(line.lstrip()), at + len(line)


def _cut_block(text: str, chance: random.Random) -> tuple[int, int] | None:
    """A block begins behind the line feed of its header; its first indentation is of the target."""
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


def _cut_span(text: str, chance: random.Random) -> tuple[int, int] | None:
    if len(text) < 2 * MAX_SPAN_CHARS:
        return None
    start = chance.randrange(1, len(text) - MAX_SPAN_CHARS)
    return start, start + chance.randrange(1, MAX_SPAN_CHARS)
