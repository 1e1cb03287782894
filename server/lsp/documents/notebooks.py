"""Notebooks: each cell is completed with the code cells above and below it in view."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from lsprotocol import types

from server.lsp.documents.text_document import TextDocument

_BETWEEN_CELLS = "\n\n"


@dataclass(kw_only=True)
class Notebook:
    """A notebook's cells in order: their URIs, and whether they hold code."""

    cells: list[tuple[str, bool]] = field(default_factory=list)

    @property
    def code(self) -> list[str]:
        """The URIs of the code cells."""
        return [uri for uri, is_code in self.cells if is_code]


class Notebooks:
    """All open notebooks, as the client describes them."""

    def __init__(self) -> None:
        self._open: dict[str, Notebook] = {}

    def open(self, params: types.DidOpenNotebookDocumentParams) -> None:
        """Adds a notebook; the texts of its cells are documents of their own."""
        cells = [_entry(cell) for cell in params.notebook_document.cells]
        self._open[params.notebook_document.uri] = Notebook(cells=cells)

    def change(self, params: types.DidChangeNotebookDocumentParams) -> None:
        """Adds, removes or moves cells."""
        notebook = self._open.get(params.notebook_document.uri)
        cells = params.change.cells
        if notebook is None or cells is None or cells.structure is None:
            return
        array = cells.structure.array
        new = [_entry(cell) for cell in array.cells or ()]
        notebook.cells[array.start : array.start + array.delete_count] = new

    def close(self, uri: str) -> None:
        """Removes a notebook."""
        self._open.pop(uri, None)

    def text_around(self, uri: str, documents: Mapping[str, TextDocument]) -> tuple[str, str]:
        """Returns the code above and below a document; nothing unless it is a notebook's cell."""
        for notebook in self._open.values():
            code = notebook.code
            if uri in code:
                index = code.index(uri)
                above, below = (
                    _texts(cells, documents) for cells in (code[:index], code[index + 1 :])
                )
                return (
                    "".join(text + _BETWEEN_CELLS for text in above),
                    "".join(_BETWEEN_CELLS + text for text in below),
                )
        return "", ""


def _texts(cells: Sequence[str], documents: Mapping[str, TextDocument]) -> list[str]:
    return [documents[cell].text.rstrip("\r\n") for cell in cells if cell in documents]


def _entry(cell: types.NotebookCell) -> tuple[str, bool]:
    return cell.document, cell.kind is types.NotebookCellKind.Code
