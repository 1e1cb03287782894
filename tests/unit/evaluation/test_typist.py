"""The replay's typist, editor buffer, tasks and metrics, without a server."""

import random

import pytest

from evaluation.replay.buffer import Buffer
from evaluation.replay.replay_metrics import (
    NOT_READ_ANEW,
    Percentiles,
    TokenCounts,
    count_tokens,
    measure_sessions,
)
from evaluation.replay.replay_page import ReplaySummary, draw_page
from evaluation.replay.session import STALE_ANSWER, SessionRecord
from evaluation.replay.session_events import (
    AnswerReceived,
    KeyPressed,
    SuggestionAccepted,
    SuggestionShown,
)
from evaluation.replay.typing_tasks import TypingTask, cut_tasks, read_python_files
from evaluation.replay.typist import Act, Typist, first_line, is_next, is_rest_of_line
from training.foundation.errors import ConfigError, PrerequisiteError

TEXT = (
    'def area(xs, scale={"a": [1]}):\n    total = 0.0\n    for x in xs:\n'
    "        total += scale['a'][0] * (x + 1)\n\n    return total  # \U0001f60b é\n\n\n"
    "print(area([1, 2]))"
)


def act(buffer, typist, key, start):
    if key.act is Act.TYPE:
        typed = buffer.text[start : buffer.cursor]
        return buffer.press(key.text, may_close=typist.closes_in_line(typed, key.text))
    return {Act.NEWLINE: buffer.newline, Act.INDENT: buffer.indent, Act.DELETE: buffer.delete}[
        key.act
    ]()


@pytest.mark.parametrize("seed", range(8))
def test_a_typist_types_the_text_and_its_changes_reproduce_it(seed):
    """If it fails, the replay types another text than it measures."""
    before, behind = "import os\n\n", "\n\nend = 1\n"
    buffer = Buffer(text=before + behind, cursor=len(before))
    typist = Typist(TEXT, str(seed))
    mirror, acts = buffer.text, []
    while (key := typist.next_key(buffer.text[len(before) : buffer.cursor])) is not None:
        acts.append(key.act)
        assert len(acts) < 10 * len(TEXT)
        assert key.pause_s > 0
        if key.act is Act.JUMP:
            continue
        copy = Buffer(text=mirror, cursor=0)
        change = act(buffer, typist, key, len(before))
        start, end = (copy.offset(change["range"][x]) for x in ("start", "end"))
        mirror = mirror[:start] + change["text"] + mirror[end:]
        assert mirror == buffer.text
    assert buffer.text == before + TEXT + behind
    assert buffer.cursor == len(before) + len(TEXT)


def test_the_same_seed_types_the_same():
    def keys(seed):
        typist, typed, found = Typist(TEXT, seed), "", []
        while (key := typist.next_key(typed)) is not None:
            found.append(key)
            if key.act is Act.DELETE:
                typed = typed[:-1]
            elif key.act is not Act.JUMP:
                typed += {Act.NEWLINE: "\n", Act.INDENT: "    "}.get(key.act, key.text)
        return found

    assert keys("a") == keys("a") != keys("b")
    everything = [key for seed in "abcdefgh" for key in keys(seed)]
    assert {key.act for key in everything} == set(Act)
    assert 0 < sum(key.is_read_before for key in everything) < len(everything) / 2


def test_a_typist_accepts_what_it_was_about_to_type():
    typist = Typist("total = sum(xs)\nreturn total\n", "x")
    assert typist.accepted_part("tot", "al = sum(xs)") == "al = sum(xs)"
    assert typist.accepted_part("tot", "al = sum(xs)\nreturn 1") == "al = sum(xs)"  # the first line
    assert typist.accepted_part("tot", "al = sum(x") == "al = sum(x"  # all of it is right
    assert typist.accepted_part("tot", "al = sum(ys)") is None
    assert typist.accepted_part("total = sum(xs)", "\nreturn total") == "\nreturn total"
    assert typist.accepted_part("total = sum(xs", ")") is None  # quicker typed than accepted
    assert typist.accepted_part("tox", "al = sum(xs)") is None  # there is a typo
    assert first_line("\n\n  a\nb") == "\n\n  a"
    assert is_rest_of_line("ab  \nc", "ab")
    assert not is_rest_of_line("abc\n", "ab")


def test_an_editor_closes_brackets_and_types_over_them():
    buffer = Buffer(text="", cursor=0)
    buffer.press("(", may_close=True)
    assert (buffer.text, buffer.cursor) == ("()", 1)
    change = buffer.press(")", may_close=True)
    assert (buffer.text, buffer.cursor, change["text"]) == ("()", 2, ")")
    buffer.press("[", may_close=False)
    assert buffer.text == "()["
    lines = Buffer(text="\U0001f60bx", cursor=1)
    assert lines.position(1) == {"line": 0, "character": 2}
    assert lines.offset({"line": 0, "character": 2}) == 1
    block = Buffer(text="    if x:", cursor=9)
    block.newline()
    assert block.text == "    if x:\n        "
    block.delete()
    assert block.text == "    if x:\n    "


def test_typing_tasks_are_whole_lines_of_valid_files(tmp_path):
    for number in range(4):
        lines = [f"value_{i} = compute({number}, {i})\n" for i in range(60)]
        (tmp_path / f"{number}.py").write_text("".join(lines))
    (tmp_path / "broken.py").write_text("def (\n" * 60)
    (tmp_path / "latin.py").write_bytes(b"x = '\xe9'\n" * 60)
    tasks = cut_tasks(read_python_files(tmp_path), n=9, lines=8, seed=1)
    assert [task.id for task in tasks] == ["0.py", "1.py", "2.py", "3.py"]
    for task in tasks:
        assert task.target.count("\n") == 7
        assert task.prefix.endswith("\n")
        assert task.suffix.startswith("\n")
        whole = task.prefix + task.target + task.suffix
        assert whole == (tmp_path / task.id).read_text()
    assert cut_tasks(read_python_files(tmp_path), n=2, lines=8, seed=1) == tasks[:2]
    with pytest.raises(ConfigError, match="400 lines of Python"):
        cut_tasks(read_python_files(tmp_path), n=1, lines=400, seed=1)
    with pytest.raises(PrerequisiteError, match="correct --files"):
        list(read_python_files(tmp_path / "nowhere"))


@pytest.mark.parametrize(
    ("line", "is_right"),
    [
        ("f(x)", True),
        ("f", True),
        ("f(x) + y", False),
        ("f(x) + yz", True),
        ("g", False),
    ],
)
def test_a_beginning_is_right_up_to_the_end_of_a_word(line, is_right):
    """If it fails, a replay counts half a name as right, or a whole one as wrong."""
    assert is_next("f(x) + yz\nmore", line) is is_right


def session_events():
    """Forty keys, each answered; every tenth answer comes too late, the others are shown."""
    chance = random.Random(0)
    events = []
    for i in range(40):
        now = {"at_s": i / 10, "typed": "x"}
        is_late = i % 10 == 0
        events += [
            KeyPressed(**now, ghost="y" if i % 4 else None, key="type", text="x"),
            AnswerReceived(
                **now,
                ghost=None,
                latency_ms=10 + chance.random(),
                late_ms=3.0 if is_late else None,
                n_items=1,
            ),
        ]
        if not is_late:
            events.append(
                SuggestionShown(
                    **now,
                    ghost="y",
                    text="y",
                    is_new=i % 2 == 0,
                    is_right=i % 3 == 0,
                    is_whole_line=i % 6 == 0,
                    is_on_way=i != 1,
                )
            )
    events.append(
        SuggestionAccepted(at_s=6.0, typed="xy", ghost=None, text="y" * 21, is_whole=True)
    )
    return events


def test_the_slowest_twentieth_is_counted_by_cause():
    """If it fails, whoever makes slow keys faster works at the wrong cause."""
    log = [{"prompt_tokens": 9, "total_ms": float(i)} for i in range(37)]
    causes = ["visible text moved", None, "visible text moved"]
    log += [{"prompt_tokens": 9, "total_ms": 50.0 + i, "reread": c} for i, c in enumerate(causes)]
    log.append({"prompt_tokens": 0, "total_ms": 99.0})
    assert count_tokens(log).slow_causes == {NOT_READ_ANEW: 0.5, "visible text moved": 0.5}
    assert count_tokens([]).slow_causes == {}


def test_metrics_count_what_happened():
    """If it fails, a figure of the replay counts something else than its name says."""
    task = TypingTask(id="a", prefix="", target="x" * 100, suffix="</script><b>")
    record = SessionRecord(task=task, events=session_events(), faults=[STALE_ANSWER, "other"])
    log = [{"prompt_tokens": 100, "reused_tokens": 90, "new_tokens": 5}] * 2
    found = measure_sessions([record], count_tokens(log), cpu_s=3.0)
    assert (found.keys, found.requests, found.answered_in_time) == (40, 40, 36)
    assert found.keys_with_ghost == 0.75
    assert found.suggestions == 16  # new at each even key but every tenth
    assert found.precision_of_suggestions == pytest.approx(5 / 16, abs=1e-4)
    assert found.precision_of_shown == pytest.approx(12 / 35, abs=1e-4)
    assert found.characters_saved == 0.2
    assert (found.tokens_reused, found.new_tokens) == (0.9, 10)
    assert found.cpu_s_per_minute == 30.0
    assert found.stale_answers == 1
    assert 10 < found.latency_ms.p50 < found.latency_ms.p95 <= 11
    assert found.cancellation_ms == Percentiles(p50=3.0, p95=3.0)
    summary = ReplaySummary(seed=0, pace=0, model="m", eagerness="balanced", metrics=found)
    page = draw_page(summary, [record])
    assert "\\u003c/script>\\u003cb>" in page
    assert "<b>" not in page
    assert "curve" not in summary.to_json()


def test_the_95th_percentile_of_few_durations_is_none_that_nothing_took():
    """If it fails, a short replay reports a latency that is twice the longest one."""
    durations_ms = [50.0, 51.0, 52.0, 300.0]
    now = {"at_s": 1.0, "typed": "x", "ghost": None, "late_ms": None, "n_items": 0}
    events = [AnswerReceived(**now, latency_ms=ms) for ms in durations_ms]
    task = TypingTask(id="a", prefix="", target="", suffix="")
    record = SessionRecord(task=task, events=events)
    found = measure_sessions([record], TokenCounts(), cpu_s=None)
    assert found.latency_ms.p50 == 51.5
    assert 52 < found.latency_ms.p95 < 300


def test_a_session_without_events_has_no_metrics_but_a_page():
    """If it fails, a replay in which the server never answered ends in a division by zero."""
    task = TypingTask(id="a", prefix="", target="", suffix="")
    record = SessionRecord(task=task)
    found = measure_sessions([record], TokenCounts(), cpu_s=None)
    assert found.latency_ms is found.keys_with_ghost is found.characters_saved is None
    summary = ReplaySummary(seed=0, pace=1, model="m", eagerness="quiet", metrics=found)
    assert "unknown" in draw_page(summary, [record])
