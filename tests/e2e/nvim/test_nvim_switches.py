"""Turning suggestions off and on in real Neovims, and limiting their length."""

import json

import pytest
from nvim_editor import CALL, make_setup

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

BODY = ("def area(width, height):\n    ", "size = width * height\n    return size")


@pytest.fixture
def scripted(model):
    model.rules = [CALL, BODY]
    return model


def has_suggestion(editor):
    """Types a prefix with a known suggestion; returns whether the suggestion appears."""
    n_requests = editor.n_requests
    editor.press("<Esc>ggcG")
    editor.type(CALL[0])
    is_asked = editor.n_requests > n_requests
    if is_asked:
        editor.wait_for_ghost(CALL[1])
    assert bool(editor.ghost) is is_asked
    editor.press("<Esc>")
    return is_asked


def run_parrotlet(editor, arguments):
    editor.command(f"Parrotlet {arguments}")


@pytest.mark.parametrize("scope", ["", "everywhere", "language", "workspace", "file"])
def test_turning_suggestions_off_and_on(editor, scripted, scope):
    """If it fails, a user cannot turn suggestions off, or not on again."""
    editor.open("")
    assert has_suggestion(editor)
    run_parrotlet(editor, f"disable {scope}")
    status = editor.status
    assert status["state"] == "off"
    assert editor.messages[-1] == f"Parrotlet: {status['reason']}"
    back = f":Parrotlet enable {scope}".removesuffix("everywhere").strip()
    assert status["reason"].endswith(f"({back})")
    assert not has_suggestion(editor)
    run_parrotlet(editor, f"enable {scope}")
    assert editor.status["state"] != "off"
    assert has_suggestion(editor)
    run_parrotlet(editor, f"toggle {scope}")
    assert not has_suggestion(editor)
    run_parrotlet(editor, f"toggle {scope}")
    assert has_suggestion(editor)


def test_turning_suggestions_off_hides_ghost_text(editor, scripted):
    """If it fails, ghost text stays although suggestions are off."""
    editor.open("")
    editor.press("i")
    editor.type(CALL[0])
    editor.wait_for_ghost(CALL[1])
    editor.lua("require('parrotlet.suggestions.enablement').set_enabled(false)")
    assert not editor.ghost


def test_turning_off_a_file_affects_no_other(editor, scripted):
    """If it fails, turning off one file turns off more than that."""
    editor.open("", "one.py")
    run_parrotlet(editor, "disable file")
    editor.open("", "two.py")
    assert has_suggestion(editor)


@pytest.mark.newest_neovim("a file of ours decides")
def test_a_workspace_stays_off_in_the_next_session(start_editor, scripted, tmp_path):
    """If it fails, a project that was turned off shows suggestions again the next day."""
    home = tmp_path / "kept"
    env = {"XDG_DATA_HOME": str(home)}
    for folder in ("shop", "blog"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "pyproject.toml").touch()
    first = start_editor(make_setup(enabled=False), env=env)  # and so without a server
    first.folder = tmp_path
    first.lua("vim.cmd.edit(...)", str(first.write("shop/deep/one.py", "")))
    run_parrotlet(first, "disable workspace")
    stored = json.loads((home / "nvim" / "parrotlet" / "workspaces.json").read_text())
    assert stored == {str((tmp_path / "shop").resolve()): False}
    second = start_editor(make_setup(settings=scripted.settings), env=env)
    second.folder = tmp_path
    second.open("", "blog/two.py")
    second.lua("vim.cmd.edit(...)", str(second.write("shop/three.py", "")))
    assert second.status["reason"].startswith("off in this workspace")
    assert not has_suggestion(second)
    run_parrotlet(second, "enable workspace")
    second.wait_for_server()
    assert has_suggestion(second)


FILL_DISK = """
local open = io.open
io.open = function(path, mode)
  local file = open(path, mode)
  if mode ~= 'w' then return file end
  file:close() -- with nothing in it
  local function fail() return nil, 'No space left on device' end
  return { write = fail, close = fail }
end
"""


@pytest.mark.newest_neovim("a file of ours decides")
def test_decisions_about_workspaces_survive_a_full_disk(start_editor, tmp_path):
    """If it fails, a full disk turns suggestions on in all projects where they were turned off."""
    editor = start_editor(make_setup(enabled=False), env={"XDG_DATA_HOME": str(tmp_path)})
    run_parrotlet(editor, "disable workspace")
    stored = tmp_path / "nvim" / "parrotlet" / "workspaces.json"
    before = stored.read_text()
    editor.lua(FILL_DISK)
    run_parrotlet(editor, "enable workspace")
    assert "this lasts until you leave Neovim" in " ".join(full_messages(editor))
    assert [path.read_text() for path in stored.parent.glob("workspaces*")] == [before]


def full_messages(editor):
    """Returns all messages, as :Parrotlet messages shows them."""
    editor.command("Parrotlet messages")
    return editor.lua(
        "for _, window in ipairs(vim.api.nvim_list_wins()) do"
        " if vim.api.nvim_win_get_config(window).relative ~= '' then"
        " return vim.api.nvim_buf_get_lines(vim.api.nvim_win_get_buf(window), 0, -1, false)"
        " end end"
    )


def test_variables_turn_suggestions_off(editor, scripted):
    """If it fails, a user's autocommand for some files does nothing."""
    editor.open("")
    editor.lua("vim.b.parrotlet_enabled = false")
    assert not has_suggestion(editor)
    editor.lua("vim.b.parrotlet_enabled = nil; vim.g.parrotlet_enabled = false")
    assert not has_suggestion(editor)
    editor.lua("vim.g.parrotlet_enabled = nil")
    assert has_suggestion(editor)


@pytest.mark.parametrize("kind", ["b", "g"])
@pytest.mark.parametrize(("off", "on"), [("0", "1"), ("v:false", "v:true")])
def test_variables_of_vimscript_turn_suggestions_off(editor, scripted, kind, off, on):
    """If it fails, `let g:parrotlet_enabled = 0` in a vimrc does nothing."""
    editor.open("")
    editor.command(f"let {kind}:parrotlet_enabled = {off}")
    assert not has_suggestion(editor)
    assert editor.status["state"] == "off"
    editor.command(f"let {kind}:parrotlet_enabled = {on}")
    assert has_suggestion(editor)
    init = make_setup(settings=scripted.settings, enabled=False)
    editor.lua("assert(loadstring(...))()", init)
    assert has_suggestion(editor)


def test_a_snooze_ends_by_itself(editor, scripted):
    """If it fails, suggestions stay away for good, or do not pause."""
    editor.open("")
    run_parrotlet(editor, "snooze 30")
    assert editor.status["reason"].startswith("snoozed until ")
    assert not has_suggestion(editor)
    run_parrotlet(editor, "snooze 0.005")
    editor.wait_until(lambda: editor.status["state"] != "off", "the end of the snooze")
    assert has_suggestion(editor)
    run_parrotlet(editor, "snooze")
    editor.press("A")
    editor.lua("require('parrotlet').suggest()")
    editor.wait_for_ghost(CALL[1])
    assert not has_suggestion(editor)
    run_parrotlet(editor, "enable")
    assert has_suggestion(editor)
    run_parrotlet(editor, "snooze soon")
    assert editor.messages[-1] == "Parrotlet: use a number of minutes, not 'soon'"


@pytest.mark.parametrize("glob", ["secret_*.py", "**/generated/*.py", "generated/**"])
def test_excluded_files_are_never_sent(editor, scripted, glob):
    """If it fails, the text of an excluded file is sent to the server."""
    init = make_setup(settings=scripted.settings, excluded_files=[glob])
    editor.lua("assert(loadstring(...))()", init)
    editor.write("pyproject.toml", "")
    excluded = editor.write("generated/secret_one.py", "")
    editor.lua("vim.cmd.edit(...)", str(excluded))
    assert f'"{glob}" (option: excluded_files)' in editor.status["reason"]
    assert not has_suggestion(editor)
    attached = "return #vim.lsp.get_clients({ bufnr = 0, name = 'parrotlet' })"
    assert editor.lua(attached) == 0
    editor.lua("vim.cmd.edit(...)", str(editor.write("plain.py", "")))
    editor.wait_for_server()
    assert has_suggestion(editor)


def test_only_the_languages_of_the_option_are_completed(editor, scripted):
    """If it fails, prose gets Python's suggestions."""
    editor.lua("vim.cmd.edit(...)", str(editor.write("notes.txt", "")))
    assert '"text" files' in editor.status["reason"]
    assert editor.lua("return require('parrotlet').statusline()") == ""
    assert not has_suggestion(editor)
    editor.lua("vim.bo.filetype = 'python'")
    editor.wait_for_server()
    assert has_suggestion(editor)
    editor.lua("vim.bo.filetype = 'text'")
    assert not has_suggestion(editor)


@pytest.mark.newest_neovim("an option of ours decides")
def test_the_option_enabled(start_editor, scripted):
    """If it fails, `enabled = false` starts a server all the same, or can never be undone."""
    editor = start_editor(make_setup(settings=scripted.settings, enabled=False))
    editor.lua("vim.cmd.edit(...)", str(editor.write("one.py", "")))
    assert editor.status["reason"].startswith("off by default")
    assert editor.lua("return #vim.lsp.get_clients()") == 0
    run_parrotlet(editor, "enable file")
    editor.wait_for_server()
    assert has_suggestion(editor)
    editor.lua("vim.cmd.edit(...)", str(editor.write("two.py", "")))
    assert editor.status["state"] == "off"


def test_the_extent_limits_suggestions(editor, scripted):
    """If it fails, users cannot choose between short and long suggestions."""

    def is_suggested(text):
        editor.press("<Esc>cc")
        editor.wait_until(lambda: editor.ghost, "ghost text")
        return editor.ghost == text

    editor.open(BODY[0].splitlines()[0] + "\n")
    editor.press("o")
    editor.wait_for_ghost(BODY[1])
    run_parrotlet(editor, "extent line")
    editor.wait_until(lambda: is_suggested("size = width * height"), "a line")
    run_parrotlet(editor, "extent auto")
    editor.wait_until(lambda: is_suggested(BODY[1]), "a block")
    run_parrotlet(editor, "extent page")
    assert editor.messages[-1] == "Parrotlet: use auto, line, block or function, not 'page'"


def test_an_unknown_scope_is_reported(editor, scripted):
    """If it fails, a typing mistake turns nothing off and says nothing."""
    editor.open("")
    run_parrotlet(editor, "disable town")
    assert editor.messages == ["Parrotlet: use everywhere, language, workspace or file, not 'town'"]
