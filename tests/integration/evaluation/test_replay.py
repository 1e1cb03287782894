"""Typing replayed through the real server, with the model that knows one module by heart."""

import json
import random

import pytest
from doubles.trusting_gate import copy_with_gate

from evaluation.replay.__main__ import main as replay
from training.foundation.errors import PrerequisiteError

pytestmark = [pytest.mark.integration, pytest.mark.timeout(200)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory, known_module):
    files = tmp_path_factory.mktemp("files")
    for number in range(2):
        (files / f"{number}.py").write_text(known_module + f"\n\nLAST = {number}\n" * 3)
    return files


def run(folder, model, out, *more):
    arguments = [
        "--files",
        folder,
        "--model",
        model,
        "--n",
        "2",
        "--lines",
        "6",
        "--out",
        out,
        *more,
    ]
    assert replay([str(word) for word in arguments]) == 0
    return json.loads((out / "summary.json").read_text())


@pytest.fixture(scope="module")
def typed(folder, tiny_artifact, tmp_path_factory):
    """The folder of a run with every eagerness."""
    out = tmp_path_factory.mktemp("typed")
    run(folder, tiny_artifact, out, "--pace", "0", "--curve")
    return out


def test_replaying_a_known_text_twice_gives_the_same_metrics(
    typed, folder, tiny_artifact, tmp_path, capsys
):
    """If it fails, the metrics depend on chance."""
    second = run(folder, tiny_artifact, tmp_path / "b", "--pace", "0")
    assert '"precision_of_suggestions"' in capsys.readouterr().out
    first = json.loads((typed / "summary.json").read_text())
    assert first["faults"] == []
    assert first["stale_answers"] == 0
    assert first["precision_of_suggestions"] > 0.4
    assert first["characters_saved"] > 0.2
    assert first["tokens_reused"] > 0.7
    assert first["latency_ms"]["p50"] > 0
    differing = {"latency_ms", "latency_shown_ms", "minutes", "cpu_s_per_minute", "curve"}
    differing |= {"tokens_reused", "new_tokens", "slow_twentieth"}  # how much was read ahead
    assert first["cancellation_ms"] is None  # nothing was cancelled
    assert {k: v for k, v in first.items() if k not in differing} == {
        k: v for k, v in second.items() if k not in differing
    }
    page = (typed / "report.html").read_text()
    assert "Watch a session" in page
    sessions = (typed / "sessions.jsonl").read_text().splitlines()
    events = [event for line in sessions for event in json.loads(line)["events"]]
    assert {"key", "answer", "shown", "accept"} <= {event["event"] for event in events}


def test_at_a_quick_pace_requests_are_superseded_and_nothing_is_stale(
    folder, tiny_artifact, tmp_path
):
    found = run(folder, tiny_artifact, tmp_path / "a", "--pace", "40")
    assert found["faults"] == []
    assert found["requests"] > found["answered_in_time"] > 0


def test_a_missing_model_or_folder_is_reported(folder, tmp_path):
    with pytest.raises(PrerequisiteError, match="there is no model directory"):
        run(folder, tmp_path / "nowhere", tmp_path / "a")
    with pytest.raises(PrerequisiteError, match="correct --files"):
        run(tmp_path / "nowhere", tmp_path, tmp_path / "b")


def test_the_trade_off_is_shown(typed):
    """If it fails, users cannot weigh more suggestions against more correct ones."""
    figures = json.loads((typed / "summary.json").read_text())
    curve = figures["curve"]
    assert list(curve) == ["always", "eager", "balanced", "quiet"]
    assert curve["always"]["keys_with_ghost"] >= curve["quiet"]["keys_with_ghost"]
    assert curve["balanced"]["precision_of_suggestions"] == figures["precision_of_suggestions"]
    assert "Trade-off between eagerness settings" in (typed / "report.html").read_text()


def make_lines():
    """Returns lines of a function, each of words that no other has."""
    chance = random.Random(5)
    for _ in range(16):
        a, b, c, d = ("".join(chance.choices("abdeilmnorstu", k=12)) for _ in range(4))
        yield f"    {a} = {b}.{c}({d})\n"


def test_the_other_files_are_known_and_the_typed_text_is_not(tiny_artifact, tmp_path, monkeypatch):
    """If it fails, a replay with a workspace measures none, or one that has the answer."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    model = copy_with_gate(tiny_artifact, tmp_path / "model")
    shared = "def f():\n" + "".join(make_lines())
    for name in ("a", "b"):
        files = tmp_path / name
        files.mkdir()
        (files / "0.py").write_text(shared)
        if name == "a":
            (files / "1.py").write_text(f"import os\n{shared}")
    options = ("--pace", "0", "--eagerness", "always", "--workspace", "--n", "1", "--lines", "3")
    known = run(tmp_path / "a", model, tmp_path / "known", *options)
    alone = run(tmp_path / "b", model, tmp_path / "alone", *options)
    assert known["characters_saved"] > alone["characters_saved"] + 0.1
    assert (known["workspace"], known["faults"]) == (True, [])
    assert not (tmp_path / "caches").exists()  # of the user
