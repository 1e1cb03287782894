"""Setting up the plugin: the READMEs' configurations, plugin managers, options and keys."""

import json
import os
import sys
import time

import pytest
from markdown_text import code_blocks
from nvim_editor import (
    BUILT_IN_NAMESPACE,
    CALL,
    IDIOM,
    PLUGIN,
    READ_GHOST_TEXT,
    ROOT,
    make_setup,
    wait_for_suggestion,
)

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

SETTINGS = "parrotlet.settings.server_settings"
BUILT_IN_DELAY_S = 0.2  # before Neovim's own ghost text sends a request


def read_lua_blocks(page):
    return code_blocks(page.read_text(encoding="utf-8"), "lua")


def test_the_readmes_configuration_is_sufficient(start_editor, tmp_path):
    """If it fails, the first thing that a new user does has no effect.

    Parrotlet is where the READMEs expect it in the home folder; the model is the bundled one.
    """
    pages = [ROOT / "README.md", PLUGIN / "README.md"]
    config, same = (
        next(b for b in read_lua_blocks(page) if "runtimepath:append" in b) for page in pages
    )
    assert config == same
    assert len(config.splitlines()) <= 4
    home = tmp_path / "home"
    home.mkdir()
    (home / "parrotlet").symlink_to(ROOT)
    editor = start_editor(config, home=home, plugin=None, env={"HOME": str(home)})
    editor.open(IDIOM[0])
    editor.press("o")
    editor.type(IDIOM[1])
    ghost = editor.wait_until(lambda: editor.ghost, "ghost text")
    before = editor.text
    editor.press("<Tab>")
    editor.wait_until(lambda: editor.text == before + ghost, "acceptance")
    assert editor.messages == []


@pytest.fixture
def on_path(tmp_path):
    """A PATH with the server's executable."""
    program = tmp_path / "bin" / "parrotlet-server"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m server "$@"\n')
    program.chmod(0o755)
    return f"{program.parent}:{os.environ['PATH']}"


def test_neovim_0_12_works_without_the_plugin(start_editor, version, model, on_path):
    """If it fails, the three lines for people without the plugin show nothing.

    Neovim 0.11 has no ghost text of its own; there, the lines raise an error.
    """
    blocks = read_lua_blocks(PLUGIN / "README.md")
    lines = next(b for b in blocks if "vim.lsp.inline_completion.enable()" in b)
    assert len(lines.splitlines()) == 3
    options = f"{{ init_options = vim.json.decode([==[{json.dumps(model.settings)}]==]) }}"
    config = f"vim.lsp.config('parrotlet', {options})\n"
    if version == "0.11":
        lines = f"local is_there = pcall(function()\n{lines}end)\nvim.notify(tostring(is_there))\n"
    editor = start_editor(config + lines, plugin=None, env={"PATH": on_path})
    if version == "0.11":
        assert editor.messages == ["false"]
        return
    model.rules = [CALL]
    path = editor.write("one.py", "")
    editor.lua("vim.cmd.edit(...)", str(path))
    editor.wait_until(
        lambda: editor.lua("return #vim.lsp.get_clients({ bufnr = 0, name = 'parrotlet' })"),
        "the server",
    )
    editor.press("i")
    editor.type(CALL[0])
    editor.wait_until(
        lambda: editor.lua(READ_GHOST_TEXT, BUILT_IN_NAMESPACE) == CALL[1],
        "Neovim's own ghost text",
    )
    editor.lua("vim.lsp.inline_completion.get()")
    editor.wait_until(lambda: editor.lines == ["".join(CALL)], "acceptance")


@pytest.mark.newest_neovim("0.11 has no ghost text of its own")
def test_neovims_own_ghost_text_does_not_duplicate_ours(start_editor, model):
    """If it fails, users who enabled Neovim's ghost text for another server see ours twice."""
    enable = "vim.lsp.inline_completion.enable()\n"
    editor = start_editor(enable + make_setup(settings=model.settings))
    model.rules = [CALL]
    editor.open("")
    editor.press("i")
    editor.type(CALL[0])
    editor.wait_for_ghost(CALL[1])
    n_requests = editor.n_requests
    time.sleep(2 * BUILT_IN_DELAY_S)
    assert editor.n_requests == n_requests
    assert editor.lua(READ_GHOST_TEXT, BUILT_IN_NAMESPACE) == ""


def test_nothing_is_loaded_before_the_first_supported_file(start_editor):
    """If it fails, Parrotlet slows down every start of Neovim."""
    editor = start_editor("")
    editor.lua("vim.cmd.edit(...)", str(editor.write("notes.txt", "")))
    loaded = editor.lua(
        "return vim.tbl_filter(function(n) return vim.startswith(n, 'parrotlet') end,"
        " vim.tbl_keys(package.loaded))"
    )
    assert sorted(loaded) == ["parrotlet", "parrotlet.config"]
    assert editor.lua("return #vim.lsp.get_clients()") == 0
    assert editor.lua("return vim.fn.exists(':Parrotlet')") == 2


@pytest.mark.newest_neovim("setup() itself looks for open files")
def test_lazy_loading_completes_the_open_files(start_editor, model):
    """If it fails, plugin managers that load it for Python files load it too late.

    They add the plugin to the path when a file of its type is opened, source it, and call setup()
    with the user's options.
    """
    editor = start_editor("", plugin=None)
    editor.lua("vim.cmd.edit(...)", str(editor.write("one.py", "")))
    load = f"""
    vim.opt.runtimepath:append({str(PLUGIN)!r})
    vim.cmd.source({str(PLUGIN / "plugin" / "parrotlet.lua")!r})
    {make_setup(settings=model.settings)}
    """
    editor.lua(load)
    editor.wait_for_server()
    model.rules = [CALL]
    editor.press("i")
    editor.type(CALL[0])
    editor.wait_for_ghost(CALL[1])


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
def test_a_wrong_option_is_reported_in_one_sentence(editor, options, sentence):
    """If it fails, a typing mistake in a configuration goes unnoticed, or is a traceback."""
    editor.lua(f"require('parrotlet').setup({options})")
    assert editor.messages == [f"Parrotlet: {sentence}"]
    off = "setup() was given a wrong option (:Parrotlet messages)"
    assert editor.status == {"state": "off", "reason": f"off: {off}"}
    editor.command("Parrotlet why")
    assert editor.messages[-1] == f"Parrotlet: {off}"
    editor.lua("vim.cmd.edit(...)", str(editor.write("one.py", "")))
    editor.press("ix<Tab>")
    assert editor.lines == ["x   "]


def test_files_may_be_closed_while_the_options_are_wrong(editor, model):
    """If it fails, the corrected configuration ends in an error that waits for a key."""
    editor.open("", "one.py")
    editor.lua("require('parrotlet').setup({ servr = {} })")
    editor.command("bwipeout!")
    editor.lua("assert(loadstring(...))()", make_setup(settings=model.settings))
    wait_for_suggestion(editor, model)


def test_empty_groups_of_settings_are_defaults(start_editor, model):
    """If it fails, a group whose last line was commented out is reported as a wrong setting."""
    editor = start_editor("")
    empty = "suggestion = {}, engine = {}, private_globs = {}, context = {}"
    editor.lua(f"require('parrotlet').setup({{ settings = {{ {empty} }} }})")
    assert editor.lua("return vim.json.encode(require(...).get_all())", SETTINGS) == "{}"
    given = {**model.settings, "private_globs": ["secret.py"], "event_log": ""}
    editor.lua(make_setup(settings=given | {"adaptation": {}}))
    editor.lua("require(...).change({ ['engine.threads'] = 1 })", SETTINGS)
    all_settings = given | {"engine": {**given.get("engine", {}), "threads": 1}}
    assert editor.lua("return require(...).get_all()", SETTINGS) == all_settings


@pytest.mark.newest_neovim("the server checks its settings")
def test_a_wrong_setting_is_reported_by_the_server(start_editor, model):
    """If it fails, a typing mistake in the server's settings goes unnoticed."""
    settings = model.settings | {"sugestion": {"extent": "line"}}
    editor = start_editor(make_setup(settings=settings))
    editor.lua("vim.cmd.edit(...)", str(editor.write("one.py", "")))
    said = editor.wait_until(lambda: editor.messages, "a sentence")
    assert "sugestion" in said[0]


def test_keys_fall_back_to_other_mappings(editor, model):
    """If it fails, installing the plugin takes keys away."""
    editor.lua("vim.keymap.set('i', '<Tab>', function() return 'GLOBAL' end, { expr = true })")
    editor.open("")
    editor.press("i<Tab>")
    assert editor.lines == ["GLOBAL"]
    editor.lua("vim.keymap.del('i', '<Tab>')")
    editor.press("<C-u><Tab>")
    assert editor.lines == ["    "]
    editor.press("<Esc>")
    editor.lua(
        "vim.api.nvim_create_autocmd('FileType', { pattern = 'python', once = true,"
        " callback = function() vim.keymap.set('i', '<Tab>', 'OWN', { buffer = true }) end })"
    )
    editor.open("", "other.py")
    editor.press("i<Tab>")
    assert editor.lines == ["OWN"]
    model.rules = [CALL]
    editor.press("<C-u>")
    editor.type(CALL[0])
    editor.wait_for_ghost(CALL[1])
    editor.press("<Tab>")
    editor.wait_until(lambda: editor.lines == ["".join(CALL)], "acceptance")


def test_every_action_can_have_another_key(editor, model):
    """If it fails, an option of `keys` does nothing."""
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
    init = make_setup(settings=model.settings, keys=keys, automatic=False)
    editor.lua("assert(loadstring(...))()", init)
    model.rules = [("total = ", "sum(values) + 1"), ("total = ", "0")]
    editor.open("")
    editor.press("i")
    editor.type("total = ")
    assert editor.n_requests == 0
    editor.press("<F7>")
    editor.wait_for_ghost("sum(values) + 1")
    editor.press("<F4>")
    editor.wait_for_ghost("0 (2/2)")
    editor.press("<F5>")
    assert editor.ghost == "sum(values) + 1 (1/2)"
    editor.press("<F2>")
    assert editor.lines == ["total = sum"]
    editor.press("<F6>")
    assert not editor.ghost
    editor.press("<F7>")
    editor.wait_until(lambda: editor.ghost, "ghost text")
    editor.press("<F3>")
    assert editor.lines == ["total = sum(values) + 1"]
    editor.press("<C-u>")
    editor.type("total = ")
    editor.press("<F7>")
    editor.wait_until(lambda: editor.ghost, "ghost text")
    editor.press("<F1>")
    editor.wait_until(lambda: editor.lines == ["total = sum(values) + 1"], "acceptance")


@pytest.fixture
def map_key(editor):
    """Maps a key in Insert mode to a text, until the test ends."""
    mapped = []

    def map_one(key, text):
        editor.lua("vim.keymap.set('i', ...)", key, text)
        mapped.append(key)

    yield map_one
    for key in mapped:
        editor.lua("vim.keymap.del('i', ...)", key)


def press_with_suggestion(editor, model, key):
    """Presses a key while a suggestion is visible; returns the resulting text."""
    model.rules = [("total = ", "sum(values) + 1"), ("total = ", "0")]
    editor.press("<Esc>ggcG")
    editor.type("total = ")
    editor.wait_for_ghost("sum(values) + 1")
    editor.press(key)
    editor.lua("vim.wait(100)")
    return editor.text


def test_default_keys_act_on_a_visible_suggestion(editor, model):
    """If it fails, users cannot accept words and lines before they have read the help."""
    editor.open("")
    keys = editor.lua("return require('parrotlet.config').defaults.keys")
    assert press_with_suggestion(editor, model, keys["accept_word"]) == "total = sum"
    assert press_with_suggestion(editor, model, keys["accept_line"]) == "total = sum(values) + 1"
    assert press_with_suggestion(editor, model, keys["dismiss"]) == "total = "
    assert not editor.ghost
    editor.press(keys["suggest"])
    editor.wait_for_ghost("sum(values) + 1 (1/2)")
    editor.press(keys["next"])
    editor.wait_for_ghost("0 (2/2)")
    editor.press(keys["previous"])
    editor.wait_for_ghost("sum(values) + 1 (1/2)")
    editor.press(keys["accept"])
    editor.wait_until(lambda: editor.text == "total = sum(values) + 1", "acceptance")


def test_default_keys_keep_their_meaning_without_a_suggestion(editor, start_editor):
    """If it fails, installing the plugin takes keys away."""
    bare = start_editor(plugin=None)
    bare.lua("vim.cmd.edit(...)", str(bare.write("one.txt", "")))
    editor.open("")
    for key in ("<M-Right>", "<M-Down>", "<M-]>", "<M-[>"):
        for one in (editor, bare):
            one.press(f"<Esc>ggcGone two<CR>three<Up><Home>{key}x")
        assert editor.mode == bare.mode
        assert editor.text == bare.text, key
    for one in (editor, bare):
        one.command("iabbrev <buffer> teh the")
        one.press("<Esc><Esc>ggcGteh<C-]>")
        assert one.text == "the"


@pytest.mark.parametrize("is_later", [False, True], ids=["before", "later"])
def test_default_keys_do_not_override_the_users_mappings(editor, map_key, model, is_later):
    """If it fails, installing or updating the plugin overrides a user's own mapping."""
    if not is_later:
        map_key("<M-Right>", "MINE")
    editor.open("")
    if is_later:
        map_key("<M-Right>", "MINE")
    assert press_with_suggestion(editor, model, "<M-Right>") == "total = MINE"
    init = make_setup(settings=model.settings, keys={"accept_word": "<M-Right>"})
    editor.lua("assert(loadstring(...))()", init)
    editor.open("", "named.py")
    assert press_with_suggestion(editor, model, "<M-Right>") == "total = sum"


def test_a_chosen_key_is_not_used_by_another_action(editor, model):
    """If it fails, it depends on chance which of two actions a key has."""
    editor.lua(make_setup(settings=model.settings, keys={"accept_word": "<C-]>"}))
    editor.open("")
    assert press_with_suggestion(editor, model, "<C-]>") == "total = sum"


def test_mappings_are_removed_with_the_server(editor):
    """If it fails, a file that is no longer completed keeps the plugin's mappings."""
    editor.open("")
    mapped = "return vim.fn.maparg('<Tab>', 'i', false, true).desc or ''"
    assert editor.lua(mapped) == "Parrotlet: accept the suggestion"
    editor.lua("vim.bo.filetype = 'text'")
    assert not editor.lua(mapped).startswith("Parrotlet: ")
