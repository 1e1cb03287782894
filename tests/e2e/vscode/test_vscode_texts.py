"""Ghost text in all kinds of text: exactly what is shown is inserted."""

import pytest
from code_server import wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

NAMES = {
    "astral": "𝕏_🦜",
    "combining": "é̂_ñ",
    "right-to-left": "שלום_مرحبا",
    "wide": "変数_名前",
}


@pytest.mark.parametrize("kind", NAMES)
def test_ghost_text_follows_any_characters(window, model, kind):
    """If it fails, accepted text lands in the middle of a character or a word."""
    name = NAMES[kind]
    model.rules = [(f'"{name}": "{name}', f' {name}"')]
    before, behind = f'd = {{"{name}": "', '"}  # ' + name + "\n"
    window.open_file(f"# {name}\n{before}|{behind}", f"{kind}.py")
    window.type(name)
    window.wait_for_ghost(f" {name}")
    window.press("Tab")
    window.wait_for_text(f"# {name}\n{before}{name} {name}{behind}")
    column = len(f"{before}{name} {name}".encode("utf-16-le")) // 2
    wait_until(
        lambda: window.cursor == (1, column), lambda: f"column {column}, not {window.cursor}"
    )


def test_accepted_text_has_the_files_line_ends(window, model):
    """If it fails, a file ends up with both kinds of line ends."""
    model.rules = [("def f():\n", "    a = 1\n    return a\n")]
    window.open_file("import os\r\n\r\n\r\ndef f():|\r\n\r\n\r\nf()\r\n", "crlf.py")
    window.press("Enter")
    window.wait_for_ghost("a = 1\n    return a")
    window.press("Tab")
    window.wait_for_text(
        "import os\r\n\r\n\r\ndef f():\r\n    a = 1\r\n    return a\r\n\r\n\r\nf()\r\n"
    )


def test_tabs_stay_tabs(window, model):
    """If it fails, accepted code does not run: Python forbids mixing tabs and spaces."""
    model.rules = [("def g():\n", "\tb = 2\n\treturn b\n")]
    window.open_file("def e():\n\treturn 1\n\n\ndef g():|", "tabs.py")
    window.press("Enter")
    window.wait_for_ghost("b = 2\n    return b")  # VS Code draws a tab as spaces
    window.press("Tab")
    window.wait_for_text("def e():\n\treturn 1\n\n\ndef g():\n\tb = 2\n\treturn b")


def test_text_after_the_cursor_stays(window, model):
    """If it fails, accepting a suggestion removes the comment after it."""
    model.rules = [("total = ", "sum(prices)")]
    window.open_file("|  # keep me\n", "behind.py")
    window.type("total = ")
    window.wait_for_ghost("sum(prices)")
    window.press("Tab")
    window.wait_for_text("total = sum(prices)  # keep me\n")


def test_auto_closed_brackets_are_not_doubled(window, model):
    """If it fails, every accepted call ends in two brackets."""
    model.rules = [("print(", "value, end='')")]
    window.open_file("", "brackets.py")
    window.type("print(")
    window.wait_for_text("print()")
    window.wait_for_ghost("value, end=''")
    window.press("Tab")
    window.wait_for_text("print(value, end='')")


def test_nested_brackets_and_quotes_close_once(window, model):
    """If it fails, accepting an index in a call doubles its brackets."""
    model.rules = [('data["', 'key"][0])')]
    window.open_file("print(|)", "nested.py")
    window.type('data["')
    window.wait_for_ghost("key][0")  # around the auto-closed quote and bracket
    window.press("Tab")
    window.wait_for_text('print(data["key"][0])')


def test_a_split_editor_shows_ghost_text_in_the_active_half(window, model):
    """If it fails, a split editor shows ghost text twice, or in the wrong half."""
    model.rules = [("left = ", "port"), ("right = ", "starboard")]
    path = window.open_file("left\n\nright\n", "split.py")
    window.show_file(path, len("left\n\nright"), column=2)
    window.type(" = ")
    window.wait_for_ghost("starboard")
    assert window.n_editors_with_ghost == 1
    window.press("Tab")
    window.wait_for_text("left\n\nright = starboard\n")
    window.show_file(path, len("left"), column=1)
    window.type(" = ")
    window.wait_for_ghost("port")
    window.press("Tab")
    window.wait_for_text("left = port\n\nright = starboard\n")


def test_unsaved_files_are_completed(window, model):
    """If it fails, the walkthrough's first step shows nothing."""
    model.rules = [("scratch = ", "pad()")]
    window.run_command("parrotlet.newFile")
    window.wait_for_focus("Untitled-1")
    window.type("scratch = ")
    window.wait_for_ghost("pad()")
    window.press("Tab")
    window.wait_for_text("scratch = pad()")
    window.run_command("workbench.action.revertAndCloseActiveEditor")


def test_notebook_cells_are_completed_with_the_cells_above(window, model):
    """If it fails, there is no ghost text in notebooks, or it ignores other cells."""
    model.rules = [("frame = load()\n\nframe.", "describe()")]
    window.open_notebook(["frame = load()", ""])
    window.type("frame.")
    window.wait_for_ghost("describe()")
    window.press("Tab")
    wait_until(lambda: window.cells == ["frame = load()", "frame.describe()"], lambda: window.cells)


def test_long_files_are_completed(window, model):
    """If it fails, ghost text is missing in long files."""
    model.rules = [("the_last = ", "one")]
    window.open_file("# line\n" * 20_000 + "|", "long.py")
    window.type("the_last = ")
    window.wait_for_ghost("one")
    window.press("Tab")
    wait_until(lambda: window.text.endswith("the_last = one"), "the accepted text")
