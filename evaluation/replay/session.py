"""Types one file into the server: at each change it notifies and asks the server, as VS Code does.

What is shown is what an editor would show: an answer for the text as it is now, shortened while
the typed text agrees with it. Every event is recorded with its time.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evaluation.replay.buffer import Buffer
from evaluation.replay.lsp_client import LspClient
from evaluation.replay.session_events import (
    AnswerReceived,
    CursorJumped,
    KeyPressed,
    SessionEvent,
    SuggestionAccepted,
    SuggestionShown,
)
from evaluation.replay.typing_tasks import TypingTask
from evaluation.replay.typist import Act, Key, Typist, first_line, is_next, is_rest_of_line
from training.foundation.errors import InvalidResultError

STALE_ANSWER = "an answer for a text that had changed"  # a fault
_AUTOMATIC = 2  # the protocol's trigger kind
_JUMP_S = 0.8
_LAST_ANSWER_S = 5.0
_ECHO = {"command": "parrotlet.explain"}  # answered as soon as it is read, so after the change


@dataclass(frozen=True, kw_only=True)
class Ghost:
    """The suggestion at the cursor; it replaces ``covered`` characters after the cursor."""

    text: str
    covered: int


@dataclass(kw_only=True)
class PendingRequest:
    """A request, and the future of its answer.

    Attributes:
        number: The request's id.
        version: The version of the document that it asks about.
        sent_s: When it was sent, by the monotonic clock.
        answer: The answer.
        superseded_s: When a newer request took its place.
        is_stale: Whether the server has since read the change that superseded it.
    """

    number: int
    version: int
    sent_s: float
    answer: "asyncio.Future[Any]"
    superseded_s: float | None = None
    is_stale: bool = False


@dataclass(kw_only=True)
class SessionRecord:
    """What happened in a session, in order, and what the server should not have done."""

    task: TypingTask
    events: list[SessionEvent] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, object]:
        """Returns the line of ``sessions.jsonl``."""
        return {"task": vars(self.task), "events": [event.to_json() for event in self.events]}


class Session:
    """Types one task.

    Args:
        client: The server's client.
        task: What to type.
        seed: Seeds the typist.
        pace: Typing speed as a multiple of a human's; 0 waits for each answer instead of the clock.
        root: The workspace's folder, which has the task's file.
    """

    def __init__(
        self,
        client: LspClient,
        task: TypingTask,
        *,
        seed: int,
        pace: float,
        root: Path | None = None,
    ) -> None:
        self._client = client
        self._pace = pace
        self._typist = Typist(task.target, f"{seed}:{task.id}")
        self._buffer = Buffer(text=task.prefix + task.suffix, cursor=len(task.prefix))
        self._target_start = len(task.prefix)
        self._uri = f"file:///replay/{task.file}" if root is None else (root / task.path).as_uri()
        self._ghost: Ghost | None = None
        self._request: PendingRequest | None = None
        self._requests: list[PendingRequest] = []
        self._start_s = time.monotonic()
        self.record = SessionRecord(task=task)

    async def run(self) -> SessionRecord:
        """Types to the end and returns what happened.

        Raises:
            InvalidResultError: The server has exited.
        """
        document = {"uri": self._uri, "languageId": "python", "version": 1}
        params = {"textDocument": {**document, "text": self._buffer.text}}
        self._client.notify("textDocument/didOpen", params)
        self._move_cursor(self._buffer.cursor)
        while (key := self._typist.next_key(self._typed_text())) is not None:
            await self._pause(key)
            self._require_server()
            if key.is_read_before and self._accept_suggestion():
                continue
            await self._press(key)
        if self._requests:
            answers = [request.answer for request in self._requests]
            await asyncio.wait(answers, timeout=_LAST_ANSWER_S)
            self._require_server()
        self._client.notify("textDocument/didClose", {"textDocument": {"uri": self._uri}})
        if self._typed_text() != self.record.task.target:
            self.record.faults.append("the typed text differs from the target")
        return self.record

    def _require_server(self) -> None:
        """Ends the session if the server has ended: it would count as one that suggests nothing."""
        answer = None if self._request is None else self._request.answer
        error = answer.exception() if answer is not None and answer.done() else None
        if error is not None:
            raise InvalidResultError(
                f"{error} while {self.record.task.id} was typed, so nothing is measured; see its"
                " messages above, or try parrotlet health"
            ) from error

    def _typed_text(self) -> str:
        return self._buffer.text[self._target_start : self._buffer.cursor]

    async def _pause(self, key: Key) -> None:
        if self._pace > 0:
            await asyncio.sleep(key.pause_s / self._pace)
        elif self._request is not None:
            await asyncio.wait([self._request.answer])
            await asyncio.sleep(0)  # let its callback run first

    async def _press(self, key: Key) -> None:
        if key.act is Act.JUMP:
            self._record(CursorJumped)
            self._ghost = None
            self._move_cursor(len(self._buffer.text) // 2)
            await asyncio.sleep(_JUMP_S / self._pace if self._pace > 0 else 0)
            self._move_cursor(self._buffer.cursor)
            return
        typed = self._typed_text()
        if key.act is Act.TYPE:
            may_close = self._typist.closes_in_line(typed, key.text)
            change = self._buffer.press(key.text, may_close=may_close)
        else:
            change = {
                Act.NEWLINE: self._buffer.newline,
                Act.INDENT: self._buffer.indent,
                Act.DELETE: self._buffer.delete,
            }[key.act]()
        new = self._typed_text()
        self._shorten_ghost(new[len(typed) :] if new.startswith(typed) else None)
        self._record(KeyPressed, key=key.act.value, text=key.text)
        self._send_change(change)

    def _move_cursor(self, offset: int) -> None:
        """Tells the server, as our clients do, where the cursor has come to rest."""
        position = self._buffer.position(offset)
        params = {"textDocument": {"uri": self._uri}, "position": position}
        self._client.notify("parrotlet/didMoveCursor", params)

    def _shorten_ghost(self, typed: str | None) -> None:
        """Drops what was typed from the ghost, or the ghost if the typed text differs."""
        ghost = self._ghost
        if ghost is None or not typed or not ghost.text.startswith(typed) or ghost.covered:
            self._ghost = None
        else:
            left = ghost.text[len(typed) :]
            self._ghost = Ghost(text=left, covered=0) if left else None

    def _accept_suggestion(self) -> bool:
        ghost, typed = self._ghost, self._typed_text()
        accepted = None if ghost is None else self._typist.accepted_part(typed, ghost.text)
        if ghost is None or accepted is None:
            return False
        is_whole = accepted == ghost.text
        at = self._buffer.cursor
        end = at + (ghost.covered if is_whole else 0)
        change = self._buffer.replace(at, end, accepted, cursor=len(accepted))
        self._ghost = None
        self._record(SuggestionAccepted, text=accepted, is_whole=is_whole)
        self._send_change(change)
        return True

    def _send_change(self, change: dict[str, Any]) -> None:
        """Notifies the server of a change, and requests a suggestion."""
        document = {"uri": self._uri, "version": self._buffer.version}
        params = {"textDocument": document, "contentChanges": [change]}
        sent_s = time.monotonic()
        self._client.notify("textDocument/didChange", params)
        if self._request is not None and not self._request.answer.done():
            self._supersede(self._request, sent_s)
        number, answer = self._client.send_request(
            "textDocument/inlineCompletion",
            {
                "textDocument": {"uri": self._uri},
                "position": self._buffer.position(self._buffer.cursor),
                "context": {"triggerKind": _AUTOMATIC},
            },
        )
        request = PendingRequest(
            number=number, version=self._buffer.version, sent_s=sent_s, answer=answer
        )
        answer.add_done_callback(lambda _: self._on_answer(request))
        self._request = request
        self._requests.append(request)

    def _supersede(self, request: PendingRequest, sent_s: float) -> None:
        """Cancels a request, and learns when the server has read the change that superseded it.

        An answer that arrives before that was on its way when the text changed, however long it
        took. One that arrives later is for a text that the server knew to be outdated. The order of
        the answers decides, not a clock.
        """
        request.superseded_s = sent_s
        self._client.notify("$/cancelRequest", {"id": request.number})
        _, echo = self._client.send_request("workspace/executeCommand", _ECHO)
        echo.add_done_callback(lambda _: setattr(request, "is_stale", True))

    def _on_answer(self, request: PendingRequest) -> None:
        now = time.monotonic()
        latency_ms = round(1000 * (now - request.sent_s), 2)
        result = None if request.answer.exception() else request.answer.result()
        items = result.get("items", []) if isinstance(result, dict) else []
        late_ms = None if request.version == self._buffer.version else 0.0
        if request.superseded_s is not None:
            late_ms = round(1000 * (now - request.superseded_s), 2)
        self._record(AnswerReceived, latency_ms=latency_ms, late_ms=late_ms, n_items=len(items))
        if late_ms is not None:
            if items and request.is_stale:
                self.record.faults.append(STALE_ANSWER)
        elif items:
            self._show(items[0])

    def _show(self, item: dict[str, Any]) -> None:
        start, end = (self._buffer.offset(item["range"][x]) for x in ("start", "end"))
        cursor = self._buffer.cursor
        if start > cursor or end < cursor or "\n" in self._buffer.text[cursor:end]:
            self.record.faults.append("a suggestion that is not at the cursor")
            return
        text = item["insertText"][cursor - start :]
        before = self._ghost
        is_new = before is None or before.text != text
        self._ghost = Ghost(text=text, covered=end - cursor)
        left = self.record.task.target[len(self._typed_text()) :]
        is_on_way = self.record.task.target.startswith(self._typed_text())
        line = first_line(text)
        self._record(
            SuggestionShown,
            text=text,
            is_new=is_new,
            is_right=is_on_way and is_next(left, line),
            is_whole_line=is_on_way and is_rest_of_line(left, line),
            is_on_way=is_on_way,
        )

    def _record(self, event: Callable[..., SessionEvent], **details: object) -> None:
        at_s = round(time.monotonic() - self._start_s, 3)
        ghost = None if self._ghost is None else self._ghost.text
        self.record.events.append(
            event(at_s=at_s, typed=self._typed_text(), ghost=ghost, **details)
        )
