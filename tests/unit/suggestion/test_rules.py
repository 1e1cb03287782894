"""How far a suggestion extends, and what the rules leave of it."""

import pytest

from server.prompt.window import Window
from server.suggestion.cursor_context import CursorContext
from server.suggestion.extent import Extent, cut, scope_at
from server.suggestion.result import Suggestion
from server.suggestion.rules.order import RULES, apply_rules

LIMITS = {"max_block_lines": 5, "max_function_lines": 9}
DEF = "class A:\n    def f(\n        self,\n    ) -> int:\n"


def shown(prefix, text, suffix="", *, is_whole=True, max_block_lines=12, may_be_trivial=True):
    limits = {"max_block_lines": max_block_lines, "max_function_lines": max_block_lines}
    scope = scope_at(prefix, suffix, **limits)
    window = Window(prefix=prefix, suffix=suffix)
    cursor = CursorContext(
        before=prefix, after=suffix, window=window, scope=scope, may_be_trivial=may_be_trivial
    )
    return apply_rules(Suggestion(text=text, is_whole=is_whole), cursor)


@pytest.mark.parametrize(
    ("prefix", "suffix", "extent"),
    [
        ("x = 1\ny = ", "", Extent.LINE),
        ("def f(x):", "", Extent.FUNCTION),
        ("def f(x):\n    ", "", Extent.FUNCTION),
        ("def f(x):\n\n    ", "\n\n\ndef g(): ...", Extent.FUNCTION),
        ("def f(x):", "  # keep", Extent.LINE),
        ("def f(x):  # why\n", "", Extent.FUNCTION),
        ('def f(x):\n    """Do."""\n    ', "", Extent.FUNCTION),
        ('def f(x):\n    """Do.\n\n    More.\n    """\n    ', "", Extent.FUNCTION),
        ('x = 1\ny = """\nabc\n"""\n', "", Extent.LINE),
        ("x = {'a':", "", Extent.LINE),
        ("for x in y:\n    ", "", Extent.BLOCK),
        ("for x in y:\n    a = x\n    ", "", Extent.LINE),
        (DEF + "        ", "", Extent.FUNCTION),
        ("x = foo(\n    a,\n)[1:", "", Extent.LINE),
        ("else:\n\t", "", Extent.BLOCK),
        ("if a and (\n    b\n):\n    ", "", Extent.BLOCK),
        ("class A:\n    x = f(\n\n    def g(self):\n        ", "", Extent.BLOCK),
        ('"""\nif this:\n    ', "", Extent.LINE),
        ("x = [\n    i for i in y if z:", "", Extent.LINE),
        ("try:\n    ", "", Extent.BLOCK),
        ("match x:\n    case 1:\n        ", "", Extent.BLOCK),
        ("", "", Extent.LINE),
    ],
)
def test_the_grammar_at_the_cursor_decides_the_extent(prefix, suffix, extent):
    """If it fails, a block is suggested in the middle of a line, or one line of a new body."""
    assert scope_at(prefix, suffix, **LIMITS).extent is extent


def test_the_setting_overrides_the_extent():
    """If it fails, a user who wants single lines gets blocks."""
    inside = "def f(x):\n    a = x\n    if a:\n        b = a\n        "

    def extent(prefix, wanted):
        scope = scope_at(prefix, "", **LIMITS, wanted=wanted)
        return scope.extent, scope.min_columns

    assert extent("def f(x):", "line") == (Extent.LINE, 0)
    assert extent("def f(x):", "block") == (Extent.BLOCK, 1)
    assert extent(inside, "auto") == (Extent.LINE, 0)
    assert extent(inside, "block") == (Extent.BLOCK, 8)
    assert extent(inside, "function") == (Extent.FUNCTION, 1)
    assert extent("x = 1\n", "function") == (Extent.LINE, 0)


@pytest.mark.parametrize(
    ("prefix", "written", "kept"),
    [
        ("x = ", "1\ny = 2\n", "1"),
        ("x = 1", "\n    y = 2\nz", "\n    y = 2"),
        ("def f(x):", "\n    a\n    b\n\ndef g():", "\n    a\n    b"),
        ("def f(x):\n    ", "a\n\n    if b:\n        c\nd", "a\n\n    if b:\n        c"),
        ("    def f(x):\n        ", "a\n    def g", "a"),
        ("if x:\n\t", "a\n\tb\nc", "a\n\tb"),
        ("def f():\n    '''Do.'''\n    ", "a\n    b\nc", "a\n    b"),
        ("def f():\n", "    a\n    b\nc", "    a\n    b"),
    ],
)
def test_a_suggestion_ends_at_its_line_or_block(prefix, written, kept):
    """Text from the next function must neither be shown nor waited for."""
    scope = scope_at(prefix, "", **LIMITS)
    assert cut(written, scope) == (kept, True)
    seen_end = [cut(written[:n], scope) for n in range(len(written) + 1)]
    assert all(text == kept for text, is_ended in seen_end if is_ended)
    assert not cut(kept, scope)[1]


def test_a_block_has_at_most_so_many_lines():
    """A screen full of ghost text is unreadable."""
    text = "".join(f"\n    a{i} = {i}" for i in range(20))
    assert shown("def f():", text, max_block_lines=4).text.count("\n") == 4


@pytest.mark.parametrize(
    ("prefix", "text", "suffix", "result", "covered"),
    [
        ("def add(", "a, b)", ")", "a, b", 0),
        ("def add(", "a, b):", ")", "a, b):", 1),
        ("foo(bar(", "a))", "))", "a", 0),
        ("foo(bar(", "a), b)  # x", "))", "a), b)  # x", 2),
        ("foo(", "bar(a)", ")", "bar(a)", 0),
        ('open("', 'a.txt", "r', '")', 'a.txt", "r', 0),
        ('open("', 'a.txt")', '")', "a.txt", 0),
        ("x = ", "1", "  # keep", "1", 0),
        ("x = ", "foo + 1", " + 1", "foo", 0),
        ('f("', "done", 'else")', "", 0),
        ("x = [", "i for i in y]", "", "i for i in y]", 0),
        ("d[", "'k'] = 1", "]", "'k'] = 1", 1),
    ],
)
def test_text_after_the_cursor_is_never_doubled(prefix, text, suffix, result, covered):
    """'foo(a))' after Tab is the classic mistake of ghost text; so is a lost comment."""
    suggestion = shown(prefix, text, suffix)
    assert (suggestion.text, suggestion.covered) == (result, covered)
    assert set(suffix[:covered]) <= set("\"')]}")  # nothing else is ever replaced


@pytest.mark.parametrize(
    ("prefix", "text", "suffix", "result", "rule"),
    [
        ("x = ", "   \n", "", "", "trailing_space"),
        ("x = 10000\n", "x = 10000", "", "", "repeats_above"),
        ("    return value", "\n    return value", "", "", "repeats_above"),
        (
            "def f():\n    ",
            "a = 1\n    return total",
            "\n    return total\n",
            "a = 1",
            "repeats_below",
        ),
        ("a = ", "compute(1)", "\na = compute(1)\n", "", "repeats_below"),
        ("x = ", "ab, " * 9, "", "", "loop"),
        ("def f():", "\n    a = 1\n    b.c" + ".c" * 9, "", "\n    a = 1", "loop"),
        ("def f():", "\n    go(on, on)" * 2 + "\n    pass", "", "\n    go(on, on)", "loop"),
        ("def f():\n    ", "go(on, on)\n    go(on, on)", "", "go(on, on)", "loop"),
        ("def f():", "\n    print(value)" * 5, "", "\n    print(value)", "loop"),
        ("x = ", "a\x00b", "", "a", "broken_character"),
        ("x = ", "a\ufffd", "", "a", "broken_character"),
        ("def f():", "\n    a = 1\n    b = ", "", "\n    a = 1", "unfinished_line"),
    ],
)
def test_each_rule_trims_and_names_itself(prefix, text, suffix, result, rule):
    """Noise teaches users to ignore ghost text; a rule without a name cannot be explained."""
    suggestion = shown(prefix, text, suffix, is_whole=rule != "unfinished_line")
    assert suggestion.text == result
    assert rule in suggestion.rules
    assert set(suggestion.rules) <= {each.__name__ for each in RULES}


@pytest.mark.parametrize(
    ("prefix", "text", "result"),
    [
        ("x = ", "[n for n in names if n.startswith(pre", "[n for n in names if n.startswith()]"),
        ("x = ", "a + b_c", "a"),
        ("x = ", "f(a)", "f(a)"),
        ("x = a.", "very_long_na", ""),
        ("x = ", "compute(a, 3.14", "compute(a)"),
        ("# a ", "comment that goes o", "comment that goes"),
        ("x = ", "f(\n    a,\n    b_c", "f(\n    a,\n)"),
        ("def f():", " return a.b_c", " return a"),
    ],
)
def test_a_line_that_was_interrupted_ends_with_a_whole_word(prefix, text, result):
    """If it fails, a long line is suggested up to the middle of a name."""
    suggestion = shown(prefix, text, is_whole=False)
    assert suggestion.text == result
    assert ("unfinished_line" in suggestion.rules) == (text != result)


@pytest.mark.parametrize(
    ("prefix", "text", "suffix"),
    [
        ("x = ", "1", "\ny = 1\n"),
        ("def f():\n    ", "pass", "\n\ndef g():\n    pass\n"),
        ("# ", "-" * 60, ""),
        ("m = [", "0, 0, 0, 1]", ""),
        ("m = ", "[0, 0, 0, 0, 0, 0, 0, 0]", ""),
        ("n = ", "1000000", ""),
        ("n = ", "0xffffffff", ""),
        ("n = ", "0xFFFFFFFFFFFFFFFF", ""),
        ("colour = ", '"#ffffff"', ""),
        ("rows = ", '"00000000-0000-0000-0000-000000000000"', ""),
        ("x = 1\n", "y = 2", ""),
        ("def f():", "\n    a = 1\n    return a", "\n\n\nprint(f())\n"),
    ],
)
def test_good_suggestions_pass_unchanged(prefix, text, suffix):
    """If it fails, a rule silently takes good suggestions from the user."""
    suggestion = shown(prefix, text, suffix)
    assert (suggestion.text, suggestion.covered, suggestion.rules) == (text, 0, ())


@pytest.mark.parametrize("text", ["0, " * 20, "1, 2, " * 10, "0" * 40, "f" * 40, "n" * 40 + ")"])
def test_numbers_without_an_end_are_a_loop(text):
    """If it fails, a model that does not come to an end fills the line."""
    assert shown("x = [", text, is_whole=False).text == ""


@pytest.mark.parametrize(
    ("prefix", "text", "suffix", "result"),
    [
        ("x = foo", "(a, b))", "", "(a, b)"),
        ("x = foo(", "a, b", "\ny = 1", "a, b)"),
        ("x = foo(", "a, b,", "\n    c)", "a, b,"),
        ("x = foo(", "a, b", "\n    + c)", "a, b"),
        ("x = foo(", "a, b", "\n)", "a, b"),
        ("x = [\n    ", "f(1", "\n    2,\n]", "f(1),"),
        ("def f():\n    ", "return return", "", ""),
        ("def f():\n    ", "x = 1\n    y = = 2\n    z", "", "x = 1"),
        ("x = 'a", "bc", "", ""),
        ("x = 'a", "bc", "'", "bc"),
        ("if a:\n    b\nel", "se:\n    c", "", "se:"),
        ("if a:\n    b\nel", "se: x y", "", ""),
        ("x = ) 1\ny = = ", "2 2", "", "2 2"),  # nothing can be said after broken code
        ("# it's ", "never a string (", "", "never a string ("),
        ("if a", " and b:  # why # not", "", " and b:  # why # not"),
        ('"""It\'s ', "never a call (", "", "never a call ("),
        ('SOURCE = """\ndef f():\n    pass\n"""\nx = ', "return return", "", ""),
    ],
)
def test_only_what_fits_the_grammar_is_shown(prefix, text, suffix, result):
    """A suggestion that breaks the statement costs more than it saves."""
    assert shown(prefix, text, suffix).text == result


@pytest.mark.parametrize(
    ("prefix", "text", "result"),
    [
        (
            "def f():\n\tif a:",
            "\n                b\n                if c:\n                        d",
            "\n\t\tb\n\t\tif c:\n\t\t\td",
        ),
        ("def f():\n  if a:", "\n\t\tb", "\n    b"),
        ("def f():\n    if a:", "\n        b", "\n        b"),
        ("def f():", "\n    b", "\n    b"),
    ],
)
def test_a_suggestion_is_indented_like_the_file(prefix, text, result):
    """Tabs and spaces in one block are an error in Python."""
    assert shown(prefix, text).text == result


@pytest.mark.parametrize(
    ("prefix", "text", "suffix", "result", "rule"),
    [
        ("line = fp.readline", "()", "()\n", "", "stands_behind"),
        ("x = a", ".get(b, c)", ".get(b, d)\n", "", "repeats_behind"),
        ("f(u", "r['id'], group['id'", "], group['id'])\n", "r['id'", "stands_behind"),
        ("x = new[1", "] - size[1] / 2", "] / 2\n", "] - size[1", "stands_behind"),
        ("x = logging.get", "Logger(__name__)", "(__name__)\n", "Logger", "stands_behind"),
        ("p = argparse", ".ArgumentParser(a=1)", ".ArgumentParser()\n", "", "stands_behind"),
        (
            "class A:\n    def f(self, name):\n        self._na",
            "b_x",
            "me = 1\n",
            "",
            "inside_name",
        ),
        ("x = ", "the_", "name\n", "", "inside_name"),
        ("my_path = 1\nif ", "my_path is None or ", "path:\n    pass\n", "", "inside_name"),
        ("x = f(", "a) + str", "name)\n", "", "inside_name"),
        ('"""What\nf returns."""\nre', "turn", "s = []  # returns\n", "", "inside_name"),
        ("def f():", "\n    a = g(1)\n    b = h(a)\n    return b", "", "", "copies_above"),
        ("c.execute('SELECT * FROM ", "* FROM * FROM * FROM * FROM * FROM", "')\n", "", "loop"),
        ("x = ", "in(os.path.jo" * 4, "", "", "loop"),
        ("x = nam", "e", "\n", "", "trivial"),
        ("x = foo", "()", "\n", "", "trivial"),
        ('print(f"error: {m', 'sg}")', '}", file=f)\n', "sg", "unfitting"),
        ("df = pd.", "DataFrame(", "\n", "DataFrame()", "unfitting"),
    ],
)
def test_what_does_not_fit_the_place_is_repaired_or_dropped(prefix, text, suffix, result, rule):
    """A third of what is shown within a line would be of this kind."""
    if rule == "copies_above":
        prefix = "def e():\n    a = g(1)\n    b = h(a)\n    return b\n\n\n" + prefix
    found = shown(prefix, text, suffix, may_be_trivial=rule != "trivial")
    assert found.text == result
    assert found.rules[-1] == rule


KEY = "aB3dEfGhIjKlMnOpQrStUvWxYz0123456789"


@pytest.mark.parametrize(
    ("prefix", "text", "suffix"),
    [
        ("key = ", f'"{KEY}"', ""),
        ('key = "', f'{KEY}"', ""),
        ('key = "', KEY, '"'),
        ('key = "', f'{KEY}"', '"'),
        (f'key = "{KEY[:6]}', f'{KEY[6:]}"', ""),
        ("key = 'ghp_", f"{KEY}'", ""),
    ],
)
def test_a_secret_is_not_suggested_wherever_its_quotes_are(prefix, text, suffix):
    """If it fails, a key is suggested as soon as the editor has closed its quotes."""
    suggestion = shown(prefix, text, suffix)
    assert (suggestion.text, suggestion.rules[-1]) == ("", "looks_like_a_secret")


def test_code_beside_the_users_own_key_is_suggested():
    assert shown(f'login("{KEY}", ', "user=name)").text == "user=name)"


@pytest.mark.parametrize(
    ("prefix", "text", "suffix"),
    [
        ("my_name = 1\nx = ", "my_", "name\n"),  # makes a name that the file has
        ("# my_name\nx = ", "my_", 'name\n"""\ndoc\n"""\nmy_name = 1\n'),
        ("x = f(", "a,", " b)\n"),
        ("m = [", "0, 0, 0, 0, 0, 1]", ""),
        ("x = (", "None, None, None, None)", ""),
        ("def f():", "\n    a = g(1)\n    b = h(a)\n    return c", ""),
        ("x = range(len(", "children)", ")\n"),
        ('x = f"{a', ':>{b}}"', "\n"),
        ("max_size = size = 2\nx = ", "max_size * 2 -", "size\n"),
    ],
)
def test_what_fits_the_place_passes(prefix, text, suffix):
    """If it fails, a rule against repetition or inside names takes good suggestions."""
    above = "def e():\n    a = g(1)\n    b = h(a)\n    return b\n\n\n"
    assert shown(above + prefix, text, suffix).text == text


@pytest.mark.parametrize(
    ("prefix", "written", "suffix", "kept"),
    [
        ("x = ", "f(\n    a,\n)\ny = 2\n", "", "f(\n    a,\n)"),
        ("x = f(", "a,\n    b)\ny", "", "a,"),  # the author's own bracket
        ("x = ", "f(\n    a,\n)\n", "\n    b,\n)", "f("),  # goes on below
        ("x = ", '"""a\nb"""\n', "", '"""a'),
    ],
)
def test_a_line_ends_where_its_own_brackets_are_closed(prefix, written, suffix, kept):
    """If it fails, suggestions end with an open bracket, or go on for no reason."""
    assert cut(written, scope_at(prefix, suffix, **LIMITS)) == (kept, True)
