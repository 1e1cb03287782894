"""One file typed into the server: at each change it is told and asked, as VS Code does it.

What is shown is what an editor would show: an answer for the text as it is now, shortened while
what is typed agrees with it. Events are taken down with their times.
"""

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any

from evaluation.replay.buffer import Buffer
from evaluation.replay.lsp_client import Client
from evaluation.replay.typist import Act, Key, Typist, first_line, is_rest_of_line

_AUTOMATIC = 2  # the protocol's trigger kind
_JUMP_S = 0.8
_LAST_ANSWER_S = 5.0
_ECHO = {"command": "parrotlet.explain"}  # answered as soon as it is read, so behind the change


@dataclass(frozen=True, kw_only=True)
class Task:
    """A file with a gap, and what is typed there."""

    id: str
    prefix: str
    target: str
    suffix: str


@dataclass(kw_only=True)
class Ghost:
    """What is shown behind the cursor; ``covered`` characters behind it are replaced."""

    text: str
    covered: int


@dataclass(kw_only=True)
class Ask:
    """A request under way or answered."""

    number: int
    version: int
    sent_s: float
    answer: "asyncio.Future[Any]"
    superseded_s: float | None = None  # when a newer one took its place
    is_stale: bool = False  # whether the server has read the change that made it so


@dataclass(kw_only=True)
class Record:
    """What happened in a session, in order; times in seconds since its start."""

    task: Task
    events: list[dict[str, Any]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


class Session:
    """Types one task.

    Args:
        client: The server.
        task: What.
        seed: Of the typist.
        pace: How many times as fast as a human; 0 waits for each answer and for nothing else.
    """

    def __init__(self, client: Client, task: Task, *, seed: int, pace: float) -> None:
        self._client = client
        self._pace = pace
        self._typist = Typist(task.target, f"{seed}:{task.id}")
        self._buffer = Buffer(text=task.prefix + task.suffix, cursor=len(task.prefix))
        self._start = len(task.prefix)
        self._uri = f"file:///replay/{task.id}"
        self._ghost: Ghost | None = None
        self._ask: Ask | None = None
        self._asks: list[Ask] = []
        self._began = time.monotonic()
        self.record = Record(task=task)

    async def run(self) -> Record:
        """Types to the end and returns what happened."""
        document = {"uri": self._uri, "languageId": "python", "version": 1}
        opened = {**document, "text": self._buffer.text}
        self._client.notify("textDocument/didOpen", {"textDocument": opened})
        while (key := self._typist.next_key(self._typed())) is not None:
            await self._pause(key)
            if key.is_read_before and self._take_suggestion():
                continue
            await self._do(key)
        if self._asks:
            await asyncio.wait([ask.answer for ask in self._asks], timeout=_LAST_ANSWER_S)
        self._client.notify("textDocument/didClose", {"textDocument": {"uri": self._uri}})
        if self._typed() != self.record.task.target:
            self.record.faults.append("the typed text differs from the target")
        return self.record

    def _typed(self) -> str:
        return self._buffer.text[self._start : self._buffer.cursor]

    async def _pause(self, key: Key) -> None:
        if self._pace > 0:
            await asyncio.sleep(key.pause_s / self._pace)
        elif self._ask is not None:
            await asyncio.wait([self._ask.answer])
            await asyncio.sleep(0)  # its callback comes first

    async def _do(self, key: Key) -> None:
        if key.act is Act.JUMP:
            self._note("jump")
            self._ghost = None
            await asyncio.sleep(_JUMP_S / self._pace if self._pace > 0 else 0)
            return
        typed = self._typed()
        if key.act is Act.TYPE:
            may_close = self._typist.closes_itself(typed, key.text)
            change = self._buffer.press(key.text, may_close=may_close)
        else:
            change = {
                Act.NEWLINE: self._buffer.newline,
                Act.INDENT: self._buffer.indent,
                Act.DELETE: self._buffer.delete,
            }[key.act]()
        new = self._typed()
        self._shorten(new[len(typed) :] if new.startswith(typed) else None)
        self._changed("key", change, key=key.act.value, text=key.text)

    def _shorten(self, typed: str | None) -> None:
        """Keeps of the ghost what is left behind equal characters."""
        ghost = self._ghost
        if ghost is None or not typed or not ghost.text.startswith(typed) or ghost.covered:
            self._ghost = None
        else:
            left = ghost.text[len(typed) :]
            self._ghost = Ghost(text=left, covered=0) if left else None

    def _take_suggestion(self) -> bool:
        ghost, typed = self._ghost, self._typed()
        taken = None if ghost is None else self._typist.takes(typed, ghost.text)
        if ghost is None or taken is None:
            return False
        covered = ghost.covered if taken == ghost.text else 0
        at = self._buffer.cursor
        change = self._buffer.replace(at, at + covered, taken, cursor=len(taken))
        self._ghost = None
        self._changed("accept", change, text=taken, is_whole=taken == ghost.text)
        return True

    def _changed(self, event: str, change: dict[str, Any], **about: Any) -> None:
        """Tells the server of a change and asks it."""
        self._note(event, **about)
        document = {"uri": self._uri, "version": self._buffer.version}
        params = {"textDocument": document, "contentChanges": [change]}
        sent_s = time.monotonic()
        self._client.notify("textDocument/didChange", params)
        if self._ask is not None and not self._ask.answer.done():
            self._supersede(self._ask, sent_s)
        number, answer = self._client.send_request(
            "textDocument/inlineCompletion",
            {
                "textDocument": {"uri": self._uri},
                "position": self._buffer.position(self._buffer.cursor),
                "context": {"triggerKind": _AUTOMATIC},
            },
        )
        ask = Ask(number=number, version=self._buffer.version, sent_s=sent_s, answer=answer)
        answer.add_done_callback(lambda _: self._answered(ask))
        self._ask = ask
        self._asks.append(ask)

    def _supersede(self, ask: Ask, sent_s: float) -> None:
        """Calls a request off, and learns when the server has read the change before that.

        An answer that comes sooner was under way when the change came, however long it took: one
        that comes later is for a text of which the server knew that it had changed. Answers are
        told in the order in which they come, so no clock decides it.
        """
        ask.superseded_s = sent_s
        self._client.notify("$/cancelRequest", {"id": ask.number})
        _, echo = self._client.send_request("workspace/executeCommand", _ECHO)
        echo.add_done_callback(lambda _: setattr(ask, "is_stale", True))

    def _answered(self, ask: Ask) -> None:
        now = time.monotonic()
        took_ms = round(1000 * (now - ask.sent_s), 2)
        result = None if ask.answer.exception() else ask.answer.result()
        items = result.get("items", []) if isinstance(result, dict) else []
        late_ms = None if ask.version == self._buffer.version else 0.0
        if ask.superseded_s is not None:
            late_ms = round(1000 * (now - ask.superseded_s), 2)
        self._note("answer", ms=took_ms, late_ms=late_ms, n_items=len(items))
        if late_ms is not None:
            if items and ask.is_stale:
                self.record.faults.append("an answer for a text that had changed")
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
        left = self.record.task.target[len(self._typed()) :]
        is_on_way = self.record.task.target.startswith(self._typed())
        is_right = is_on_way and is_rest_of_line(left, first_line(text))
        self._note("shown", text=text, is_new=is_new, is_right=is_right, is_on_way=is_on_way)

    def _note(self, event: str, **about: Any) -> None:
        now = round(time.monotonic() - self._began, 3)
        ghost = None if self._ghost is None else self._ghost.text
        self.record.events.append(
            {"at": now, "event": event, "now": self._typed(), "ghost": ghost, **about}
        )
