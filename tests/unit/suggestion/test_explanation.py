"""Why nothing is shown, in sentences: whatever the code can produce has one, without its names."""

import ast
import re
from pathlib import Path

import pytest

from server.engine.generation_request import Ending
from server.suggestion import explanation
from server.suggestion.confidence import THRESHOLDS, UNSURE
from server.suggestion.explanation import explained, reason_sentence
from server.suggestion.extent import Extent
from server.suggestion.request import CompletionResult
from server.suggestion.rules import RULES
from server.worker.service import _stage

SERVER = Path(__file__).parents[3] / "server"
RULE_NAMES = list(dict.fromkeys(rule.__name__ for rule in RULES))
CONSTANTS = ("SUPERSEDED", "NO_MODEL", "ATTRIBUTED", "PRIVATE", "ON_BATTERY", "NOT_OPEN", "OUTSIDE")
REASONS = [*Ending, UNSURE, *(getattr(explanation, name) for name in CONSTANTS)]
STAGES = ("shown", "typed through", "model", "rules", "confidence", "cancelled", "withheld")
SOURCE = {"package": "requests", "path": "api.py", "licence": "MIT", "n_tokens": 60}
MOST_CHARS = 80  # fits a line of a terminal


def event(stage, **others):
    return {
        "stage": stage,
        "reason": None,
        "rules": [],
        "extent": "line",
        "confidence": 0.2,
        "needed_confidence": 0.4,
        "eagerness": "balanced",
        "source": None,
        **others,
    }


def is_readable(sentence):
    return (
        re.fullmatch(r"[A-Z][^_]*\.", sentence)
        and len(sentence) <= MOST_CHARS
        and sentence not in RULE_NAMES
        and not re.search(r"\b0 ?%|\d %", sentence)
    )


@pytest.mark.parametrize("rule", RULE_NAMES)
def test_every_rule_has_a_sentence_for_what_it_drops_and_for_what_it_changes(rule):
    """If it fails, a person reads "rules: end_of_scope, loop", or asking why fails."""
    dropped = explained(event("rules", reason=rule, rules=[*RULE_NAMES[:2], rule]))
    assert is_readable(dropped["summary"])
    assert dropped["summary"].startswith("Discarded: ")
    changed = explained(event("shown", rules=[rule, rule]))
    assert len(changed["adjustments"]) == 1
    assert all(map(is_readable, [*dropped["adjustments"], *changed["adjustments"]]))


def test_there_is_no_sentence_of_a_rule_that_is_no_more():
    assert set(explanation.RULES) == set(RULE_NAMES)


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("reason", [None, *REASONS])
def test_every_reason_and_stage_has_a_sentence(stage, reason):
    for extent in Extent:
        for confidence in (0.0, 0.0001, 0.0099, 0.3999):
            found = explained(
                event(stage, reason=reason, extent=str(extent), confidence=confidence)
            )
            assert is_readable(found["summary"]), found
            assert found["adjustments"] == []
            assert found["attribution"] is None
    assert is_readable(reason_sentence(reason))


def test_stages_are_those_of_the_service():
    """If it fails, a stage that the service knows has no sentence."""
    results = [
        CompletionResult(text="a"),
        CompletionResult(text="a", is_rest=True),
        CompletionResult(reason=UNSURE),
        CompletionResult(reason="loop", rules=("loop",)),
        CompletionResult(reason=Ending.END_OF_TEXT),
    ]
    found = [_stage(result, is_stopped=stop) for result in results for stop in (False, True)]
    assert {*found, explanation.WITHHELD} == set(STAGES)


def test_every_reason_that_the_code_gives_is_one_of_these():
    """If it fails, a new reason was written by hand and reaches people as it is."""
    allowed = {*CONSTANTS, "UNSURE", "reason"}  # a variable: of a failure, or checked elsewhere
    n_found = 0
    for path in SERVER.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            name = getattr(node, "func", None)
            if getattr(name, "id", "") not in {"CompletionResult", "replace"}:
                continue
            for keyword in node.keywords:
                if keyword.arg == "reason":
                    n_found += 1
                    assert isinstance(keyword.value, ast.Name), ast.unparse(node)
                    assert keyword.value.id in allowed, ast.unparse(node)
    assert n_found >= 6


def test_confidence_is_told_with_what_was_needed():
    for eagerness, needed in THRESHOLDS.items():
        if needed:
            sure = event(
                "confidence",
                reason=UNSURE,
                confidence=needed - 1e-6,
                needed_confidence=needed,
                eagerness=eagerness,
            )
            told = explained(sure)["summary"]
            numbers = [int(number) for number in re.findall(r"(\d+)%", told)]
            assert numbers == [round(100 * needed) - 1, round(100 * needed)]
            assert eagerness in told


def test_a_failure_keeps_its_own_sentence():
    told = explained(event("failed", reason="the server http://a answered with status 503"))
    assert told["summary"] == "Failed: the server http://a answered with status 503."


def test_whose_text_it_repeats_is_a_sentence():
    marked = explained(event("shown", source=SOURCE))
    assert is_readable(marked["attribution"])
    blocked = explained(
        event("rules", reason=explanation.ATTRIBUTED, rules=["loop"], source=SOURCE)
    )
    assert is_readable(blocked["summary"])
    assert len(blocked["adjustments"]) == 1  # that rule left something
    for word in ("api.py", "requests", "MIT", "60"):
        assert word in marked["attribution"]
        assert word in blocked["summary"]
