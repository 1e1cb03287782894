"""From generated text to what is shown: rules, confidence, alternatives, attribution."""

from dataclasses import replace
from math import log

import pytest

from server.engine.generation_request import (
    FinishReason,
    GeneratedSequence,
    GenerationResult,
    TokenUsage,
)
from server.prompt.window import Window, stable_suffix
from server.suggestion.confidence import UNKNOWN_NAME_FACTOR, UNSURE, needed_for_part
from server.suggestion.confident_part import list_confident_parts
from server.suggestion.cursor_context import CursorContext
from server.suggestion.explanation import CONFIDENT_PART
from server.suggestion.extent import Extent, scope_at
from server.suggestion.postprocessing import (
    add_alternatives,
    attribute,
    build_result,
    decode,
    to_suggestion,
)
from server.suggestion.result import CompletionResult, Suggestion
from training.artifact.code_reference import CodeReference

SOURCE = CodeReference(package="p", path="p/a.py", licence="MIT", n_tokens=60)


def cursor_at(before, after="", **values):
    scope = scope_at(before, after, max_block_lines=9, max_function_lines=9)
    window = Window(prefix=before, suffix=after)
    return CursorContext(before=before, after=after, window=window, scope=scope, **values)


def sequence(text, probability=0.5, finish_reason=FinishReason.COMPLETE):
    data = text.encode()
    return GeneratedSequence(
        text=data, ends=[len(data)], log_probs=[log(probability)], finish_reason=finish_reason
    )


def build(one, cursor, needed_confidence=0.0):
    generated = GenerationResult(sequences=[one], usage=TokenUsage(new_tokens=7))
    return build_result(
        generated, cursor, calibration=None, needed_confidence=needed_confidence, started=0.0
    )


def test_what_is_shown_carries_its_confidence_and_its_cost():
    result = build(sequence("1\n"), cursor_at("x = "))
    assert result.suggestion.text == "1"
    assert result.suggestion.confidence == pytest.approx(0.5)
    assert (result.reason, result.extent, result.usage.new_tokens) == (None, Extent.LINE, 7)


@pytest.mark.parametrize("finish_reason", [FinishReason.CANCELLED, FinishReason.LOW_CONFIDENCE])
def test_a_sequence_that_was_given_up_is_never_shown(finish_reason):
    """If it fails, half a line appears for a request that the editor has cancelled."""
    result = build(sequence("1", finish_reason=finish_reason), cursor_at("x = "))
    assert (result.suggestion.text, result.reason) == ("", finish_reason)


def test_the_reason_is_the_rule_that_left_nothing():
    """If it fails, "Why is nothing shown?" blames the model for what a rule did."""
    result = build(sequence("   \n"), cursor_at("x = "))
    assert (result.suggestion.text, result.reason) == ("", "trailing_space")


def test_names_that_occur_nowhere_cost_confidence():
    """If it fails, invented functions are shown as confidently as real ones."""
    known = build(sequence("f(a)\n"), cursor_at("def f(a):\n    return "))
    unknown = build(sequence("g(b)\n"), cursor_at("def f(a):\n    return "))
    assert (known.n_unknown_names, unknown.n_unknown_names) == (0, 2)
    expected = known.suggestion.confidence * UNKNOWN_NAME_FACTOR**2
    assert unknown.suggestion.confidence == pytest.approx(expected)
    elsewhere = cursor_at("def f(a):\n    return ", is_known_elsewhere={"g", "b"}.__contains__)
    assert build(sequence("g(b)\n"), elsewhere).n_unknown_names == 0
    held_back = build(sequence("g(b)\n"), cursor_at("def f(a):\n    return "), 0.4)
    assert (held_back.suggestion.text, held_back.reason) == ("", UNSURE)
    assert held_back.suggestion.confidence == pytest.approx(expected)  # for the explanation


def test_alternatives_differ_and_the_most_frequent_comes_first():
    """If it fails, the user cycles through copies of the same suggestion."""
    best = CompletionResult(suggestion=Suggestion(text="a"))
    drawn = [Suggestion(text=text) for text in ("b", "a", "c", "", "c", "d")]
    drawn += [Suggestion(text="c", covered=1)]

    def add(suggestions, n_wanted, attribute_one=lambda suggestion: suggestion):
        return add_alternatives(best, suggestions, n_wanted, attribute_one).alternatives

    assert [s.text for s in add(drawn, 3)] == ["c", "b"]
    assert [(s.text, s.covered) for s in add(drawn, 9)] == [("c", 0), ("b", 0), ("d", 0), ("c", 1)]
    assert add([Suggestion(text="a")], 3) == ()
    without_b = lambda s: replace(s, text=s.text.replace("b", ""))  # noqa: E731 - shorter
    assert [s.text for s in add(drawn, 3, without_b)] == ["c", "d"]


def test_a_repeated_document_is_named_or_its_text_dropped():
    """If it fails, the setting says one thing and the editor shows another."""
    suggestion = Suggestion(text="a", confidence=0.5)
    assert attribute(suggestion, None, is_blocked=True) is suggestion
    assert attribute(suggestion, SOURCE, is_blocked=False) == replace(suggestion, source=SOURCE)
    blocked = attribute(suggestion, SOURCE, is_blocked=True)
    assert (blocked.text, blocked.source) == ("", SOURCE)  # which the explanation names


def test_a_character_that_is_cut_off_is_left_out():
    """If it fails, ghost text ends in a replacement character while a token is missing."""
    whole = "é😋".encode()
    assert [decode(whole[:n]) for n in range(len(whole) + 1)] == [
        *("", "", "é", "é", "é", "é"),
        "é😋",
    ]
    cut_off = sequence("f(x)", finish_reason=FinishReason.MAX_TOKENS)
    cut_off.text += "😋".encode()[:2]
    assert to_suggestion(cut_off, cursor_at("y = ")).text == "f(x)"


def tokens(*parts, finish_reason=FinishReason.LOW_CONFIDENCE):
    """A sequence of texts and their probabilities."""
    found = GeneratedSequence(finish_reason=finish_reason)
    for text, probability in parts:
        found.ids.append(7)
        found.text += text.encode()
        found.ends.append(len(found.text))
        found.log_probs.append(log(probability))
    return found


@pytest.mark.parametrize(
    ("parts", "shown"),
    [
        ([("registry", 0.98), (".", 0.98), ("find", 0.95), ("(", 0.1)], "registry.find"),
        ([("registry", 0.98), (".", 0.98), ("fi", 0.95), ("nd", 0.1)], "registry"),  # a whole name
        ([("registry", 0.98), (".", 0.98), ("find", 0.5), ("(", 0.1)], "registry"),
        ([("registry", 0.98), (" * 1", 0.98), (".", 0.1), ("5", 0.1)], "registry"),
        ([("registry", 0.98), ("(", 0.98), ("name", 0.98), (",", 0.1)], "registry"),  # not open
        ([("registry", 0.7), (".", 0.1)], ""),  # not likely enough for a part
        ([("reg", 0.98), (".", 0.1)], ""),  # as quickly typed
        ([("unheard", 0.98), (".", 0.1)], ""),  # occurs nowhere else
        ([("registry", 0.98)], ""),  # may go on
    ],
)
def test_of_an_unlikely_line_the_likely_part_is_shown(parts, shown):
    """If it fails, either nothing or a guess is shown where half of the line is certain."""
    cursor = cursor_at(
        "def f(registry, reg, find, name):\n    x = ", "\n    return x\n", may_be_trivial=False
    )
    result = build(tokens(*parts), cursor, needed_confidence=0.4)
    assert result.suggestion.text == shown
    assert result.reason == (None if shown else UNSURE)
    if shown:
        assert result.suggestion.rules[-1] == CONFIDENT_PART
        assert result.suggestion.confidence > needed_for_part(0.4)


def test_a_part_ends_with_the_first_line():
    sure = [("\n", 0.99), ("registry", 0.99), ("\n", 0.99), ("x", 0.99), (" ", 0.2)]
    found = [part.text for part in list_confident_parts(tokens(*sure), lambda x: x > log(0.5))]
    assert found == [b"\nregistry"]


@pytest.mark.parametrize("tail", ["", ")", " + 1"])
def test_what_the_window_leaves_out_is_known_and_stays_the_same(tail):
    """If it fails, each key in a long file costs indexing all of it."""
    before, after = "a\nb\nx = f(", f"{tail}\nc\nd\n"
    window = Window(prefix="x = f(", suffix=stable_suffix(f"{tail}\nc\n"))
    scope = scope_at(before, after, max_block_lines=9, max_function_lines=9)
    cursor = CursorContext(before=before, after=after, window=window, scope=scope)
    assert cursor.unseen == ("a\nb\n", "d\n")
