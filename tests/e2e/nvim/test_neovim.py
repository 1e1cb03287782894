"""Ghost text in a real Neovim, from the real server and the bundled model."""

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

TEXT = """import os
import sys


def read_lines(path):
    with open(path) as handle:
        return handle.readlines()


def main():
"""


def shown(editor):
    ghosts = editor.until(lambda: editor.ghosts, "ghost text")
    assert len(ghosts) == 1
    return ghosts[0]


def type_until_shown(editor):
    """Types a line bit by bit, as a user does until something helpful appears."""
    editor.nvim.input("Go")
    editor.type("    for line in read_li")
    return shown(editor)


def test_tab_accepts_what_the_ghost_shows(open_editor):
    """The product in one test: if it fails, nobody gets completions."""
    editor = open_editor(TEXT)
    editor.wait_for_server()
    ghost = type_until_shown(editor)
    before = editor.lines
    editor.nvim.input("<Tab>")
    editor.until(lambda: editor.lines != before, "the accepted text")
    expected = "\n".join(before) + ghost
    assert "\n".join(editor.lines) == expected
    assert "\t" not in expected
    editor.nvim.input("<Esc>")
    editor.until(lambda: not editor.ghosts, "the ghost to leave")
    editor.nvim.input("u")
    editor.until(lambda: "\n".join(editor.lines) != expected, "undo")


def test_tab_without_a_ghost_does_what_it_did_before(open_editor):
    """If it fails, installing the plugin takes a key away."""
    setup = (
        "vim.keymap.set('i', '<Tab>', function() return 'FELL' end, { expr = true })\n"
        "require('parrotlet').setup({ cmd = { '/bin/cat' } })\n"
    )
    editor = open_editor("x = 1\n", setup=setup)
    editor.nvim.input("o<Tab>")
    editor.until(lambda: editor.lines == ["x = 1", "FELL"], "the former mapping")


def test_a_missing_server_is_said_in_one_sentence(open_editor):
    setup = "require('parrotlet').setup({ cmd = { '/nowhere/parrotlet-server' } })\n"
    editor = open_editor("x = 1\n", setup=setup)
    said = editor.until(lambda: editor.said, "a message")
    assert said == [
        "parrotlet: cannot run '/nowhere/parrotlet-server'; correct the option cmd or remove it"
    ]
