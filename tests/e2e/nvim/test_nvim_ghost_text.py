"""Ghost text in real Neovims: what it looks like, and when it is kept or hidden."""

import pytest
from nvim_editor import CALL

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

BODY = ("def area(width, height):\n    ", "size = width * height\n    return size")


def show_suggestion(editor, model, rule, text=""):
    """Types the prefix of a rule below a text, and waits for its suggestion."""
    before, written = rule
    model.rules = [rule]
    editor.open(text)
    *lines, last = before.split("\n")
    editor.press("o" if text else "i")
    for line in lines:
        editor.type(line)
        editor.press("<CR>")
    editor.type(last.lstrip() if lines else last)
    editor.wait_for_ghost(written)


def test_ghost_text_appears_at_the_cursor_while_typing(editor, model):
    """The product: if it fails, nobody gets suggestions."""
    show_suggestion(editor, model, CALL, "import os\n")
    assert editor.lines == ["import os", "total = "]
    frame = editor.screen.wait_for(lambda f: f.rows[1] == "total = compute(first, second)")
    assert frame.rows[0] == "import os"


def test_ghost_text_spans_several_lines(editor, model):
    """If it fails, only the first line of a block is visible."""
    show_suggestion(editor, model, BODY)
    editor.screen.wait_for(
        lambda f: f.rows[1:3] == ("    size = width * height", "    return size")
    )


@pytest.mark.parametrize("winbar", ["", "%f"])
def test_the_window_scrolls_to_make_room(editor, model, winbar):
    """If it fails, at the bottom of a window only the first lines of a block are visible."""
    editor.lua("vim.go.winbar = ...", winbar)
    show_suggestion(editor, model, BODY, "import os\n" * 40)
    lines = ("def area(width, height):", "    size = width * height", "    return size")
    editor.screen.wait_for(lambda f: f"\n{lines[0]}\n{lines[1]}\n{lines[2]}\n" in f.text)


def test_typing_the_suggestion_keeps_it_without_flicker(editor, model):
    """If it fails, ghost text flickers at every key."""
    show_suggestion(editor, model, CALL)
    whole = "total = compute(first, second)"
    since = editor.screen.wait_for(lambda f: f.rows[0] == whole).at
    n_requests = editor.n_requests
    for typed in "compute(f":
        editor.type(typed)
    assert editor.lines == ["total = compute(f"]
    assert editor.ghost == "irst, second)"
    assert editor.n_requests == n_requests, "typing the suggestion sends no request"
    editor.screen.wait_for(lambda f: f.at > since)
    editor.press("<Esc>")  # whose frame is the last one
    last = editor.screen.wait_for(lambda f: f.rows[0] == "total = compute(f")
    frames = [frame for frame in editor.screen.get_frames_since(since) if frame.at < last.at]
    assert {frame.rows[0] for frame in frames} == {whole}


def test_the_suggestion_survives_a_line_break(editor, model):
    """If it fails, a block disappears when its first line has been typed."""
    show_suggestion(editor, model, BODY)
    editor.type("size = width * height")
    assert editor.ghost == "\n    return size"
    editor.press("<CR>")
    assert editor.ghost == "return size"


def test_backspace_restores_the_suggestion(editor, model):
    """If it fails, correcting a key loses the suggestion."""
    show_suggestion(editor, model, CALL)
    editor.type("comp")
    editor.press("<BS><BS>")
    assert editor.ghost == "mpute(first, second)"


def test_a_different_key_hides_the_suggestion(editor, model):
    """If it fails, stale ghost text follows what is typed."""
    show_suggestion(editor, model, CALL)
    since = editor.screen.frames[-1].at
    editor.type("x")
    assert not editor.ghost
    editor.screen.wait_for(lambda f: f.rows[0] == "total = x")
    assert all("xcompute" not in frame.text for frame in editor.screen.get_frames_since(since))


def test_leaving_insert_mode_hides_the_suggestion(editor, model):
    """If it fails, ghost text stays in Normal mode."""
    show_suggestion(editor, model, CALL)
    editor.press("<Esc>")
    assert not editor.ghost


def test_moving_the_cursor_hides_the_suggestion(editor, model):
    """If it fails, ghost text stays where nobody is typing."""
    show_suggestion(editor, model, CALL, "import os\n")
    editor.press("<Up>")
    assert not editor.ghost


def test_suggestions_on_request_only(editor, model):
    """If it fails, users who want suggestions only on request get none, or too many."""
    model.rules = [CALL]
    editor.lua("require('parrotlet.config').options.automatic = false")
    editor.open("total = ")
    editor.press("A")
    editor.type("c")
    assert editor.n_requests == 0
    editor.lua("require('parrotlet').suggest()")
    editor.wait_for_ghost("ompute(first, second)")


def test_an_empty_request_is_explained(editor, model):
    """If it fails, requesting a suggestion does nothing and says nothing."""
    editor.open("total = ")
    editor.press("A")
    editor.lua("require('parrotlet').suggest()")
    said = editor.wait_until(lambda: editor.messages, "a sentence")
    assert said[0].startswith("Parrotlet: The model had nothing to suggest")


def test_text_after_the_cursor_is_kept(editor, model):
    """If it fails, a suggestion in the middle of a line overwrites the end of the line."""
    model.rules = [CALL]
    editor.open("total =  # keep")
    editor.press("0f=a ")
    editor.wait_for_ghost("compute(first, second)")
    editor.screen.wait_for(lambda f: f.rows[0] == "total = compute(first, second)  # keep")
    editor.press("<Tab>")
    editor.wait_until(
        lambda: editor.lines == ["total = compute(first, second)  # keep"], "acceptance"
    )


def test_a_change_after_the_cursor_hides_the_suggestion(editor, model):
    """If it fails, a suggestion made for another end of the line can be accepted."""
    model.rules = [CALL]
    editor.open("total =  # keep")
    editor.press("0f=a ")
    editor.wait_for_ghost(CALL[1])
    model.rules = []
    editor.lua("vim.api.nvim_buf_set_text(0, 0, 8, 0, 9, {})")
    assert editor.lines == ["total =  # keep"]
    editor.wait_for_no_ghost()


AUTO_CLOSE = "vim.keymap.set('i', '(', '()<C-g>U<Left>', { buffer = true })"


def test_an_auto_closed_bracket_is_not_doubled(editor, model):
    """If it fails, auto-closed brackets and suggestions make `))`."""
    model.rules = [("size = len(", "first) + 1")]
    editor.open("")
    editor.lua(AUTO_CLOSE)
    editor.press("i")
    editor.type("size = len(")
    editor.wait_for_ghost("first| + 1")
    editor.screen.wait_for(lambda f: f.rows[0] == "size = len(first) + 1")
    editor.press("<Tab>")
    editor.wait_until(lambda: editor.lines == ["size = len(first) + 1"], "acceptance")
    assert editor.cursor == (1, len("size = len(first) + 1"))


def test_a_suggestion_is_over_where_its_rest_is_behind_the_cursor(editor, model):
    """If it fails, Tab does nothing visible, and nothing is suggested, before a closing bracket."""
    model.rules = [("size = rows[", "first]]")]  # of which the server suggests one bracket
    editor.open("size = rows[]")
    editor.press("0f[a")
    editor.lua("require('parrotlet').suggest()")
    editor.wait_for_ghost("first")
    model.rules = [("size = rows[first", "_row")]
    editor.type("first")
    editor.wait_for_ghost("_row")
    assert editor.lines == ["size = rows[first]"]


def test_typing_an_auto_closing_bracket_keeps_the_suggestion(editor, model):
    """If it fails, ghost text disappears whenever one of its opening brackets is typed."""
    show_suggestion(editor, model, CALL)
    editor.lua(AUTO_CLOSE)
    editor.type("compute(")
    assert editor.lines == ["total = compute()"]
    assert editor.ghost == "first, second"
    editor.press("<Tab>")
    editor.wait_until(lambda: editor.lines == ["total = compute(first, second)"], "acceptance")


def test_an_auto_closed_bracket_before_several_lines_is_hidden(editor, model):
    """If it fails, a bracket appears in the middle of the block."""
    written = "size = max(width,\n               height)\n    return size"
    show_suggestion(editor, model, ("def area(width, height):\n    ", written))
    editor.lua(AUTO_CLOSE)
    editor.type("size = max(")
    assert editor.lines[1] == "    size = max()"
    assert editor.ghost == "width,\n               height)\n    return size"
    editor.screen.wait_for(
        lambda f: f.rows[1:4] == ("    size = max(width,", " " * 15 + "height)", "    return size")
    )
    editor.press("<Tab>")
    editor.wait_until(lambda: editor.lines[1:] == ("    " + written).split("\n"), "acceptance")


@pytest.mark.parametrize(
    ("before", "written"),
    [
        pytest.param("flag = '🏳️‍🌈🦜', ", "'🦜🦜'", id="astral"),
        pytest.param("name = 'e\u0301', ", "'o\u0308'", id="combining"),
        pytest.param("word = 'שלום', ", "'مرحبا'", id="right-to-left"),
        pytest.param("変数 = '値', ", "'日本語'", id="wide"),
    ],
)
def test_text_outside_ascii(editor, model, before, written):
    """If it fails, text outside ASCII shifts or breaks what is inserted."""
    show_suggestion(editor, model, (before, written))
    first = written[0]
    editor.type(first)
    assert editor.ghost == written[1:]
    editor.press("<Tab>")
    editor.wait_until(lambda: editor.lines == [before + written], "acceptance")
    assert editor.cursor == (1, len((before + written).encode()))


def test_crlf_files_stay_crlf(editor, model):
    """If it fails, a file's line ends are mixed."""
    model.rules = [BODY]
    path = editor.open("import os\r\n\r\ndef area(width, height):\r\n")
    assert editor.lua("return vim.bo.fileformat") == "dos"
    editor.press("o")
    editor.wait_for_ghost(BODY[1])
    editor.press("<Tab><Esc>")
    editor.command("silent write")
    assert path.read_bytes().decode() == (
        "import os\r\n\r\ndef area(width, height):\r\n"
        "    size = width * height\r\n    return size\r\n"
    )


def test_tabs_are_drawn_at_their_real_width(editor, model):
    """If it fails, blocks in files that indent with tabs seem to be indented differently."""
    block = ["for each in width:\t# all", "\t\treturn each"]
    model.rules = [("def area(width):\n\t", "\n".join(block))]
    editor.open("def area(width):\n")
    editor.command("setlocal noexpandtab tabstop=4 shiftwidth=4")
    editor.press("o")
    editor.wait_until(lambda: editor.ghost, "ghost text")
    painted = tuple(line.expandtabs(4) for line in ("\t" + block[0], block[1]))
    editor.screen.wait_for(lambda f: f.rows[1:3] == painted)
    editor.press("<Tab>")
    editor.wait_until(lambda: editor.lines[1:] == ["\t" + block[0], block[1]], "acceptance")


def test_two_windows_on_one_file(editor, model):
    """If it fails, accepting in one window moves the cursor of the other."""
    show_suggestion(editor, model, CALL, "import os\n")
    editor.press("<Esc>")
    editor.command("split")
    editor.command("normal! gg0")
    editor.press("<C-w>jG0C")
    editor.type("total = ")
    editor.wait_for_ghost(CALL[1])
    editor.press("<Tab>")
    editor.wait_until(lambda: editor.lines[1] == "".join(CALL), "acceptance")
    assert editor.cursor == (2, len("".join(CALL)))
    cursors = editor.lua(
        "return vim.tbl_map(vim.api.nvim_win_get_cursor, vim.api.nvim_list_wins())"
    )
    assert [tuple(cursor) for cursor in cursors] == [(1, 0), editor.cursor]


def test_an_edit_above_moves_the_suggestion(editor, model):
    """If it fails, a formatter or a second window that edits above breaks what is accepted."""
    show_suggestion(editor, model, CALL, "import os\n")
    editor.lua("vim.api.nvim_buf_set_lines(0, 0, 0, false, { '# one', '# two' })")
    editor.press("<Tab>")
    editor.wait_until(lambda: editor.lines[-1] == "".join(CALL), "acceptance")
    assert editor.lines == ["# one", "# two", "import os", "".join(CALL)]
