"""Open documents and notebooks, as clients describe them, mistakes included."""

from lsprotocol import types

from server.lsp.documents.open_documents import OpenDocuments


def opened(*texts):
    warnings = []
    documents = OpenDocuments(lambda _key, sentence: warnings.append(sentence))
    for uri, text in texts:
        documents.open(types.TextDocumentItem(uri, "python", 1, text), "utf-16")
    return documents, warnings


def change(uri, *changes, version=2):
    return types.DidChangeTextDocumentParams(
        text_document=types.VersionedTextDocumentIdentifier(uri=uri, version=version),
        content_changes=list(changes),
    )


def partial(start, end, text):
    where = types.Range(types.Position(*start), types.Position(*end))
    return types.TextDocumentContentChangePartial(range=where, text=text)


def test_changes_apply_in_order_each_to_the_text_that_the_last_one_left():
    """If it fails, the server completes a text that no editor shows."""
    documents, _ = opened(("a", "one\ntwo\n"))
    documents.change(
        change("a", partial((0, 0), (1, 0), ""), partial((0, 3), (0, 3), "!"), version=7)
    )
    assert (documents.get("a").text, documents.get("a").version) == ("two!\n", 7)
    whole = types.TextDocumentContentChangeWholeDocument(text="x")
    documents.change(change("a", whole, partial((0, 1), (0, 1), "y")))
    assert documents.get("a").text == "xy"


def test_a_change_to_a_document_that_is_not_open_is_one_warning():
    documents, warnings = opened()
    assert documents.change(change("a", partial((0, 0), (0, 0), "x"))) is None
    assert len(documents) == 0
    assert len(warnings) == 1


def test_texts_come_latest_edited_first():
    """If it fails, excerpts come from files that nobody has touched for hours."""
    documents, _ = opened(("a", "1"), ("b", "2"), ("c", "3"))
    documents.change(change("a", partial((0, 0), (0, 0), "0")))
    assert list(documents.texts().items()) == [("a", "01"), ("c", "3"), ("b", "2")]


def cell(uri, *, is_code=True):
    kind = types.NotebookCellKind.Code if is_code else types.NotebookCellKind.Markup
    return types.NotebookCell(kind=kind, document=uri)


def test_a_cell_has_the_code_cells_around_it():
    """If it fails, each cell of a notebook is completed as if it were alone, or with its prose."""
    documents, _ = opened(("a", "x = 1\n"), ("prose", "# title"), ("b", "y"), ("c", "\r\nz\r\n"))
    notebook = types.NotebookDocument(
        uri="n",
        notebook_type="jupyter-notebook",
        version=1,
        cells=[cell("a"), cell("prose", is_code=False), cell("b"), cell("gone"), cell("c")],
    )
    documents.notebooks.open(types.DidOpenNotebookDocumentParams(notebook, []))
    assert documents.text_around("b") == ("x = 1\n\n", "\n\n\r\nz")
    assert documents.text_around("prose") == ("", "")
    array = types.NotebookCellArrayChange(start=0, delete_count=2, cells=[cell("c")])
    structure = types.NotebookDocumentCellChangeStructure(array=array)
    event = types.NotebookDocumentChangeEvent(
        cells=types.NotebookDocumentCellChanges(structure=structure)
    )
    identifier = types.VersionedNotebookDocumentIdentifier(uri="n", version=2)
    documents.notebooks.change(types.DidChangeNotebookDocumentParams(identifier, event))
    assert documents.text_around("b")[0] == "\r\nz\n\n"
    documents.notebooks.close("n")
    assert documents.text_around("b") == ("", "")
