"""What Python's grammar says about broken text around a cursor."""

import ast
import random
import tokenize
from io import StringIO
from pathlib import Path

import pytest

from server.syntax.grammar_check import GrammarCheck
from server.syntax.open_brackets import NOTHING_OPEN, open_after, statement_at
from server.syntax.unknown_names import unknown_names

FILE = Path(ast.__file__).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("text", "closers", "in_comment"),
    [
        ("f(a, [b", "])", False),
        ("x = 'a", "'", False),
        ("x = 'a\ny", "", False),
        ("x = 'a\\'(", "'", False),
        ("x = r'a\\\\' + (", ")", False),
        ('"""a "b', '"""', False),
        ('"""a\n# (\n', '"""', False),
        ("f(a  # it's", ")", True),
        ("f(a  # it's\n", ")", False),
        ("x)", "", False),
        ("x = 'a\\\nb", "'", False),
    ],
)
def test_open_brackets_and_strings_are_found(text, closers, in_comment):
    found = open_after(text)
    assert (found.closers, found.in_comment) == (closers, in_comment)


def test_a_whole_file_agrees_with_pythons_own_tokens():
    """If it fails, a bracket in a string counts, or one that counts is missed."""
    lines = FILE.split("\n")
    depths, depth = {}, 0
    for token in tokenize.generate_tokens(StringIO(FILE).readline):
        if token.type == tokenize.OP and token.string in "([{":
            depth += 1
        elif token.type == tokenize.OP and token.string in ")]}":
            depth -= 1
        if token.type in {tokenize.NEWLINE, tokenize.NL}:
            depths[token.end[0] if token.end[1] == 0 else token.start[0]] = depth
    offset = 0
    for number, line in enumerate(lines, 1):
        offset += len(line) + 1
        if number in depths and (number < 300 or number % 5 == 0):
            assert len(open_after(FILE[: offset - 1]).brackets) == depths[number], number
    assert open_after(FILE) == NOTHING_OPEN


def test_a_statement_of_a_file_is_found_from_anywhere_in_it():
    """If it fails, the grammar is asked about another function."""
    starts = [node.lineno for node in ast.parse(FILE).body]
    offsets = [0]
    for line in FILE.split("\n"):
        offsets.append(offsets[-1] + len(line) + 1)
    random.seed(1)
    n_found = 0
    for offset in random.sample(range(len(FILE)), 300):
        text = statement_at(FILE[:offset]).text
        begins = [s for s in starts if offsets[s - 1] < offset]
        if begins and not text.startswith("class _:"):
            expected = FILE[offsets[begins[-1] - 1] : offset]
            n_found += text == expected or text.endswith(expected) or expected.endswith(text)
        else:
            n_found += 1
    assert n_found >= 295  # a decorator's line, or comments between two, may go either way


def test_every_prefix_of_a_correct_file_fits():
    """If it fails, correct suggestions are dropped, such as the rest of a real line."""
    random.seed(2)
    lines = FILE.split("\n")
    n_lines = 0
    for number in random.sample(range(20, len(lines) - 1), 200):
        line = lines[number]
        if not line.strip():
            continue
        above = "\n".join(lines[:number]) + "\n"
        below = "\n" + "\n".join(lines[number + 1 :])
        at = random.randrange(len(line))
        n_lines += 1
        check = GrammarCheck(before=above + line[:at], after=below)
        assert check.fits(line[at:]), (number, line[:at], line[at:])
        assert check.missing_closers(line[at:]) == "", (number, line)
        assert GrammarCheck(before=above + line[:at], after=line[at:] + below).fits("")
    assert n_lines > 100


@pytest.mark.parametrize(
    ("prefix", "text", "suffix", "unknown"),
    [
        ("def f(a):\n    return ", "g(a, b=c).d", "", ["g", "c"]),
        ("def f(a):\n    return g", "et(a)", "", ["get"]),
        ("def f(a):\n    return g", "et(a)", "\n\ndef get(): ...", []),
        ("import os\n", "for i in range(3):\n    print(i, os.sep)", "", []),
        ("", "import numpy as np", "", []),
        ("x = ", "[y for y in z]", "", ["z"]),
        ("def ", "f(a, *b, c=d, **e): return a", "", ["d"]),
        ("with open(p) as ", "f:", "", []),
        ("try:\n    pass\nexcept ", "OSError as error:\n    print(error)", "", []),
        ("# a ", "note about nothing", "", []),
        ("x = 'a ", "note about nothing'", "", []),
        ("x = f'{", "y}'", "", ["y"]),
    ],
)
def test_names_that_occur_nowhere_are_found(prefix, text, suffix, unknown):
    """An invented name is the most common mistake of a small model."""
    found = unknown_names(prefix, text, suffix, is_known_elsewhere=lambda _: False)
    assert found == unknown
    assert unknown_names(prefix, text, suffix, is_known_elsewhere=lambda _: True) == []
