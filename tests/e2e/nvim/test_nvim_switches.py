"""Where and when something is suggested, as users decide it; in real Neovims."""

import json

import pytest
from nvim_editor import CALL, setup

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(60)]

BODY = ("def area(width, height):\n    ", "size = width * height\n    return size")


@pytest.fixture
def scripted(model):
    model.rules = [CALL, BODY]
    return model


def is_suggested_here(editor):
    """Types what is always answered; says whether it is, and gives the buffer back empty."""
    n_asked = editor.n_asked
    editor.keys("<Esc>ggcG")
    editor.type(CALL[0])
    is_asked = editor.n_asked > n_asked
    if is_asked:
        editor.wait_for_ghost(CALL[1])
    assert bool(editor.ghost) is is_asked
    editor.keys("<Esc>")
    return is_asked


def command(editor, words):
    editor.command(f"Parrotlet {words}")


@pytest.mark.parametrize("scope", ["", "everywhere", "language", "workspace", "file"])
def test_off_and_on_again(editor, scripted, scope):
    """If it fails, a user cannot get rid of suggestions, or not get them back."""
    editor.open("")
    assert is_suggested_here(editor)
    command(editor, f"disable {scope}")
    status = editor.status
    assert status["state"] == "off"
    assert editor.said[-1] == f"Parrotlet: {status['reason']}"
    back = f":Parrotlet enable {scope}".removesuffix("everywhere").strip()
    assert status["reason"].endswith(f"({back})")
    assert not is_suggested_here(editor)
    command(editor, f"enable {scope}")
    assert editor.status["state"] != "off"
    assert is_suggested_here(editor)
    command(editor, f"toggle {scope}")
    assert not is_suggested_here(editor)
    command(editor, f"toggle {scope}")
    assert is_suggested_here(editor)


def test_what_is_shown_goes_when_it_is_switched_off(editor, scripted):
    editor.open("")
    editor.keys("i")
    editor.type(CALL[0])
    editor.wait_for_ghost(CALL[1])
    editor.lua("require('parrotlet.suggestions.enablement').set_enabled(false)")
    assert not editor.ghost


def test_a_file_that_is_off_leaves_the_others_on(editor, scripted):
    """If it fails, switching off one file switches off more than that."""
    editor.open("", "one.py")
    command(editor, "disable file")
    editor.open("", "two.py")
    assert is_suggested_here(editor)


def test_a_workspace_stays_off_until_it_is_switched_on(
    start_editor, editor, scripted, tmp_path, version
):
    """If it fails, a project that one has switched off asks again the next day."""
    home = tmp_path / "kept"
    env = {"XDG_DATA_HOME": str(home)}
    for folder in ("shop", "blog"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "pyproject.toml").touch()
    first = start_editor(setup(enabled=False), env=env)  # and so without a server
    first.folder = tmp_path
    first.lua("vim.cmd.edit(...)", str(first.write("shop/deep/one.py", "")))
    command(first, "disable workspace")
    stored = json.loads((home / "nvim" / "parrotlet" / "workspaces.json").read_text())
    assert stored == {str((tmp_path / "shop").resolve()): False}
    second = start_editor(setup(settings=scripted.settings), env=env)
    second.folder = tmp_path
    second.open("", "blog/two.py")
    second.lua("vim.cmd.edit(...)", str(second.write("shop/three.py", "")))
    assert second.status["reason"].startswith("off in this workspace")
    assert not is_suggested_here(second)
    command(second, "enable workspace")
    second.wait_for_server()
    assert is_suggested_here(second)


def test_variables_switch_too(editor, scripted):
    """If it fails, a user's autocommand for some files does nothing."""
    editor.open("")
    editor.lua("vim.b.parrotlet_enabled = false")
    assert not is_suggested_here(editor)
    editor.lua("vim.b.parrotlet_enabled = nil; vim.g.parrotlet_enabled = false")
    assert not is_suggested_here(editor)
    editor.lua("vim.g.parrotlet_enabled = nil")
    assert is_suggested_here(editor)


def test_a_snooze_ends_by_itself(editor, scripted):
    """If it fails, suggestions stay away for good, or do not rest at all."""
    editor.open("")
    command(editor, "snooze 0.02")
    assert editor.status["reason"].startswith("snoozed until ")
    assert not is_suggested_here(editor)
    editor.until(lambda: editor.status["state"] != "off", "the end of the snooze")
    assert is_suggested_here(editor)
    command(editor, "snooze")
    editor.keys("A")
    editor.lua("require('parrotlet').suggest()")
    editor.wait_for_ghost(CALL[1])
    assert not is_suggested_here(editor)
    command(editor, "enable")
    assert is_suggested_here(editor)
    command(editor, "snooze soon")
    assert editor.said[-1] == "Parrotlet: use a number of minutes, not 'soon'"


@pytest.mark.parametrize("glob", ["secret_*.py", "**/generated/*.py", "generated/**"])
def test_excluded_files_are_never_sent(editor, scripted, glob):
    """If it fails, the text of a file that was left out goes to the server all the same."""
    init = setup(settings=scripted.settings, excluded_files=[glob])
    editor.lua("assert(loadstring(...))()", init)
    editor.write("pyproject.toml", "")
    excluded = editor.write("generated/secret_one.py", "")
    editor.lua("vim.cmd.edit(...)", str(excluded))
    assert f'"{glob}" (option: excluded_files)' in editor.status["reason"]
    assert not is_suggested_here(editor)
    attached = "return #vim.lsp.get_clients({ bufnr = 0, name = 'parrotlet' })"
    assert editor.lua(attached) == 0
    editor.lua("vim.cmd.edit(...)", str(editor.write("plain.py", "")))
    editor.wait_for_server()
    assert is_suggested_here(editor)


def test_languages_are_those_of_the_option(editor, scripted):
    """If it fails, prose gets Python's suggestions."""
    editor.lua("vim.cmd.edit(...)", str(editor.write("notes.txt", "")))
    assert '"text" files' in editor.status["reason"]
    assert editor.lua("return require('parrotlet').statusline()") == ""
    assert not is_suggested_here(editor)
    editor.lua("vim.bo.filetype = 'python'")
    editor.wait_for_server()
    assert is_suggested_here(editor)
    editor.lua("vim.bo.filetype = 'text'")
    assert not is_suggested_here(editor)


def test_off_from_the_start_until_it_is_switched_on(start_editor, scripted):
    """If it fails, the option enabled starts a server nobody wants, or can never be undone."""
    editor = start_editor(setup(settings=scripted.settings, enabled=False))
    editor.lua("vim.cmd.edit(...)", str(editor.write("one.py", "")))
    assert editor.status["reason"].startswith("off by default")
    assert editor.lua("return #vim.lsp.get_clients()") == 0
    command(editor, "enable file")
    editor.wait_for_server()
    assert is_suggested_here(editor)
    editor.lua("vim.cmd.edit(...)", str(editor.write("two.py", "")))
    assert editor.status["state"] == "off"


def test_lines_or_blocks(editor, scripted):
    """If it fails, one cannot choose between short and long suggestions."""

    def is_suggested(text):
        editor.keys("<Esc>cc")
        editor.until(lambda: editor.ghost, "ghost text")
        return editor.ghost == text

    editor.open(BODY[0].splitlines()[0] + "\n")
    editor.keys("o")
    editor.wait_for_ghost(BODY[1])
    command(editor, "extent line")
    editor.until(lambda: is_suggested("size = width * height"), "a line")
    command(editor, "extent auto")
    editor.until(lambda: is_suggested(BODY[1]), "a block")
    command(editor, "extent page")
    assert editor.said[-1] == "Parrotlet: use auto, line, block or function, not 'page'"


def test_a_scope_that_is_none_is_said(editor, scripted):
    editor.open("")
    command(editor, "disable town")
    assert editor.said == ["Parrotlet: use everywhere, language, workspace or file, not 'town'"]
