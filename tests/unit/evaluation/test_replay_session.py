"""When a replay session counts an answer as stale, with a scripted server."""

import asyncio

import pytest

from evaluation.replay.session import Session
from evaluation.replay.session_events import AnswerReceived
from evaluation.replay.typing_tasks import TypingTask

TASK = TypingTask(id="a.py", prefix="import os\n\n", target="total = 1\n", suffix="end = 2\n")
ANSWER = {
    "items": [
        {
            "insertText": "otal = 1",
            "range": {"start": {"line": 2, "character": 1}, "end": {"line": 2, "character": 1}},
        }
    ]
}


class Scripted:
    """Answers the first request late: before or after the echo that shows the change was read."""

    def __init__(self, *, is_stale, held_s):
        self._is_stale, self._held_s = is_stale, held_s
        self._first = None
        self._tasks = []  # kept, because the loop holds only weak references

    def notify(self, method, params):
        """Accepts any notification."""

    def send_request(self, method, params):
        answer = asyncio.get_running_loop().create_future()
        if method == "workspace/executeCommand":
            self._tasks.append(asyncio.create_task(self._read_change(answer)))
        elif self._first is None:
            self._first = answer
        else:
            answer.set_result({"items": []})
        return 1, answer

    async def _read_change(self, echo):
        await asyncio.sleep(self._held_s)
        for future in (echo, self._first) if self._is_stale else (self._first, echo):
            if not future.done():
                future.set_result(ANSWER if future is self._first else None)


@pytest.mark.parametrize("held_s", [0.0, 0.2])
@pytest.mark.parametrize("is_stale", [False, True])
async def test_only_an_answer_after_the_change_was_read_is_stale(is_stale, held_s):
    """If it fails, a slow machine looks like a server that answers for an outdated text."""
    client = Scripted(is_stale=is_stale, held_s=held_s)
    record = await Session(client, TASK, seed=0, pace=100.0).run()
    late_ms = [e.late_ms for e in record.events if isinstance(e, AnswerReceived) and e.n_items]
    assert late_ms
    assert late_ms[0] >= 1000 * held_s
    assert record.faults == ["an answer for a text that had changed"] * is_stale
