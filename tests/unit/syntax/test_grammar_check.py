"""What Python's grammar says about broken text around a cursor."""

import ast
import os
import random
import textwrap
import tokenize
from io import StringIO
from pathlib import Path

import pytest

from server.syntax.grammar_check import GrammarCheck
from server.syntax.open_brackets import NOTHING_OPEN, open_after, statement_at
from server.syntax.python_parser import parses
from server.syntax.unknown_names import unknown_names

FILE = Path(ast.__file__).read_text(encoding="utf-8")
SHORT_FILE = Path(textwrap.__file__).read_text(encoding="utf-8")


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


@pytest.mark.parametrize("line", ["def f(a):", "class A:", "import x", "@x", "from a import b"])
@pytest.mark.parametrize("filler", ["", "    x = 1\n" * 1500], ids=["short", "long"])
def test_a_statement_does_not_begin_within_a_string(line, filler):
    """If it fails, suggestions below a test's source text break the code around them."""
    template = f'TEXT = """\n{line}\n    pass\n"""\n'
    above = f"def g():\n{filler}    return 1\n\n\n{template}"
    for before, expected in (
        (above + "y = (", "y = ("),
        (above + "y = (\n    ", "y = (\n    "),
        (above[: above.rindex('"""')], template[: template.rindex('"""')]),  # still in the string
    ):
        statement = statement_at(before)
        assert statement.text == expected
    assert statement.before.quote == '"""'


def test_a_method_does_not_begin_within_a_string():
    """If it fails, the rest of a long class is judged as if it were text."""
    method = '    def f(self):\n        """Do."""\n' + "        x = 1\n" * 40
    mark = 'MARK = \'"""\'\n'  # one that begins no string
    text = (
        mark
        + "class A:\n"
        + method * 20
        + '    TEXT = """\n    def f(\n    """\n\n    def g(self):\n'
    )
    statement = statement_at(text + "        y = (")
    assert statement.text.startswith("class _:\n    def f(self):\n")
    assert statement.before == NOTHING_OPEN
    in_string = 'class A:\n    TEXT = """\n' + "    def f(self):\n        x = 1\n" * 400
    statement = statement_at(in_string + '    """\n    y = (')
    assert statement.text == "    y = ("


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
        ("match x:\n    case ", "[first, *rest]:\n        return f(rest)", "", ["f"]),
        ("match x:\n    case ", '{"a": a, **more}:\n        return more', "", []),
        ("match x:\n    case ", "str(real=r) as name if y:\n        return r, name", "", ["y"]),
        ("def f", "[T: (A, str), *Ts, **P](x: T) -> U:\n    return x", "", ["A", "U"]),
        ("class A", "[T](B):", "", ["B"]),
        ("type ", "Pairs[T] = list[tuple[T, V]]", "", ["V"]),
        ("with p as q, r as ", "s:", "", []),
        ("with ", "p as q:", "", ["p"]),
    ],
)
def test_names_that_occur_nowhere_are_found(prefix, text, suffix, unknown):
    """An invented name is the most common mistake of a small model."""
    found = unknown_names(prefix, text, suffix, is_known_elsewhere=lambda _: False)
    assert found == unknown
    assert unknown_names(prefix, text, suffix, is_known_elsewhere=lambda _: True) == []


def check_at(marked):
    before, _, after = marked.partition("|")
    return GrammarCheck(before=before, after=after)


FITTING = [
    ("x = [\n    |\n    2,\n]\n", "1,"),
    ("foo(\n    a=1,\n    b=|\n\ndef g(): pass\n", "2,"),  # the author's bracket
    ("def f(a):\n    return foo(a, |\n\ndef g(): pass\n", "b,"),
    ('def f():\n    """Do |\n\ndef g():\n    """Doc."""\n', "the thing."),
    ("if x:\n    pass\nel|\n", "if y:"),
    ("x = 1\n|\n", "for y in x:"),
    ("x = 1\n|\n", "try:"),
    ("def f():\n    |\n\nx = 1\n", "try:\n        x = 1"),
    ("def f():|\n", "\n    try:\n        if x:\n            try:"),
    ("class A:\n    |\n    x = 1\n", "@property"),
    ("def f():\n    try:\n        x = |\n\ndef g(): pass\n", "1"),
    ("x = ) 1\ny = = |", "2 2"),  # nothing can be said after broken code
    ("x = ) 1\n\n\ndef f():\n    y = |\n\n\nz = (1\n", "2"),
    ("def f(|)\n", "a, b"),
    ('x = f"{a["b"]} {c|}"\n', "d"),
    ("@|\n", "cache"),
    ("@pytest.mark.par|\n    'a', [1]\n)\ndef f(a): pass\n", "ametrize("),
    ("x = f(|\n    b,\n)\n", "a,"),
    ("# it's |\n", "never a call ("),
    ("    x = 1\n    |\n", "y = 2"),
]
UNFITTING = [
    ("x = f(|)\n", "a, b))"),
    ("x = [\n    |\n    2,\n]\n", "f(1)"),
    ("x = 1\n|\n", "y = foo("),
    ("class A:|\n\n\ndef f():\n    pass\n", '\n    """Doc'),
    ('class A:|\n\n\ndef f():\n    """Doc."""\n', '\n    """Doc'),
    ("def f():\n    return 1\n    |\n", "    x = 2"),
    ("def f():\n    x = 1|\n    return x\n", "\n      y = 2"),
    ('print(f"{m|}")\n', 'sg}")'),
    ('print(f"{m|}")\n', "sg} {"),
    ("f(a=1, |)\n", "b"),
    ("x = ) 1\n\n\ndef f():\n    y = |\n    return y\n", "foo("),
    ('"""A text|\n\nthat goes on.\n"""\nx = 1\n', 'ends."""'),
    ("x = |y + 1\n", "foo bar("),
    ("def f():\n    |\n    x = 1\n", "    y = 2"),
]


@pytest.mark.parametrize(("marked", "text"), FITTING)
def test_what_the_author_could_write_fits(marked, text):
    """If it fails, good suggestions are dropped in code that is incomplete or broken."""
    assert check_at(marked).fits(text)


@pytest.mark.parametrize(("marked", "text"), UNFITTING)
def test_what_breaks_the_code_around_it_does_not_fit(marked, text):
    """If it fails, accepting a suggestion makes a file red that was not."""
    assert not check_at(marked).fits(text)


@pytest.mark.parametrize(
    ("marked", "text", "covered", "is_whole", "repaired"),
    [
        ('print(f"{m|}", x)\n', 'sg}")', 0, True, ("sg", 0)),
        ("df = pd.|\n", "DataFrame(", 0, True, ("DataFrame()", 0)),
        ("|\n", "names = [", 0, True, ("names = []", 0)),
        ("class A:|\n", '\n    """Doc', 0, True, ('\n    """Doc\n    """', 0)),
        ("x = [\n    |\n    2,\n]\n", "f(1", 0, True, ("f(1),", 0)),
        ("def f():\n    return 1\n    |\n", "     x = 2", 0, True, ("x = 2", 0)),
        ("x = f(|)\n", "a)", 0, True, ("a)", 1)),
        ("x = |\n", "f(\n    a,\n    b", 0, False, ("f(\n    a,\n)", 0)),
        ("x = |\n", "f(a) + g(b) + ", 0, False, ("f(a) + g(b)", 0)),
        ("x = |\n", "return return", 0, True, ("", 0)),
        ('x = g("|")\n', 'a", "b', 1, True, ('a", "b', 0)),
    ],
)
def test_what_does_not_fit_is_repaired(marked, text, covered, is_whole, repaired):
    """If it fails, a suggestion that needs one more bracket is lost, or shown broken."""
    found = check_at(marked).longest_fit(text, covered, is_whole=is_whole)
    assert found == repaired
    assert not found[0] or check_at(marked).fits(*found)


def test_no_insertion_breaks_a_file_that_parses():
    """Pieces of a file at random places of it: whatever is kept leaves a file that parses."""
    random.seed(4)
    n_kept = 0
    n_tries = int(os.environ.get("PARROTLET_FUZZ_TRIES", "60"))
    for _ in range(n_tries):
        at, start = random.randrange(len(SHORT_FILE)), random.randrange(len(SHORT_FILE))
        check = GrammarCheck(before=SHORT_FILE[:at], after=SHORT_FILE[at : at + 8000])
        piece = SHORT_FILE[start : start + random.randrange(1, 60)].partition("\n")[0].rstrip()
        text, covered = check.longest_fit(piece, is_whole=random.random() < 0.5)
        if not text:
            continue
        n_kept += 1
        made = SHORT_FILE[:at] + text
        margin = " " * (len(made.rpartition("\n")[2]) - len(made.rpartition("\n")[2].lstrip()))
        announced = ("", f"\n{margin}    pass", f"\n{margin}def f(): pass")
        assert any(parses(made + x + SHORT_FILE[at + covered :]) for x in announced), (
            at,
            piece,
            text,
        )
    assert n_kept > n_tries // 10


@pytest.mark.parametrize(
    "text",
    [
        *("(" * 4000, "-" * 4000, "x." * 2000, "x = " + "a if b else " * 300, 'f"{' * 500),
        *("lambda:" * 300, "x\x00y", 'x = "\ud800', "\\\n" * 500, "if x:\n" * 300, "not " * 800),
        *("x = (\n" * 300, 'f"""' + "{x" * 400, "\t" * 2000, '"' * 2001, "[" * 150 + "\nx"),
    ],
    ids=lambda text: ascii(text[:12]),
)
def test_hostile_texts_neither_raise_nor_hang(text):
    """If it fails, opening a strange file leaves the editor without suggestions, or a core busy."""
    for after in ("", ")" * 3000):
        for suggestion in ("foo(bar", text[:50]):
            GrammarCheck(before=text, after=after).longest_fit(suggestion, is_whole=False)
