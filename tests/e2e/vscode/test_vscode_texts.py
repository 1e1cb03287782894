"""Ghost text in texts of all kinds: what is shown is what is inserted, and nothing else changes."""

import pytest
from code_server import until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

NAMES = {
    "astral": "𝕏_🦜",
    "combining": "é̂_ñ",
    "right-to-left": "שלום_مرحبا",
    "wide": "変数_名前",
}


@pytest.mark.parametrize("kind", NAMES)
def test_ghost_text_stands_right_behind_any_characters(window, model, kind):
    """If it fails, accepted text lands in the middle of a character or a word."""
    name = NAMES[kind]
    model.rules = [(f'"{name}": "{name}', f' {name}"')]
    before, behind = f'd = {{"{name}": "', '"}  # ' + name + "\n"
    window.open(f"# {name}\n{before}|{behind}", f"{kind}.py")
    window.type(name)
    window.sees(f" {name}")
    window.press("Tab")
    window.holds(f"# {name}\n{before}{name} {name}{behind}")
    column = len(f"{before}{name} {name}".encode("utf-16-le")) // 2
    until(lambda: window.cursor == (1, column), lambda: f"column {column}, not {window.cursor}")


def test_windows_line_ends_stay_and_are_those_of_what_is_taken(window, model):
    """If it fails, a file ends up with both kinds of line ends."""
    model.rules = [("def f():\n", "    a = 1\n    return a\n")]
    window.open("import os\r\n\r\n\r\ndef f():|\r\n\r\n\r\nf()\r\n", "crlf.py")
    window.press("Enter")
    window.sees("a = 1\n    return a")
    window.press("Tab")
    window.holds("import os\r\n\r\n\r\ndef f():\r\n    a = 1\r\n    return a\r\n\r\n\r\nf()\r\n")


def test_tabs_stay_tabs(window, model):
    """If it fails, accepted code does not run: Python forbids mixing tabs and blanks."""
    model.rules = [("def g():\n", "\tb = 2\n\treturn b\n")]
    window.open("def e():\n\treturn 1\n\n\ndef g():|", "tabs.py")
    window.press("Enter")
    window.sees("b = 2\n    return b")  # as VS Code paints a tab
    window.press("Tab")
    window.holds("def e():\n\treturn 1\n\n\ndef g():\n\tb = 2\n\treturn b")


def test_text_behind_the_cursor_stays(window, model):
    """If it fails, accepting eats a comment that stood there."""
    model.rules = [("total = ", "sum(prices)")]
    window.open("|  # keep me\n", "behind.py")
    window.type("total = ")
    window.sees("sum(prices)")
    window.press("Tab")
    window.holds("total = sum(prices)  # keep me\n")


def test_brackets_that_closed_themselves_are_not_doubled(window, model):
    """If it fails, every accepted call ends in two brackets."""
    model.rules = [("print(", "value, end='')")]
    window.open("", "brackets.py")
    window.type("print(")
    window.holds("print()")
    window.sees("value, end=''")
    window.press("Tab")
    window.holds("print(value, end='')")


def test_nested_brackets_and_quotes_close_once(window, model):
    model.rules = [('data["', 'key"][0])')]
    window.open("print(|)", "nested.py")
    window.type('data["')
    window.sees("key][0")  # around the quote and the bracket that closed themselves
    window.press("Tab")
    window.holds('print(data["key"][0])')


def test_two_editors_on_one_file_have_ghost_text_where_the_user_types(window, model):
    """If it fails, a split editor shows ghost text twice, or in the wrong half."""
    model.rules = [("left = ", "port"), ("right = ", "starboard")]
    path = window.open("left\n\nright\n", "split.py")
    window.show(path, len("left\n\nright"), column=2)
    window.type(" = ")
    window.sees("starboard")
    assert window.n_editors_with_ghost == 1
    window.press("Tab")
    window.holds("left\n\nright = starboard\n")
    window.show(path, len("left"), column=1)
    window.type(" = ")
    window.sees("port")
    window.press("Tab")
    window.holds("left = port\n\nright = starboard\n")


def test_files_that_were_never_saved_are_completed_too(window, model):
    """If it fails, the walkthrough's first step shows nothing."""
    model.rules = [("scratch = ", "pad()")]
    window.run("parrotlet.newFile")
    window.waits_for_focus("Untitled-1")
    window.type("scratch = ")
    window.sees("pad()")
    window.press("Tab")
    window.holds("scratch = pad()")
    window.run("workbench.action.revertAndCloseActiveEditor")


def test_cells_of_notebooks_are_completed_with_the_cells_above_in_view(window, model):
    """If it fails, there is no ghost text in notebooks, or it knows nothing of other cells."""
    model.rules = [("frame = load()\n\nframe.", "describe()")]
    window.open_notebook(["frame = load()", ""])
    window.type("frame.")
    window.sees("describe()")
    window.press("Tab")
    until(lambda: window.cells == ["frame = load()", "frame.describe()"], lambda: window.cells)


def test_a_file_of_many_lines_is_completed_as_quickly(window, model):
    model.rules = [("the_last = ", "one")]
    window.open("# line\n" * 20_000 + "|", "long.py")
    window.type("the_last = ")
    window.sees("one")
    window.press("Tab")
    until(lambda: window.text.endswith("the_last = one"), "the accepted text")
