"""Notebooks: each cell is completed with the code cells above and below it in view."""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from server.lsp.documents.document_changes import MalformedChangeError, read_number
from server.lsp.documents.text_document import TextDocument
from server.syntax.open_brackets import open_after

_BETWEEN_CELLS = "\n\n"
_CODE = 2  # NotebookCellKind
_MAX_SCANNED_CHARS = 64 << 10  # right above a cell; about 30 ms if none was scanned before
_REMEMBERED_CELLS = 256


@dataclass(kw_only=True)
class Notebook:
    """A notebook's cells in order: their URIs, and whether they hold code."""

    cells: list[tuple[str, bool]] = field(default_factory=list)

    @property
    def code(self) -> list[str]:
        """The URIs of the code cells."""
        return [uri for uri, is_code in self.cells if is_code]


class Notebooks:
    """All open notebooks, as the client describes them.

    Of one that is described in a way that cannot be understood, each cell stands alone.
    """

    def __init__(self) -> None:
        self._open: dict[str, Notebook] = {}

    def open(self, uri: str, cells: Any) -> None:
        """Adds a notebook; the texts of its cells are documents of their own.

        Args:
            uri: The notebook's.
            cells: A list of ``NotebookCell``.
        """
        self._open[uri] = Notebook()
        self.change(uri, {"start": 0, "deleteCount": 0, "cells": cells})

    def change(self, uri: str, array: Any) -> None:
        """Adds, removes or moves cells.

        Args:
            uri: The notebook's.
            array: A ``NotebookCellArrayChange``.
        """
        notebook = self._open.get(uri)
        if notebook is None:
            return
        try:
            start, n_removed = read_number(array["start"]), read_number(array["deleteCount"])
            new = [_read_cell(cell) for cell in array.get("cells") or ()]
        except (MalformedChangeError, KeyError, TypeError, AttributeError):
            self.close(uri)
            return
        notebook.cells[start : start + n_removed] = new

    def close(self, uri: str) -> None:
        """Removes a notebook."""
        self._open.pop(uri, None)

    def text_around(self, uri: str, documents: Mapping[str, TextDocument]) -> tuple[str, str]:
        """Returns the code above and below a document; nothing unless it is a notebook's cell.

        What a cell above leaves open is closed behind it, as each cell is run by itself.
        """
        for notebook in self._open.values():
            code = notebook.code
            if uri in code:
                index = code.index(uri)
                above, below = (
                    _texts(cells, documents) for cells in (code[:index], code[index + 1 :])
                )
                return _join_above(above), "".join(_BETWEEN_CELLS + text for text in below)
        return "", ""


def _texts(cells: Sequence[str], documents: Mapping[str, TextDocument]) -> list[str]:
    return [documents[cell].text.rstrip("\r\n") for cell in cells if cell in documents]


def _join_above(texts: Sequence[str]) -> str:
    parts, n_left = [], _MAX_SCANNED_CHARS
    for text in reversed(texts):
        n_left -= len(text)
        parts += [_BETWEEN_CELLS, _close(text) if n_left >= 0 else "", text]
    return "".join(reversed(parts))


@functools.lru_cache(maxsize=_REMEMBERED_CELLS)
def _close(text: str) -> str:
    """Returns the line that closes the brackets and strings that a cell leaves open, or nothing."""
    at_end = open_after(f"{text}\n")
    return f"\n{at_end.closers}" if at_end.stack else ""


def _read_cell(cell: Any) -> tuple[str, bool]:
    uri = cell["document"]
    if not isinstance(uri, str):
        raise MalformedChangeError("a cell without a document")
    return uri, cell.get("kind") == _CODE
