"""What ghost text looks like and how it lives while one types, in real Neovims."""

import pytest
from nvim_editor import CALL

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(60)]

BODY = ("def area(width, height):\n    ", "size = width * height\n    return size")


def begin(editor, model, rule, text=""):
    """Types what a rule wants before it, below a text; waits for what it writes."""
    before, written = rule
    model.rules = [rule]
    editor.open(text)
    *lines, last = before.split("\n")
    editor.keys("o" if text else "i")
    for line in lines:
        editor.type(line)
        editor.keys("<CR>")
    editor.type(last.lstrip() if lines else last)
    editor.wait_for_ghost(written)


def test_it_stands_behind_the_cursor_while_one_types(editor, model):
    """The product: if it fails, nobody gets suggestions."""
    begin(editor, model, CALL, "import os\n")
    assert editor.lines == ["import os", "total = "]
    frame = editor.screen.wait_for(lambda f: f.rows[1] == "total = compute(first, second)")
    assert frame.rows[0] == "import os"


def test_it_spans_several_lines(editor, model):
    """If it fails, only the first line of a block can be seen."""
    begin(editor, model, BODY)
    editor.screen.wait_for(
        lambda f: f.rows[1:3] == ("    size = width * height", "    return size")
    )


def test_at_the_end_of_the_window_there_is_room_for_it(editor, model):
    """If it fails, whoever writes at the bottom of a window sees the first line of a block only."""
    begin(editor, model, BODY, "import os\n" * 40)
    lines = ("def area(width, height):", "    size = width * height", "    return size")
    editor.screen.wait_for(lambda f: f"\n{lines[0]}\n{lines[1]}\n{lines[2]}\n" in f.text)


def test_what_is_typed_as_suggested_keeps_it_without_a_flicker(editor, model):
    """If it fails, ghost text blinks at every key."""
    begin(editor, model, CALL)
    whole = "total = compute(first, second)"
    since = editor.screen.wait_for(lambda f: f.rows[0] == whole).at
    n_asked = editor.n_asked
    for typed in "compute(f":
        editor.type(typed)
    assert editor.lines == ["total = compute(f"]
    assert editor.ghost == "irst, second)"
    frames = editor.screen.since(since)
    assert frames
    assert {frame.rows[0] for frame in frames} == {whole}
    assert editor.n_asked == n_asked, "what is typed as suggested asks nobody"


def test_it_goes_on_over_the_end_of_a_line(editor, model):
    """If it fails, a block disappears when its first line is typed."""
    begin(editor, model, BODY)
    editor.type("size = width * height")
    assert editor.ghost == "\n    return size"
    editor.keys("<CR>")
    assert editor.ghost == "return size"


def test_what_is_deleted_again_comes_back_to_it(editor, model):
    begin(editor, model, CALL)
    editor.type("comp")
    editor.keys("<BS><BS>")
    assert editor.ghost == "mpute(first, second)"


def test_it_goes_with_the_first_key_that_is_not_as_suggested(editor, model):
    """If it fails, stale ghost text stands behind what is typed."""
    begin(editor, model, CALL)
    since = editor.screen.frames[-1].at
    editor.type("x")
    assert not editor.ghost
    editor.screen.wait_for(lambda f: f.rows[0] == "total = x")
    assert all("xcompute" not in frame.text for frame in editor.screen.since(since))


def test_it_goes_when_insert_mode_is_left(editor, model):
    begin(editor, model, CALL)
    editor.keys("<Esc>")
    assert not editor.ghost


def test_it_goes_when_the_cursor_moves_away(editor, model):
    begin(editor, model, CALL, "import os\n")
    editor.keys("<Up>")
    assert not editor.ghost


def test_on_demand_it_comes_without_typing(editor, model):
    """If it fails, users who want it only on demand get nothing."""
    model.rules = [CALL]
    editor.lua("require('parrotlet.config').options.automatic = false")
    editor.open("total = ")
    editor.keys("A")
    editor.type("c")
    assert editor.n_asked == 0
    editor.lua("require('parrotlet').suggest()")
    editor.wait_for_ghost("ompute(first, second)")


def test_nothing_on_demand_is_explained(editor, model):
    """If it fails, a key that asks does nothing and says nothing."""
    editor.open("total = ")
    editor.keys("A")
    editor.lua("require('parrotlet').suggest()")
    said = editor.until(lambda: editor.said, "a sentence")
    assert said[0].startswith("Parrotlet: The model had nothing to suggest")


def test_text_after_the_cursor_stays(editor, model):
    """If it fails, a suggestion in the middle of a line eats the line's end."""
    model.rules = [CALL]
    editor.open("total =  # keep")
    editor.keys("0f=a ")
    editor.wait_for_ghost("compute(first, second)")
    editor.screen.wait_for(lambda f: f.rows[0] == "total = compute(first, second)  # keep")
    editor.keys("<Tab>")
    editor.until(lambda: editor.lines == ["total = compute(first, second)  # keep"], "acceptance")


def test_it_goes_when_the_text_after_the_cursor_changes(editor, model):
    """If it fails, what was suggested for another line end can be taken before this one."""
    model.rules = [CALL]
    editor.open("total =  # keep")
    editor.keys("0f=a ")
    editor.wait_for_ghost(CALL[1])
    model.rules = []
    editor.lua("vim.api.nvim_buf_set_text(0, 0, 8, 0, 9, {})")
    assert editor.lines == ["total =  # keep"]
    editor.wait_for_no_ghost()


CLOSES_ITSELF = "vim.keymap.set('i', '(', '()<C-g>U<Left>', { buffer = true })"


def test_a_bracket_that_closed_itself_is_not_doubled(editor, model):
    """If it fails, auto-closing brackets and suggestions make `))`."""
    model.rules = [("size = len(", "first) + 1")]
    editor.open("")
    editor.lua(CLOSES_ITSELF)
    editor.keys("i")
    editor.type("size = len(")
    editor.wait_for_ghost("first| + 1")
    editor.screen.wait_for(lambda f: f.rows[0] == "size = len(first) + 1")
    editor.keys("<Tab>")
    editor.until(lambda: editor.lines == ["size = len(first) + 1"], "acceptance")
    assert editor.cursor == (1, len("size = len(first) + 1"))


def test_a_bracket_that_closes_itself_within_the_suggestion_keeps_it(editor, model):
    """If it fails, ghost text goes whenever an opening bracket of it is typed."""
    begin(editor, model, CALL)
    editor.lua(CLOSES_ITSELF)
    editor.type("compute(")
    assert editor.lines == ["total = compute()"]
    assert editor.ghost == "first, second"
    editor.keys("<Tab>")
    editor.until(lambda: editor.lines == ["total = compute(first, second)"], "acceptance")


def test_a_bracket_that_closes_itself_before_several_lines_is_hidden(editor, model):
    """If it fails, a bracket seems to stand in the middle of what a block will be."""
    written = "size = max(width,\n               height)\n    return size"
    begin(editor, model, ("def area(width, height):\n    ", written))
    editor.lua(CLOSES_ITSELF)
    editor.type("size = max(")
    assert editor.lines[1] == "    size = max()"
    assert editor.ghost == "width,\n               height)\n    return size"
    editor.screen.wait_for(
        lambda f: f.rows[1:4] == ("    size = max(width,", " " * 15 + "height)", "    return size")
    )
    editor.keys("<Tab>")
    editor.until(lambda: editor.lines[1:] == ("    " + written).split("\n"), "acceptance")


@pytest.mark.parametrize(
    ("before", "written"),
    [
        pytest.param("flag = '🏳️‍🌈🦜', ", "'🦜🦜'", id="astral"),
        pytest.param("name = 'e\u0301', ", "'o\u0308'", id="combining"),
        pytest.param("word = 'שלום', ", "'مرحبا'", id="right-to-left"),
        pytest.param("変数 = '値', ", "'日本語'", id="wide"),
    ],
)
def test_any_text_before_and_in_it(editor, model, before, written):
    """If it fails, text outside ASCII shifts or breaks what is inserted."""
    begin(editor, model, (before, written))
    first = written[0]
    editor.type(first)
    assert editor.ghost == written[1:]
    editor.keys("<Tab>")
    editor.until(lambda: editor.lines == [before + written], "acceptance")
    assert editor.cursor == (1, len((before + written).encode()))


def test_files_with_crlf_keep_it(editor, model):
    """If it fails, a file's line ends get mixed."""
    model.rules = [BODY]
    path = editor.open("import os\r\n\r\ndef area(width, height):\r\n")
    assert editor.lua("return vim.bo.fileformat") == "dos"
    editor.keys("o")
    editor.wait_for_ghost(BODY[1])
    editor.keys("<Tab><Esc>")
    editor.command("silent write")
    assert path.read_bytes().decode() == (
        "import os\r\n\r\ndef area(width, height):\r\n"
        "    size = width * height\r\n    return size\r\n"
    )


def test_tabs_are_drawn_as_wide_as_they_will_be(editor, model):
    """If it fails, blocks in files that indent with tabs seem to stand elsewhere."""
    block = ["for each in width:\t# all", "\t\treturn each"]
    model.rules = [("def area(width):\n\t", "\n".join(block))]
    editor.open("def area(width):\n")
    editor.command("setlocal noexpandtab tabstop=4 shiftwidth=4")
    editor.keys("o")
    editor.until(lambda: editor.ghost, "ghost text")
    painted = tuple(line.expandtabs(4) for line in ("\t" + block[0], block[1]))
    editor.screen.wait_for(lambda f: f.rows[1:3] == painted)
    editor.keys("<Tab>")
    editor.until(lambda: editor.lines[1:] == ["\t" + block[0], block[1]], "acceptance")


def test_two_windows_on_one_file(editor, model):
    """If it fails, accepting in one window moves the cursor of the other."""
    begin(editor, model, CALL, "import os\n")
    editor.keys("<Esc>")
    editor.command("split")
    editor.command("normal! gg0")
    editor.keys("<C-w>jG0C")
    editor.type("total = ")
    editor.wait_for_ghost(CALL[1])
    editor.keys("<Tab>")
    editor.until(lambda: editor.lines[1] == "".join(CALL), "acceptance")
    assert editor.cursor == (2, len("".join(CALL)))
    cursors = editor.lua(
        "return vim.tbl_map(vim.api.nvim_win_get_cursor, vim.api.nvim_list_wins())"
    )
    assert [tuple(cursor) for cursor in cursors] == [(1, 0), editor.cursor]


def test_an_edit_above_moves_it_along(editor, model):
    """If it fails, a formatter or a second window that edits above breaks what is accepted."""
    begin(editor, model, CALL, "import os\n")
    editor.lua("vim.api.nvim_buf_set_lines(0, 0, 0, false, { '# one', '# two' })")
    editor.keys("<Tab>")
    editor.until(lambda: editor.lines[-1] == "".join(CALL), "acceptance")
    assert editor.lines == ["# one", "# two", "import os", "".join(CALL)]
