"""Why nothing is shown, in sentences: whatever the code can produce has one, without its names."""

import ast
import dataclasses
import json
import re
from pathlib import Path

import pytest

from server.engine.generation_request import FinishReason, TokenUsage
from server.suggestion import explanation
from server.suggestion.confidence import THRESHOLDS, UNSURE
from server.suggestion.event import CompletionEvent, Stage
from server.suggestion.explanation import Explanation, reason_sentence
from server.suggestion.extent import Extent
from server.suggestion.result import CompletionResult, Suggestion
from server.suggestion.rules.order import RULES
from training.artifact.code_reference import CodeReference

SERVER = Path(__file__).parents[3] / "server"
RULE_NAMES = list(dict.fromkeys(rule.__name__ for rule in RULES))
CONSTANTS = (
    *("SUPERSEDED", "NO_MODEL", "ATTRIBUTED", "PRIVATE", "ON_BATTERY", "NOT_OPEN", "UNKNOWN_TEXT"),
    *("STALE", "ELSEWHERE", "LOADING", "COMPUTING"),
)
REASONS = [*FinishReason, UNSURE, *(getattr(explanation, name) for name in CONSTANTS)]
SOURCE = CodeReference(package="requests", path="api.py", licence="MIT", n_tokens=60)
MAX_CHARS = 80  # fits a line of a terminal


def explain(stage, *, confidence=0.2, **others):
    """Returns the explanation of an event with these values."""
    result = CompletionResult(suggestion=Suggestion(confidence=confidence), total_ms=12.3)
    event = CompletionEvent.of(
        Stage(stage), result, request=1, eagerness="balanced", needed_confidence=0.4
    )
    return Explanation.of(dataclasses.replace(event, **others))


def is_readable(sentence):
    return (
        re.fullmatch(r"[A-Z][^_]*\.", sentence)
        and len(sentence) <= MAX_CHARS
        and sentence not in RULE_NAMES
        and not re.search(r"\b0 ?%|\d %", sentence)
    )


@pytest.mark.parametrize("rule", RULE_NAMES)
def test_every_rule_has_a_sentence_for_what_it_drops_and_for_what_it_changes(rule):
    """If it fails, a person reads "rules: end_of_scope, loop", or asking why fails."""
    dropped = explain("rules", reason=rule, rules=(*RULE_NAMES[:2], rule))
    assert is_readable(dropped.summary)
    assert dropped.summary.startswith("Discarded: ")
    changed = explain("shown", rules=(rule, rule))
    assert len(changed.adjustments) == 1
    assert all(map(is_readable, [*dropped.adjustments, *changed.adjustments]))


def test_there_is_no_sentence_for_a_rule_that_does_not_exist():
    assert set(explanation.RULES) == set(RULE_NAMES)


@pytest.mark.parametrize("stage", [stage for stage in Stage if stage is not Stage.FAILED])
@pytest.mark.parametrize("reason", [None, *REASONS])
def test_every_reason_and_stage_has_a_sentence(stage, reason):
    for extent in Extent:
        for confidence in (0.0, 0.0001, 0.0099, 0.3999):
            found = explain(stage, reason=reason, extent=extent, confidence=confidence)
            assert is_readable(found.summary), found
            assert found.adjustments == ()
            assert found.attribution is None
    assert is_readable(reason_sentence(reason))


def test_the_worker_ends_requests_at_stages_that_fit_their_results():
    """If it fails, a request that was cancelled is explained as one that was shown."""
    results = {
        Stage.SHOWN: CompletionResult(suggestion=Suggestion(text="a")),
        Stage.TYPED_THROUGH: CompletionResult(suggestion=Suggestion(text="a"), is_rest=True),
        Stage.CONFIDENCE: CompletionResult(reason=UNSURE),
        Stage.RULES: CompletionResult(suggestion=Suggestion(rules=("loop",)), reason="loop"),
        Stage.MODEL: CompletionResult(reason=FinishReason.END_OF_TEXT),
    }
    for stage, result in results.items():
        assert Stage.of(result, is_cancelled=False) is stage
        assert Stage.of(result, is_cancelled=True) is Stage.CANCELLED


def test_every_reason_that_the_code_gives_has_a_sentence():
    """If it fails, a new reason was written by hand and reaches people as it is."""
    allowed = {*CONSTANTS, "UNSURE", "reason"}  # a variable: of a failure, or checked elsewhere
    n_found = 0
    for path in SERVER.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            if getattr(node.func, "id", "") not in {"CompletionResult", "replace"}:
                continue
            for keyword in node.keywords:
                if keyword.arg == "reason":
                    n_found += 1
                    assert isinstance(keyword.value, ast.Name), ast.unparse(node)
                    assert keyword.value.id in allowed, ast.unparse(node)
    assert n_found >= 6


def test_confidence_is_reported_as_less_than_what_was_needed():
    """If it fails, a person reads "40% sure, 40% needed"."""
    for eagerness, needed in THRESHOLDS.items():
        if needed:
            summary = explain(
                "confidence",
                reason=UNSURE,
                confidence=needed - 1e-6,
                needed_confidence=needed,
                eagerness=eagerness,
            ).summary
            numbers = [int(number) for number in re.findall(r"(\d+)%", summary)]
            assert numbers == [round(100 * needed) - 1, round(100 * needed)]
            assert eagerness in summary


def test_a_failure_keeps_its_own_sentence():
    failed = explain("failed", reason="the server http://a answered with status 503")
    assert failed.summary == "Failed: the server http://a answered with status 503."


def test_whose_text_it_repeats_is_a_sentence():
    marked = explain("shown", source=SOURCE)
    assert is_readable(marked.attribution)
    blocked = explain("rules", reason=explanation.ATTRIBUTED, rules=("loop",), source=SOURCE)
    assert is_readable(blocked.summary)
    assert len(blocked.adjustments) == 1  # that rule left something
    for word in ("api.py", "requests", "MIT", "60"):
        assert word in marked.attribution
        assert word in blocked.summary


def test_the_report_has_a_row_for_everything_that_is_known():
    """If it fails, both editors show an empty row, or none for what they have room for."""
    full = explain(
        "shown",
        rules=("loop",),
        source=SOURCE,
        prompt_tokens=100,
        reused_tokens=90,
        new_tokens=1,
    )
    assert [label for label, _ in full.report] == [
        "Result",
        "Adjustments",
        "Source",
        "Duration",
        "Confidence",
        "Length",
        "Prompt",
        "Generated",
    ]
    rows = dict(full.report)
    assert rows["Result"] == full.summary
    assert rows["Duration"] == "12 ms"
    assert rows["Confidence"] == "20%"
    assert rows["Prompt"] == "100 tokens, 90 of them from the cache"
    assert rows["Generated"] == "1 token"
    bare = dict(explain("withheld", reason=explanation.PRIVATE, confidence=0.0).report)
    assert not {"Adjustments", "Source", "Confidence"} & set(bare)


def test_the_log_and_the_editors_get_the_keys_that_they_always_had():
    """If it fails, replays and editors of another version find nothing."""
    result = CompletionResult(
        suggestion=Suggestion(text="a", rules=("loop",), source=SOURCE),
        usage=TokenUsage(first_token_ms=1.234),
    )
    event = CompletionEvent.of(
        Stage.SHOWN, result, request=3, eagerness="quiet", needed_confidence=0.7
    )
    written = json.loads(json.dumps(event.to_json()))
    assert list(written) == [
        "time",
        "request",
        "stage",
        "reason",
        "rules",
        "extent",
        "prompt_tokens",
        "reused_tokens",
        "computed_tokens",
        "new_tokens",
        "reread",
        "log_prob",
        "confidence",
        "needed_confidence",
        "eagerness",
        "source",
        "known_from",
        "first_token_ms",
        "total_ms",
    ]
    assert written["stage"] == "shown"
    assert written["extent"] == "line"
    assert written["source"]["licence"] == "MIT"
    assert written["first_token_ms"] == 1.23
    assert "text" not in written


def test_a_file_of_the_workspace_is_named_to_the_user_and_not_in_the_log():
    """If it fails, nobody learns where a line comes from, or a bug report tells file names."""
    suggestion = Suggestion(text="a", known_from="/w/src/registry.py")
    event = CompletionEvent.of(
        Stage.SHOWN,
        CompletionResult(suggestion=suggestion),
        request=1,
        eagerness="balanced",
        needed_confidence=0.4,
    )
    rows = dict(Explanation.of(event).report)
    assert rows["Workspace"] == "Follows code in /w/src/registry.py."
    assert event.to_json()["known_from"] == "/w/src/registry.py"
    assert event.to_log()["known_from"] is True
    assert "registry" not in json.dumps(event.to_log())
    assert "Workspace" not in dict(explain("shown").report)
