"""Replay with a scripted server: when an answer counts as stale, and whose record is whose."""

import asyncio
import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from evaluation.replay import replay_run
from evaluation.replay.session import Session
from evaluation.replay.session_events import AnswerReceived
from evaluation.replay.typing_tasks import TypingTask, cut_tasks
from evaluation.runs.corpus_documents import CorpusDocument
from server.suggestion.confidence import THRESHOLDS

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


class Silent:
    """Suggests nothing; keeps what it was sent."""

    def __init__(self):
        self.sent = []

    def notify(self, method, params):
        self.sent.append((method, params))

    def send_request(self, method, params):
        answer = asyncio.get_running_loop().create_future()
        answer.set_result({"items": []})
        return 1, answer

    def cpu_s(self):
        return 0.0

    async def close(self):
        """Has no process."""


def test_each_version_of_a_file_has_a_record_of_its_own(tmp_path, monkeypatch):
    """If it fails, one version is counted twice and the other not at all."""
    documents = [
        CorpusDocument(
            package="p", path="a.py", text="".join(f"{x}_{n} = find({n})\n" for n in range(40))
        )
        for x in ("first", "second")
    ]
    tasks = cut_tasks(documents, n=9, lines=8, seed=0)
    assert [task.id for task in tasks] == ["p/a.py", "p/a.py#2"]
    client = Silent()

    async def start(*_, **__):
        return client

    monkeypatch.setattr(replay_run, "LspClient", SimpleNamespace(start=start))
    options = replay_run.ReplayOptions(
        out=tmp_path, model=None, seed=0, pace=0, eagerness="balanced", draws_curve=False
    )
    replay_run.run_replay(tasks, options)
    lines = (tmp_path / "sessions.jsonl").read_text().splitlines()
    sessions = [json.loads(line)["task"] for line in lines]
    assert [(task["id"], task["target"]) for task in sessions] == [(t.id, t.target) for t in tasks]
    opened = [params for method, params in client.sent if method == "textDocument/didOpen"]
    uris = {params["textDocument"]["uri"] for params in opened}
    assert (len(opened), uris) == (2, {"file:///replay/p/a.py"})


def test_the_servers_log_of_a_run_is_not_that_of_its_curve(tmp_path, monkeypatch):
    """If it fails, whoever looks up a slow key of the run finds another eagerness's requests."""
    text = "".join(f"name_{n} = find({n})\n" for n in range(40))
    tasks = cut_tasks([CorpusDocument(package="p", path="a.py", text=text)], n=1, lines=8, seed=0)

    def log(path, settings):
        path.write_text(json.dumps({"eagerness": settings["suggestion"]["eagerness"]}) + "\n")

    async def start(arguments, settings, **_):
        log(Path(arguments[1]), settings)
        return Silent()

    monkeypatch.setattr(replay_run, "LspClient", SimpleNamespace(start=start))
    options = replay_run.ReplayOptions(
        out=tmp_path, model=None, seed=0, pace=0, eagerness="balanced", draws_curve=True
    )
    summary = replay_run.run_replay(tasks, options)
    assert list(summary.curve) == list(THRESHOLDS)
    logs = {path.name: json.loads(path.read_text())["eagerness"] for path in tmp_path.glob("ser*")}
    others = {f"server-{name}.jsonl": name for name in THRESHOLDS if name != "balanced"}
    assert logs == {"server.jsonl": "balanced", **others}
