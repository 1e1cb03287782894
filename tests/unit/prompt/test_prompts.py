"""The window and its prompt, as text and as ids."""

import argparse
import random
from pathlib import Path

import pytest

from server.prompt.layout import PromptBuilder
from server.prompt.window import Budget, Window, window_at
from training.artifact.directory import load_artifact

REAL_FILES = (Path(argparse.__file__), Path(random.__file__))
BUDGET = Budget(prefix_tokens=200, suffix_tokens=60, step_lines=16)


@pytest.fixture(scope="module")
def artifact(tiny_artifact):
    return load_artifact(tiny_artifact)


@pytest.fixture
def prompts(artifact):
    return PromptBuilder(artifact, heal_tokens=6)


def words(text):
    return len(text.split()) + 1


def test_a_window_is_whole_lines_within_the_budget():
    """Training never shows the model half a line at the top."""
    text = REAL_FILES[0].read_text(encoding="utf-8")
    for offset in range(0, len(text), 997):
        window = window_at(text, offset, BUDGET, words)
        start = offset - len(window.prefix)
        assert text[start:offset] == window.prefix
        assert start == 0 or text[start - 1] == "\n"
        assert text[offset:].startswith(window.suffix)
        assert window.suffix.endswith("\n") or offset + len(window.suffix) == len(text)
        lines = window.prefix.split("\n")
        assert sum(map(words, lines[:-1])) <= BUDGET.prefix_tokens
        assert sum(map(words, window.suffix.split("\n")[1:-1])) <= BUDGET.suffix_tokens
        assert start == 0 or sum(map(words, lines)) > BUDGET.prefix_tokens / 4


def test_the_window_stays_put_while_typing_a_line_and_moves_in_steps():
    """Each move of the window's start recomputes the whole prompt: a stutter for the user."""
    text = REAL_FILES[0].read_text(encoding="utf-8")
    starts = {}
    for offset in range(text.index("class "), text.index("class ") + 12_000):
        start = offset - len(window_at(text[:offset], offset, BUDGET, words).prefix)
        starts.setdefault(text.count("\n", 0, offset), set()).add(start)
    assert all(len(of_a_line) == 1 for of_a_line in starts.values())
    moves = len({start for of_a_line in starts.values() for start in of_a_line})
    assert moves < len(starts) / 6


@pytest.mark.parametrize("text", ["", "\n", "x", "a" * 100_000, "\n" * 5000, "é😋\x00\x0c\n" * 900])
def test_any_text_has_a_window_at_any_place(text):
    """Hostile files must cost neither an error nor seconds."""
    for offset in {0, len(text) // 3, len(text) - 1, len(text)}:
        if offset < 0:
            continue
        window = window_at(text, offset, BUDGET, words)
        assert text[:offset].endswith(window.prefix)
        assert text[offset:].startswith(window.suffix)
        assert len(window.prefix) + len(window.suffix) < 100_000 / 4


def halves(text):
    """As a tokenizer counts what it has never seen: two characters a token."""
    return -(-len(text) // 2)


LONG_LINES = [
    "KEY = 1\nDATA = '" + "iVBORw0K" * 1000 + "'\nx = 1\n",
    "x = 1\n" * 200 + "a" * 300 + "\n" + "y = 1\n" * 90,
    "\U0001f600" * 3000,
]


@pytest.mark.parametrize("text", LONG_LINES)
@pytest.mark.parametrize("budget_tokens", [(200, 60), (7, 1), (512, 160)])
def test_a_long_line_keeps_to_the_budget(text, budget_tokens):
    """If it fails, a line of data overflows a remote model's context, which refuses the request."""
    budget = Budget(prefix_tokens=budget_tokens[0], suffix_tokens=budget_tokens[1], step_lines=16)
    for offset in range(0, len(text) + 1, 97):
        window = window_at(text, offset, budget, halves)
        assert text[:offset].endswith(window.prefix)
        assert text[offset:].startswith(window.suffix)
        assert halves(window.prefix) <= budget.prefix_tokens
        assert halves(window.suffix) <= budget.suffix_tokens
        before, after = text[:offset].rpartition("\n")[2], text[offset:].partition("\n")[0]
        assert 4 * halves(window.prefix) >= min(halves(before), budget.prefix_tokens)
        assert 4 * halves(window.suffix) >= min(halves(after), budget.suffix_tokens - 1)


def test_the_window_stays_put_while_a_long_line_is_typed():
    """If it fails, each key in a long line has the whole prompt read again."""
    line = "x = 1\n" * 50 + "DATA = '" + "iVBORw0K" * 500
    starts = [
        offset - len(window_at(line[:offset], offset, BUDGET, halves).prefix)
        for offset in range(300, len(line))
    ]
    assert len(set(starts)) < len(starts) / 50


def test_budgets_shrink_together():
    """A model with a short context must get both sides, not one only."""
    budget = Budget.within(200, prefix_tokens=300, suffix_tokens=100, step_lines=16)
    assert (budget.prefix_tokens, budget.suffix_tokens) == (150, 50)
    whole = Budget.within(9999, prefix_tokens=30, suffix_tokens=20, step_lines=16)
    assert (whole.prefix_tokens, whole.suffix_tokens) == (30, 20)


def test_encoding_by_lines_equals_encoding_whole(artifact, prompts):
    """Training encodes whole texts; other ids at serving time make a good model bad."""
    hostile = [
        "a\n\n\n  b",
        "x \n y",
        "é\n\u00a0\n",
        "'s\n't",
        "\x1c\n\x85x\n",
        "1\n2\r\n3",
        "\t\n \t x",
    ]
    texts = [path.read_text(encoding="utf-8") for path in REAL_FILES] + hostile
    for text in texts:
        assert prompts.encode(text) == artifact.tokenizer.encode(text)


def test_the_prompt_has_the_layout_of_training(artifact, prompts):
    """The costliest silent bug: a layout that differs from training's by one token."""
    tokenizer, fim = artifact.tokenizer, artifact.fim
    window = Window(prefix="x = foo(", suffix=")\ny = 1\n")
    prompt = prompts.build(window, max_tokens=200)
    whole = prompt.ids + tokenizer.encode(prompt.required_bytes.decode())
    spm = fim.spm_prompt(tokenizer.encode(window.prefix), tokenizer.encode(window.suffix))
    assert whole == spm
    prompt = prompts.build(Window(prefix="x = foo(", suffix=" \n"), max_tokens=200)
    whole = prompt.ids + tokenizer.encode(prompt.required_bytes.decode())
    assert whole == fim.left_to_right_prompt(tokenizer.encode("x = foo("))


@pytest.mark.parametrize(
    ("prefix", "required"),
    [
        ("", ""),
        ("return self.rad", "rad"),
        ("x = ", " "),
        ("def f():\n    ", "\n    "),
        ("def f():\n\n\n        ", "\n\n\n        "),
        ("foo(bar", "bar"),
        ("foo(", "("),
        ("x = 12", " 12"),
        ("a.b", "b"),
    ],
)
def test_what_the_next_key_could_change_is_healed(prompts, prefix, required):
    """A token that training would have joined with the next characters misleads the model."""
    prompt = prompts.build(Window(prefix=prefix, suffix=""), max_tokens=100)
    assert prompt.required_bytes.decode() == required


def test_healing_removes_a_few_tokens_only(artifact):
    """The model must not generate a very long word all over again."""
    prompts = PromptBuilder(artifact, heal_tokens=3)
    prompt = prompts.build(Window(prefix="x" * 500, suffix=""), max_tokens=900)
    ids = artifact.tokenizer.encode("x" * 500)
    assert len(ids) > 3
    assert prompt.ids[1:] == ids[:-3]
    assert prompt.required_bytes == artifact.tokenizer.decode_bytes(ids[-3:])


def test_no_prompt_is_longer_than_asked(prompts):
    """Text of rare characters has many tokens; the model's context must not overflow."""
    window = Window(prefix="😋é\u4e2d" * 300, suffix="\u4e2d" * 300)
    for max_tokens in (20, 64, 300):
        assert len(prompts.build(window, max_tokens=max_tokens).ids) <= max_tokens
