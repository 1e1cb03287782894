"""How users get it: the README's lines, plugin managers, options and keys; in real Neovims."""

import json
import os
import re
import subprocess
import sys
import time

import pytest
from nvim_editor import BUILT_IN, CALL, GHOST, IDIOM, PLUGIN, ROOT, setup

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(90)]

BUILT_IN_WAITS_S = 0.2  # Neovim's own ghost text, before it asks


def lua_blocks(page):
    return re.findall(r"```lua\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize("page", ["README.md", "editor-client/nvim/README.md"])
def test_the_lines_of_a_readme_are_enough(start_editor, tmp_path, page):
    """If it fails, the first thing that a new user does brings nothing.

    The home folder is one where Parrotlet lies as the READMEs say; the model is the bundled one.
    """
    config = next(b for b in lua_blocks(ROOT / page) if "runtimepath:append" in b)
    assert len(config.splitlines()) <= 4
    home = tmp_path / "home"
    home.mkdir()
    (home / "parrotlet").symlink_to(ROOT)
    editor = start_editor(config, home=home, plugin=None, env={"HOME": str(home)})
    editor.open(IDIOM[0])
    editor.keys("o")
    editor.type(IDIOM[1])
    ghost = editor.until(lambda: editor.ghost, "ghost text")
    before = editor.text
    editor.keys("<Tab>")
    editor.until(lambda: editor.text == before + ghost, "acceptance")
    assert editor.said == []


@pytest.fixture
def on_path(tmp_path):
    """A folder with the server's program, as `pip install` makes it."""
    program = tmp_path / "bin" / "parrotlet-server"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m server "$@"\n')
    program.chmod(0o755)
    return f"{program.parent}:{os.environ['PATH']}"


def test_neovim_0_12_needs_no_plugin(start_editor, version, model, on_path):
    """If it fails, the three lines for people without the plugin show nothing.

    Neovim 0.11 has no ghost text of its own: there the lines say so themselves.
    """
    blocks = lua_blocks(PLUGIN / "README.md")
    lines = next(b for b in blocks if "vim.lsp.inline_completion.enable()" in b)
    assert len(lines.splitlines()) == 3
    options = f"{{ init_options = vim.json.decode([==[{json.dumps(model.settings)}]==]) }}"
    config = f"vim.lsp.config('parrotlet', {options})\n"
    if version == "0.11":
        lines = f"local is_there = pcall(function()\n{lines}end)\nvim.notify(tostring(is_there))\n"
    editor = start_editor(config + lines, plugin=None, env={"PATH": on_path})
    if version == "0.11":
        assert editor.said == ["false"]
        return
    model.rules = [CALL]
    path = editor.write("one.py", "")
    editor.lua("vim.cmd.edit(...)", str(path))
    editor.until(
        lambda: editor.lua("return #vim.lsp.get_clients({ bufnr = 0, name = 'parrotlet' })"),
        "the server",
    )
    editor.keys("i")
    editor.type(CALL[0])
    editor.until(lambda: editor.lua(GHOST, BUILT_IN) == CALL[1], "Neovim's own ghost text")
    editor.lua("vim.lsp.inline_completion.get()")
    editor.until(lambda: editor.lines == ["".join(CALL)], "acceptance")


def test_neovim_s_own_ghost_text_does_not_double_it(start_editor, version, model):
    """If it fails, who has enabled Neovim's ghost text for another server sees ours twice."""
    enable = "vim.lsp.inline_completion.enable()\n" if version == "0.12" else ""
    editor = start_editor(enable + setup(settings=model.settings))
    model.rules = [CALL]
    editor.open("")
    editor.keys("i")
    editor.type(CALL[0])
    editor.wait_for_ghost(CALL[1])
    n_asked = editor.n_asked
    time.sleep(2 * BUILT_IN_WAITS_S)
    assert editor.n_asked == n_asked
    assert editor.lua(GHOST, BUILT_IN) == ""


def test_nothing_is_loaded_before_there_is_something_to_complete(start_editor):
    """If it fails, Parrotlet slows every start of Neovim down."""
    editor = start_editor("")
    editor.lua("vim.cmd.edit(...)", str(editor.write("notes.txt", "")))
    loaded = editor.lua(
        "return vim.tbl_filter(function(n) return vim.startswith(n, 'parrotlet') end,"
        " vim.tbl_keys(package.loaded))"
    )
    assert sorted(loaded) == ["parrotlet", "parrotlet.config"]
    assert editor.lua("return #vim.lsp.get_clients()") == 0
    assert editor.lua("return vim.fn.exists(':Parrotlet')") == 2


def test_loaded_late_it_completes_the_files_that_are_open(start_editor, model):
    """If it fails, plugin managers that load it for Python files load it too late.

    What they do: put the plugin on the path when a file of its type is opened, source it, and call
    setup() with the user's options.
    """
    editor = start_editor("", plugin=None)
    editor.lua("vim.cmd.edit(...)", str(editor.write("one.py", "")))
    load = f"""
    vim.opt.runtimepath:append({str(PLUGIN)!r})
    vim.cmd.source({str(PLUGIN / "plugin" / "parrotlet.lua")!r})
    {setup(settings=model.settings)}
    """
    editor.lua(load)
    editor.wait_for_server()
    model.rules = [CALL]
    editor.keys("i")
    editor.type(CALL[0])
    editor.wait_for_ghost(CALL[1])


def test_the_client_s_defaults_are_those_that_are_listed(editor):
    """If it fails, VS Code, Neovim and the list of settings say different things."""
    listed = subprocess.run(
        [sys.executable, "-m", "server.cli", "settings", "--json"],
        check=True,
        capture_output=True,
    ).stdout
    wanted = {
        one["name"].removeprefix("client."): one["default"]
        for one in json.loads(listed)
        if one["name"].startswith("client.")
    }
    found = editor.lua("return vim.deepcopy(require('parrotlet.config').defaults)")
    assert {name: found[name] for name in wanted} == wanted
    assert set(found) - set(wanted) == {"keys", "settings"}


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ("{ servr = {} }", "unknown option 'servr'; did you mean 'server'?"),
        ("{ colour = 1 }", "unknown option 'colour'; see :help parrotlet-options"),
        ("{ languages = 'python' }", 'languages must be a list like { "python" }, not "python"'),
        ("{ enabled = 1 }", "enabled must be true or false, not 1"),
        ("{ extra_index_url = 'cpu' }", 'extra_index_url must be a URL or "", not "cpu"'),
        ("{ keys = { accept = 9 } }", 'keys.accept must be a key like "<Tab>" or false, not 9'),
        ("{ keys = { accep = 'x' } }", "unknown option 'keys.accep'; did you mean 'keys.accept'?"),
        ("'python'", "setup() takes a table of options, not a string"),
    ],
)
def test_a_wrong_option_is_said_in_one_sentence(editor, options, sentence):
    """If it fails, a typing mistake in a config goes unnoticed, or is a traceback."""
    editor.lua(f"require('parrotlet').setup({options})")
    assert editor.said == [f"Parrotlet: {sentence}"]
    off = "setup() was given a wrong option (:Parrotlet messages)"
    assert editor.status == {"state": "off", "reason": f"off: {off}"}
    editor.command("Parrotlet why")
    assert editor.said[-1] == f"Parrotlet: {off}"
    editor.lua("vim.cmd.edit(...)", str(editor.write("one.py", "")))
    editor.keys("ix<Tab>")
    assert editor.lines == ["x   "]


def test_a_wrong_setting_is_said_by_the_server(start_editor, model):
    """If it fails, a typing mistake in the server's settings goes unnoticed."""
    settings = model.settings | {"sugestion": {"extent": "line"}}
    editor = start_editor(setup(settings=settings))
    editor.lua("vim.cmd.edit(...)", str(editor.write("one.py", "")))
    said = editor.until(lambda: editor.said, "a sentence")
    assert "sugestion" in said[0]


def test_keys_fall_through_to_what_they_did_before(editor, model):
    """If it fails, installing the plugin takes keys away."""
    editor.lua("vim.keymap.set('i', '<Tab>', function() return 'GLOBAL' end, { expr = true })")
    editor.open("")
    editor.keys("i<Tab>")
    assert editor.lines == ["GLOBAL"]
    editor.lua("vim.keymap.del('i', '<Tab>')")
    editor.keys("<C-u><Tab>")
    assert editor.lines == ["    "]
    editor.keys("<Esc>")
    editor.lua(
        "vim.api.nvim_create_autocmd('FileType', { pattern = 'python', once = true,"
        " callback = function() vim.keymap.set('i', '<Tab>', 'OWN', { buffer = true }) end })"
    )
    editor.open("", "other.py")
    editor.keys("i<Tab>")
    assert editor.lines == ["OWN"]
    model.rules = [CALL]
    editor.keys("<C-u>")
    editor.type(CALL[0])
    editor.wait_for_ghost(CALL[1])
    editor.keys("<Tab>")
    editor.until(lambda: editor.lines == ["".join(CALL)], "acceptance")


def test_every_action_can_have_a_key(editor, model):
    """If it fails, an option of keys does nothing."""
    keys = {
        "accept": "<F1>",
        "accept_word": "<F2>",
        "accept_line": "<F3>",
        "next": "<F4>",
        "previous": "<F5>",
        "dismiss": "<F6>",
        "suggest": "<F7>",
    }
    assert set(keys) == set(editor.lua("return require('parrotlet.config').defaults.keys"))
    init = setup(settings=model.settings, keys=keys, automatic=False)
    editor.lua("assert(loadstring(...))()", init)
    model.rules = [("total = ", "sum(values) + 1"), ("total = ", "0")]
    editor.open("")
    editor.keys("i")
    editor.type("total = ")
    assert editor.n_asked == 0
    editor.keys("<F7>")
    editor.wait_for_ghost("sum(values) + 1 (1/2)")
    editor.keys("<F4>")
    assert editor.ghost == "0 (2/2)"
    editor.keys("<F5>")
    assert editor.ghost == "sum(values) + 1 (1/2)"
    editor.keys("<F2>")
    assert editor.lines == ["total = sum"]
    editor.keys("<F6>")
    assert not editor.ghost
    editor.keys("<F7>")
    editor.until(lambda: editor.ghost, "ghost text")
    editor.keys("<F3>")
    assert editor.lines == ["total = sum(values) + 1"]
    editor.keys("<C-u>")
    editor.type("total = ")
    editor.keys("<F7>")
    editor.until(lambda: editor.ghost, "ghost text")
    editor.keys("<F1>")
    editor.until(lambda: editor.lines == ["total = sum(values) + 1"], "acceptance")


def press_default(editor, model, key):
    """Presses a default key with a suggestion visible; says what becomes of line and ghost text."""
    model.rules = [("total = ", "sum(values) + 1"), ("total = ", "0")]
    editor.keys("<Esc>ggcG")
    editor.type("total = ")
    editor.wait_for_ghost("sum(values) + 1")
    editor.keys(key)
    editor.lua("vim.wait(100)")
    return editor.text


def test_the_default_keys_act_on_what_is_visible(editor, model):
    """If it fails, words, lines and alternatives cannot be had before one has read the help."""
    editor.open("")
    keys = editor.lua("return require('parrotlet.config').defaults.keys")
    assert press_default(editor, model, keys["accept_word"]) == "total = sum"
    assert press_default(editor, model, keys["accept_line"]) == "total = sum(values) + 1"
    assert press_default(editor, model, keys["dismiss"]) == "total = "
    assert not editor.ghost
    editor.keys(keys["suggest"])
    editor.wait_for_ghost("sum(values) + 1 (1/2)")
    editor.keys(keys["next"])
    editor.wait_for_ghost("0 (2/2)")
    editor.keys(keys["previous"])
    editor.wait_for_ghost("sum(values) + 1 (1/2)")
    editor.keys(keys["accept"])
    editor.until(lambda: editor.text == "total = sum(values) + 1", "acceptance")


def test_the_default_keys_do_what_they_did_without_a_suggestion(editor, start_editor):
    """If it fails, installing the plugin takes keys away."""
    bare = start_editor(plugin=None)
    bare.lua("vim.cmd.edit(...)", str(bare.write("one.txt", "")))
    editor.open("")
    for key in ("<M-Right>", "<M-Down>", "<M-]>", "<M-[>"):
        for one in (editor, bare):
            one.keys(f"<Esc>ggcGone two<CR>three<Up><Home>{key}x")
        assert editor.mode == bare.mode
        assert editor.text == bare.text, key
    for one in (editor, bare):
        one.command("iabbrev <buffer> teh the")
        one.keys("<Esc><Esc>ggcGteh<C-]>")
        assert one.text == "the"


@pytest.mark.parametrize("is_later", [False, True], ids=["before", "later"])
def test_a_key_of_the_users_is_not_taken_by_default(start_editor, model, is_later):
    """If it fails, installing the plugin, or updating it, overrides a user's own mapping."""
    mine = "vim.keymap.set('i', '<M-Right>', 'MINE')\n"
    editor = start_editor(("" if is_later else mine) + setup(settings=model.settings))
    editor.open("")
    if is_later:
        editor.lua(mine)
    assert press_default(editor, model, "<M-Right>") == "total = MINE"
    init = setup(settings=model.settings, keys={"accept_word": "<M-Right>"})
    editor.lua("assert(loadstring(...))()", init)
    editor.open("", "named.py")
    assert press_default(editor, model, "<M-Right>") == "total = sum"


def test_a_key_that_is_chosen_for_one_action_is_no_other_ones_default(start_editor, model):
    """If it fails, it depends on chance which of two actions a key has."""
    keys = {"accept_word": "<C-]>"}
    editor = start_editor(setup(settings=model.settings, keys=keys))
    editor.open("")
    assert press_default(editor, model, "<C-]>") == "total = sum"


def test_keys_are_given_back_with_the_buffer(editor):
    """If it fails, a file that is no longer completed keeps the plugin's mappings."""
    editor.open("")
    mapped = "return vim.fn.maparg('<Tab>', 'i', false, true).desc or ''"
    assert editor.lua(mapped) == "Parrotlet: accept the suggestion"
    editor.lua("vim.bo.filetype = 'text'")
    assert not editor.lua(mapped).startswith("Parrotlet: ")
