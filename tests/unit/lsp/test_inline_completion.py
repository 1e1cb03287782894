"""From a position to what may be inserted, with the service replaced by a double."""

import asyncio
from concurrent.futures import Future
from types import SimpleNamespace

import pytest
from lsprotocol import types

from server.lsp.configuration import Configuration
from server.lsp.documents.open_documents import OpenDocuments
from server.lsp.inline_completion import InlineCompletion
from server.suggestion.explanation import NOT_OPEN, ON_BATTERY, OUTSIDE, PRIVATE
from server.suggestion.result import CompletionResult, Suggestion
from server.worker.status import Status
from training.artifact.code_reference import CodeReference

URI = "file:///w/a.py"
SOURCE = CodeReference(package="p", path="p/a.py", licence="MIT", n_tokens=60)


class ServiceDouble:
    """Answers every request with ``result``, unless that is None: then it stays pending."""

    def __init__(self):
        self.status = Status()
        self.result = CompletionResult(reason="nothing")
        self.requests, self.withheld, self.superseded, self.cancelled = [], [], [], []

    def submit(self, request, *, quiet_s=0.0):
        assert quiet_s >= 0
        self.requests.append(request)
        future = Future()
        if self.result is not None:
            future.set_result(self.result)
        return SimpleNamespace(future=future)

    def supersede(self, uri):
        self.superseded.append(uri)

    def cancel(self, pending):
        self.cancelled.append(pending)

    def withhold(self, reason, *, is_asked_for):
        self.withheld.append((reason, is_asked_for))


class Editor:
    """An editor with one open document."""

    def __init__(self, text="x = 1\n", uri=URI, options=None):
        self.service, self.warnings = ServiceDouble(), []
        self.configuration = Configuration({})
        self.configuration.initialize(options)
        self.documents = OpenDocuments(self.warn)
        self.completion = InlineCompletion(
            documents=self.documents,
            workspace=SimpleNamespace(refresh=lambda *_: None),
            configuration=self.configuration,
            service=self.service,
            warn_once=self.warn,
        )
        self.uri = uri
        item = types.TextDocumentItem(uri=uri, language_id="python", version=1, text=text)
        self.documents.open(item, "utf-16")

    def warn(self, key, sentence):
        self.warnings.append(sentence)

    async def suggest(self, line, column, uri=None, **options):
        at = types.Position(line, column)
        return await self.completion.suggest(uri or self.uri, at, **options)

    def insert(self, line, column, text, version=2):
        at = types.Position(line, column)
        change = types.TextDocumentContentChangePartial(range=types.Range(at, at), text=text)
        document = types.VersionedTextDocumentIdentifier(uri=self.uri, version=version)
        params = types.DidChangeTextDocumentParams(text_document=document, content_changes=[change])
        self.completion.change(params)


def range_of(edit):
    start, end = edit.range.start, edit.range.end
    return (start.line, start.character, end.line, end.character)


async def test_a_suggestion_has_a_range_its_alternatives_and_its_source():
    editor = Editor("é = 😋f(")
    editor.service.result = CompletionResult(
        suggestion=Suggestion(text="1)", covered=1, source=SOURCE),
        alternatives=(Suggestion(text="2)"),),
    )
    editor.insert(0, 8, ")")
    first, other = await editor.suggest(0, 8, is_asked_for=True)
    assert (first.text, first.replaced_text, first.source) == ("1)", ")", SOURCE)
    assert range_of(first) == (0, 8, 0, 9)
    assert (other.text, other.replaced_text, other.source) == ("2)", "", None)
    assert range_of(other) == (0, 8, 0, 8)
    (request,) = editor.service.requests
    assert (request.text, request.offset) == ("é = 😋f()", 7)
    assert request.n_wanted == 3


async def test_what_is_withheld_is_recorded_with_its_reason_and_asks_no_model(monkeypatch):
    """If it fails, "why is nothing shown" speaks of another request."""
    editor = Editor(options={"private_globs": ["secret.py"]})
    item = types.TextDocumentItem("file:///w/secret.py", "python", 1, "KEY = 1")
    editor.documents.open(item, "utf-16")
    assert await editor.suggest(0, 0, uri="file:///w/none.py") == []
    assert await editor.suggest(9, 0, is_asked_for=True) == []
    assert await editor.suggest(0, 0, uri=item.uri) == []
    monkeypatch.setattr(editor.completion._pause, "is_active", lambda: True)
    assert await editor.suggest(0, 0) == []
    assert editor.service.withheld == [
        (NOT_OPEN, False),
        (OUTSIDE, True),
        (PRIVATE, False),
        (ON_BATTERY, False),
    ]
    assert editor.service.requests == []
    assert len(editor.warnings) == 3
    await editor.suggest(0, 0, is_asked_for=True)  # who asks gets an answer on battery too
    assert len(editor.service.requests) == 1


async def test_a_request_that_the_client_cancels_is_cancelled_in_the_service():
    """If it fails, the model works on for an editor that has moved on."""
    editor = Editor()
    editor.service.result = None
    asked = asyncio.ensure_future(editor.suggest(0, 5))
    await asyncio.sleep(0)
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    assert len(editor.service.cancelled) == 1


async def test_a_late_result_is_not_shown_in_a_text_that_has_changed():
    """If it fails, ghost text appears at the wrong place and is inserted there."""
    editor = Editor()
    late = Future()
    editor.service.submit = lambda request, **_: SimpleNamespace(future=late)
    asked = asyncio.ensure_future(editor.suggest(0, 5))
    await asyncio.sleep(0)
    editor.insert(0, 0, "y")
    assert editor.service.superseded == [URI]
    late.set_result(CompletionResult(suggestion=Suggestion(text=" + 1")))
    assert await asked == []


async def test_the_next_suggestion_is_computed_when_one_is_accepted():
    """If it fails, accepting a suggestion is followed by a pause."""
    editor = Editor("x = \ny = 2\n")
    editor.service.result = CompletionResult(suggestion=Suggestion(text="1"))
    await editor.suggest(0, 4)
    editor.insert(0, 4, "1")
    assert editor.service.requests[-1].text == "x = 1\ny = 2\n"
    assert editor.service.requests[-1].offset == 5
    assert len(editor.service.requests) == 2
    editor.insert(0, 5, "2")
    assert len(editor.service.requests) == 2  # nothing was accepted


async def test_typing_something_else_computes_nothing_ahead():
    editor = Editor("x = \n")
    editor.service.result = CompletionResult(suggestion=Suggestion(text="1"))
    await editor.suggest(0, 4)
    editor.insert(0, 4, "2")
    assert len(editor.service.requests) == 1


async def test_the_selected_item_of_the_list_is_part_of_the_text_that_is_completed():
    """If it fails, VS Code shows no ghost text while its list is open."""
    editor = Editor("os.pa\n")
    editor.service.result = CompletionResult(suggestion=Suggestion(text=".join("))
    chosen = types.SelectedCompletionInfo(
        range=types.Range(types.Position(0, 3), types.Position(0, 5)), text="path"
    )
    (edit,) = await editor.suggest(0, 5, selected=chosen)
    assert (edit.text, range_of(edit), edit.replaced_text) == ("path.join(", (0, 3, 0, 5), "pa")
    assert editor.service.requests[0].text == "os.path\n"
    elsewhere = types.SelectedCompletionInfo(
        range=types.Range(types.Position(0, 0), types.Position(0, 2)), text="sys"
    )
    (edit,) = await editor.suggest(0, 5, selected=elsewhere)
    assert (edit.text, range_of(edit)) == (".join(", (0, 5, 0, 5))


async def test_closing_a_document_ends_its_request_and_forgets_it():
    editor = Editor("x = ")
    editor.service.result = CompletionResult(suggestion=Suggestion(text="1"))
    await editor.suggest(0, 4)
    editor.completion.close(URI)
    assert editor.service.superseded == [URI]
    assert await editor.suggest(0, 4) == []
    assert editor.service.withheld == [(NOT_OPEN, False)]
