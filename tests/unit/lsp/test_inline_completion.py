"""From a position to what may be inserted, with the service replaced by a double."""

import asyncio
from concurrent.futures import Future
from types import SimpleNamespace

import pytest
from lsprotocol import types

from server.lsp.configuration import Configuration
from server.lsp.documents.open_documents import OpenDocuments
from server.lsp.inline_completion import InlineCompletion
from server.suggestion.event import Stage
from server.suggestion.explanation import (
    COMPUTING,
    ELSEWHERE,
    NOT_OPEN,
    ON_BATTERY,
    PRIVATE,
    STALE,
    UNKNOWN_TEXT,
)
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
        self.ahead = []
        self.read = []

    def submit(self, request, *, quiet_s=0.0):
        assert quiet_s >= 0
        self.requests.append(request)
        future = Future()
        if self.result is not None:
            future.set_result(self.result)
        return SimpleNamespace(future=future, request=request)

    def compute_ahead(self, request):
        self.ahead.append(request)

    def read_ahead(self, request):
        self.read.append(request)

    def supersede(self, uri):
        self.superseded.append(uri)

    def cancel(self, pending):
        self.cancelled.append(pending)

    def withhold(self, reason, *, is_asked_for):
        self.withheld.append((reason, is_asked_for))
        return self.describe(Stage.WITHHELD, reason)

    def event_of(self, pending):
        return (Stage.WAITING, COMPUTING, pending.request)

    def describe(self, stage, reason):
        return (stage, reason)


class Editor:
    """An editor with one open document."""

    def __init__(self, text="x = 1\n", uri=URI, options=None):
        self.service, self.warnings = ServiceDouble(), []
        self.configuration = Configuration({})
        self.configuration.initialize(options)
        self.documents = OpenDocuments(self.warn)
        self.completion = InlineCompletion(
            documents=self.documents,
            workspace=SimpleNamespace(
                refresh=lambda *_: None,
                share_documents=lambda _: None,
                close_document=lambda _: None,
            ),
            configuration=self.configuration,
            service=self.service,
            warn_once=self.warn,
        )
        self.uri = uri
        self.open(uri, text)

    def open(self, uri, text):
        self.documents.open({"uri": uri, "text": text}, "utf-16")

    def warn(self, key, sentence):
        self.warnings.append(sentence)

    async def suggest(self, line, column, uri=None, **options):
        at = types.Position(line, column)
        return await self.completion.suggest(uri or self.uri, at, **options)

    def insert(self, line, column, text, version=2):
        at = {"line": line, "character": column}
        change = {"range": {"start": at, "end": at}, "text": text}
        self.completion.change({"uri": self.uri, "version": version}, [change])


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
    await editor.suggest(0, 8)
    first, other = await editor.suggest(0, 8, is_asked_for=True)
    assert (first.text, first.source) == ("1)", SOURCE)
    assert range_of(first) == (0, 8, 0, 9)
    assert (other.text, other.source) == ("2)", None)
    assert range_of(other) == (0, 8, 0, 8)
    request = editor.service.requests[-1]
    assert (request.text, request.offset) == ("é = 😋f()", 7)
    assert request.n_wanted == 3


async def test_alternatives_are_drawn_only_for_a_user_who_cycles():
    """If it fails, who asks by hand waits for alternatives that nobody has asked for."""
    editor = Editor()
    editor.service.result = CompletionResult(suggestion=Suggestion(text=" + 1"))

    async def n_wanted(column, **options):
        await editor.suggest(0, column, **options)
        return editor.service.requests[-1].n_wanted

    assert await n_wanted(5, is_asked_for=True) == 1
    assert await n_wanted(5, is_asked_for=True) == 3  # again at the same place
    assert await n_wanted(4, is_asked_for=True) == 1
    assert await n_wanted(5) == 1
    assert await n_wanted(5, is_asked_for=True) == 3  # one was shown while typing
    shown, editor.service.result = editor.service.result, CompletionResult(reason="none")
    assert await n_wanted(5) == 1  # the editor asks again, and that is superseded
    editor.service.result = shown
    assert await n_wanted(5, is_asked_for=True) == 3
    editor.insert(0, 0, " ")
    assert await n_wanted(5, is_asked_for=True) == 1
    editor.service.result = CompletionResult(reason="nothing")
    editor.insert(0, 0, " ", version=3)
    assert await n_wanted(5) == await n_wanted(5, is_asked_for=True) == 1


async def test_what_is_withheld_is_recorded_with_its_reason_and_asks_no_model(monkeypatch):
    """If it fails, "why is nothing shown" speaks of another request."""
    editor = Editor(options={"private_globs": ["secret.py"]})
    editor.open("file:///w/secret.py", "KEY = 1")
    editor.open("file:///w/lost.py", None)
    assert await editor.suggest(0, 0, uri="file:///w/none.py") == []
    assert await editor.suggest(0, 0, uri="file:///w/lost.py", is_asked_for=True) == []
    assert await editor.suggest(0, 0, uri="file:///w/secret.py") == []
    monkeypatch.setattr(editor.completion._pause, "is_active", lambda: True)
    assert await editor.suggest(0, 0) == []
    assert editor.service.withheld == [
        (NOT_OPEN, False),
        (UNKNOWN_TEXT, True),
        (PRIVATE, False),
        (ON_BATTERY, False),
    ]
    assert editor.service.requests == []
    assert len(editor.warnings) == 2
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
    assert editor.completion.explain() == (Stage.CANCELLED, STALE)


async def test_the_next_suggestion_is_computed_when_one_is_accepted():
    """If it fails, accepting a suggestion is followed by a pause."""
    editor = Editor("x = \ny = 2\n")
    editor.service.result = CompletionResult(suggestion=Suggestion(text="1"))
    await editor.suggest(0, 4)
    editor.insert(0, 4, "1")
    (request,) = editor.service.ahead
    assert (request.text, request.offset) == ("x = 1\ny = 2\n", 5)
    editor.insert(0, 5, "2")
    assert len(editor.service.ahead) == 1  # nothing was accepted


async def test_several_lines_are_accepted_with_the_documents_line_ends():
    """If it fails, accepting a block in a file with Windows' line ends is followed by a pause."""
    editor = Editor("if x:\r\n    \r\ny = 2\r\n")
    editor.service.result = CompletionResult(suggestion=Suggestion(text="a = 1\n    b = 2"))
    await editor.suggest(1, 4)
    editor.insert(1, 4, "a = 1\r\n    b = 2")
    (request,) = editor.service.ahead
    assert request.before == "if x:\r\n    a = 1\r\n    b = 2"


async def test_typing_something_else_computes_nothing_ahead():
    editor = Editor("x = \n")
    editor.service.result = CompletionResult(suggestion=Suggestion(text="1"))
    await editor.suggest(0, 4)
    editor.insert(0, 4, "2")
    assert editor.service.ahead == []


async def test_the_selected_item_of_the_list_is_part_of_the_text_that_is_completed():
    """If it fails, VS Code shows no ghost text while its list is open."""
    editor = Editor("os.pa\n")
    editor.service.result = CompletionResult(suggestion=Suggestion(text=".join("))
    chosen = types.SelectedCompletionInfo(
        range=types.Range(types.Position(0, 3), types.Position(0, 5)), text="path"
    )
    (edit,) = await editor.suggest(0, 5, selected=chosen)
    assert (edit.text, range_of(edit)) == ("path.join(", (0, 3, 0, 5))
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


async def test_an_explanation_is_of_the_request_that_is_asked_about():
    """If it fails, "why is nothing shown" speaks of another file, or of an older request."""
    editor = Editor("x = \n")
    assert editor.completion.explain() is None
    await editor.suggest(0, 4)
    await editor.suggest(0, 0, uri="file:///w/none.py")
    none, of_file = (Stage.WITHHELD, NOT_OPEN), (Stage.WAITING, COMPUTING)
    assert editor.completion.explain() == none
    assert editor.completion.explain("file:///w/none.py") == none
    assert editor.completion.explain(URI)[:2] == of_file
    assert editor.completion.explain(URI, (0, 4))[:2] == of_file
    assert editor.completion.explain(URI, (0, 3)) == (Stage.WITHHELD, ELSEWHERE)
    assert editor.completion.explain("file:///w/other.py") is None
    await editor.suggest(0, 1)
    assert editor.completion.explain()[2].offset == 1  # the newest of all
    assert editor.completion.explain("file:///w/none.py") == none


async def test_a_request_past_the_end_of_a_line_is_one_at_its_end():
    editor = Editor("x = 1\ny")
    editor.service.result = CompletionResult(suggestion=Suggestion(text=" + 1"))
    for line, column, offset in ((0, 99, 5), (1, 99, 7), (99, 0, 7), (2**31 - 1, 2**31 - 1, 7)):
        (edit,) = await editor.suggest(line, column)
        assert editor.service.requests[-1].offset == offset
        assert range_of(edit)[:2] == ((0, 5) if line == 0 else (1, 1))


async def test_a_document_whose_change_was_invalid_is_not_completed():
    """If it fails, suggestions are for a text that no editor shows."""
    editor = Editor("x = 1\n")
    editor.completion.change({"uri": URI}, [{"range": 5, "text": "y"}])
    assert await editor.suggest(0, 0) == []
    editor.completion.change({"uri": URI}, [{"text": "z = "}])
    await editor.suggest(0, 4)
    assert editor.service.requests[-1].text == "z = "


@pytest.mark.parametrize("text", ["x = 1\n", "é = 1\n"])
def test_what_is_around_a_resting_cursor_is_read(text):
    """If it fails, the first key at another place waits until its surroundings are read."""
    editor = Editor(text)
    editor.completion.move_cursor(URI, types.Position(line=0, character=3))
    (read,) = editor.service.read
    assert (read.text, read.offset, read.is_asked_for) == (text, 3, False)
    assert not editor.service.requests


def test_a_private_file_is_not_read_ahead():
    """If it fails, text that no request may use is held in the model's cache."""
    uri = "file:///w/.env"
    editor = Editor(uri=uri)
    editor.completion.move_cursor(uri, types.Position(line=0, character=0))
    editor.completion.move_cursor("file:///w/unknown.py", types.Position(line=0, character=0))
    assert editor.service.read == []
