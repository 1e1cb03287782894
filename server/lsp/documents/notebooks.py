"""Notebooks: their cells of code in order, so that each is completed with those above in view."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from lsprotocol import types

from server.lsp.documents.text_document import Document

_BETWEEN = "\n\n"


@dataclass(kw_only=True)
class Notebook:
    """A notebook's cells in order: their URIs, and whether they are of code."""

    cells: list[tuple[str, bool]] = field(default_factory=list)

    @property
    def code(self) -> list[str]:
        """The URIs of the cells of code."""
        return [uri for uri, is_code in self.cells if is_code]

    def around(self, uri: str, documents: Mapping[str, Document]) -> tuple[str, str]:
        """Returns the text of the cells above a cell, and of those below."""
        at = self.code.index(uri)
        above = [documents[cell].text for cell in self.code[:at] if cell in documents]
        below = [documents[cell].text for cell in self.code[at + 1 :] if cell in documents]
        return (
            "".join(text.rstrip("\r\n") + _BETWEEN for text in above),
            "".join(_BETWEEN + text.rstrip("\r\n") for text in below),
        )


class Notebooks:
    """All open notebooks, by what the client tells of them."""

    def __init__(self) -> None:
        self._open: dict[str, Notebook] = {}

    def open(self, params: types.DidOpenNotebookDocumentParams) -> None:
        """Takes an opened notebook; its cells' texts are documents of their own."""
        cells = [_told(cell) for cell in params.notebook_document.cells]
        self._open[params.notebook_document.uri] = Notebook(cells=cells)

    def change(self, params: types.DidChangeNotebookDocumentParams) -> None:
        """Takes cells that came, went or moved."""
        notebook = self._open.get(params.notebook_document.uri)
        cells = params.change.cells
        if notebook is None or cells is None or cells.structure is None:
            return
        array = cells.structure.array
        new = [_told(cell) for cell in array.cells or ()]
        notebook.cells[array.start : array.start + array.delete_count] = new

    def close(self, uri: str) -> None:
        """Forgets a notebook."""
        self._open.pop(uri, None)

    def around(self, uri: str, documents: Mapping[str, Document]) -> tuple[str, str]:
        """Returns what stands above and below a document, if it is a notebook's cell."""
        for notebook in self._open.values():
            if uri in notebook.code:
                return notebook.around(uri, documents)
        return "", ""


def _told(cell: types.NotebookCell) -> tuple[str, bool]:
    return cell.document, cell.kind is types.NotebookCellKind.Code
