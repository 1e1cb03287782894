"""Turns one record into a source file: its text, names, licence, stars and language.

What a record says is bounded and made printable here, whatever format it came in. Records in other
languages and private files are drops; notebooks become their code. Called by
:mod:`training.corpus.readers.records.record_files` and
:mod:`training.corpus.readers.records.hub_datasets`.
"""

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from training.corpus.config import RecordFields
from training.corpus.readers.names import MAX_PATH_CHARS, clean_name
from training.corpus.readers.notebook_code import read_notebook
from training.corpus.readers.source_file import (
    JSON_BYTES_PER_BYTE,
    NOT_PYTHON,
    NOTEBOOK_SUFFIX,
    PRIVATE,
    FileOrigin,
    SourceFile,
)
from training.foundation.foreign_text import encode_text
from training.foundation.privacy.private_paths import is_private_path
from training.licensing.licences import UNKNOWN, join_licences, normalize_licence

DAMAGED_RECORD = "damaged record"
STATED_HASH = "sha256"  # the field in which our own corpora have the hash of the text
LEVELS = ("low", "mid", "high")  # of quality
MAX_LICENCES = 50  # of a record
_MAX_LICENCE_CHARS = 500
_MAX_NUMBER_CHARS = 40
_PYTHON = {"python", "python2", "python3", "py"}
_NOTEBOOK = {"jupyter notebook", "jupyter-notebook", "jupyter", "ipynb"}
_PYTHON_SUFFIXES = {".py", ".pyw"}


@dataclass(frozen=True)
class Unparsable:
    """A record that could not be read; ``reason`` is that of its drop."""

    reason: str


@dataclass(frozen=True, kw_only=True)
class RecordParser:
    """Parses the records of one source.

    Attributes:
        fields: What their fields are called.
        package: The package of records that name none.
        max_bytes: The size beyond which a file is dropped.
        private_globs: Files that are dropped as private, besides those that usually hold secrets;
            None keeps these too.
    """

    fields: RecordFields
    package: str
    max_bytes: int
    private_globs: tuple[str, ...] | None = None

    @property
    def max_record_bytes(self) -> int:
        """The size of a line of JSON beyond which it is not parsed."""
        return self.max_bytes * JSON_BYTES_PER_BYTE

    def parse(self, row: object, number: int) -> SourceFile:
        """Returns the file of a record, or why there is none.

        Args:
            row: A mapping; anything else is damage.
            number: The record's number, for those that have no path.
        """
        unknown = FileOrigin(name=self.package, package=self.package, version="", licence=UNKNOWN)
        if not isinstance(row, dict):
            reason = row.reason if isinstance(row, Unparsable) else DAMAGED_RECORD
            return SourceFile(path=f"record {number}", problem=reason, origin=unknown)
        path = clean_name(_first(row, self.fields.path), MAX_PATH_CHARS)
        content = _first(row, self.fields.text)
        is_text = isinstance(content, (str, bytes))
        data = encode_text(content) if isinstance(content, str) else content if is_text else b""
        is_ours = is_text and _is_stored_document(row, data)
        kind = ".py" if is_ours else _find_kind(_first(row, self.fields.language), path)
        path = path or f"record_{number}.py"
        if kind is None:
            return SourceFile(path=path, problem=NOT_PYTHON, origin=unknown)
        if not is_text:
            return SourceFile(path=path, problem=DAMAGED_RECORD, origin=unknown)
        origin = self._find_origin(row)
        if self.private_globs is not None and is_private_path(path, self.private_globs):
            return SourceFile(path=path, problem=PRIVATE, origin=origin)
        file = SourceFile(path=path, data=data, origin=origin)
        return read_notebook(file) if kind == NOTEBOOK_SUFFIX else file

    def _find_origin(self, row: Mapping[str, Any]) -> FileOrigin:
        package = clean_name(_first(row, self.fields.package)) or self.package
        stars = _parse_number(_first(row, self.fields.stars))
        return FileOrigin(
            name=package,
            package=package,
            version=clean_name(_first(row, self.fields.version)),
            licence=_parse_licence(_first(row, self.fields.licence)),
            facts={"stars": stars} if stars else {},
            quality=_parse_quality(_first(row, self.fields.quality)),
        )


def _first(row: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    return next((row[name] for name in names if row.get(name) is not None), None)


def _is_stored_document(row: Mapping[str, Any], data: bytes) -> bool:
    """Returns whether a record is a document of a corpus: code, whatever the path it came from."""
    stated = row.get(STATED_HASH)
    text = stated.decode("utf-8", "replace") if isinstance(stated, bytes) else stated
    return isinstance(text, str) and text == hashlib.sha256(data).hexdigest()


def _find_kind(language: object, path: str) -> str | None:
    """Returns the suffix of the kind of file a record holds; None if it is not Python.

    The stated language counts, else the path's suffix; a record with neither is taken for Python.
    """
    if isinstance(language, bytes):
        language = language.decode("utf-8", "replace")
    suffix = PurePosixPath(path).suffix.lower()
    name = language.strip().lower() if isinstance(language, str) else ""
    if name in _NOTEBOOK or (suffix == NOTEBOOK_SUFFIX and name in {"", *_PYTHON}):
        return NOTEBOOK_SUFFIX
    is_python = name in _PYTHON if name else not path or suffix in _PYTHON_SUFFIXES
    return ".py" if is_python else None


def _parse_licence(value: object) -> str:
    """Returns an SPDX expression; all of a list must be allowed, for they may not be choices."""
    values = value if isinstance(value, (list, tuple)) else [value]
    names = [
        name.decode("utf-8", "replace") if isinstance(name, bytes) else name for name in values
    ]
    texts = [name if isinstance(name, str) else "" for name in names]
    if not texts or len(texts) > MAX_LICENCES or max(map(len, texts)) > _MAX_LICENCE_CHARS:
        return UNKNOWN
    return join_licences(normalize_licence(text) for text in texts)


def _parse_quality(value: object) -> str:
    """Returns a level of ours; empty for anything else that a field of this name may hold."""
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
    return text if isinstance(text, str) and text in LEVELS else ""


def _parse_number(value: object) -> float:
    """Returns a number of stars; 0 for anything that is none."""
    if isinstance(value, (str, bytes)) and len(value) > _MAX_NUMBER_CHARS:
        return 0.0
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return 0.0
    return number if math.isfinite(number) else 0.0
