"""`:Parrotlet`, `:checkhealth` and `:help`, in real Neovims."""

import re
import shutil
import sys

import pytest
from nvim_editor import CALL, PLUGIN, setup, suggest
from scripted_model import ScriptedModel

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(90)]

SUBCOMMANDS = [
    *("disable", "enable", "extent", "health", "install", "keys", "log", "messages", "model"),
    *("restart", "snooze", "statistics", "status", "toggle", "why"),
]


FLOATS = """
local texts = {}
for _, window in ipairs(vim.api.nvim_list_wins()) do
  if vim.api.nvim_win_get_config(window).relative ~= '' then
    local buffer = vim.api.nvim_win_get_buf(window)
    local lines = vim.api.nvim_buf_get_lines(buffer, 0, -1, false)
    texts[#texts + 1] = table.concat(lines, '\\n')
  end
end
return texts
"""


def float_of(editor, words):
    """Returns the lines of the float, once they have these words."""

    def found():
        return next((text for text in editor.lua(FLOATS) if words in text), None)

    return editor.until(found, f"a float with {words!r}")


def test_its_words_are_completed(editor):
    """If it fails, users have to know the subcommands by heart."""

    def complete(line):
        return editor.lua("return vim.fn.getcompletion(..., 'cmdline')", line)

    assert complete("Parrotlet ") == SUBCOMMANDS
    assert complete("Parrotlet s") == ["snooze", "statistics", "status"]
    assert complete("Parrotlet disable ") == ["everywhere", "language", "workspace", "file"]
    assert complete("Parrotlet extent b") == ["block"]
    assert complete("Parrotlet model b") == ["bundled"]
    (editor.folder / "my models").mkdir()
    assert complete(f"Parrotlet model {editor.folder}/m") == [f"{editor.folder}/my models/"]
    assert complete("Parrotlet why ") == []


def test_an_unknown_word_is_answered_with_the_nearest(editor):
    """If it fails, a typing mistake is answered with nothing to go on with."""
    editor.command("Parrotlet fly")
    assert editor.said == ["Parrotlet: no command 'fly'; see :help :Parrotlet"]
    editor.command("Parrotlet statu")
    assert editor.said[-1] == "Parrotlet: no command 'statu'; did you mean :Parrotlet status?"


def test_why_tells_how_the_last_request_ended(editor, model):
    """If it fails, nobody can find out why there is no ghost text."""
    suggest(editor, model)
    editor.keys("<Esc>")
    editor.command("Parrotlet why")
    text = float_of(editor, "Last request")
    assert "Suggestions are on in this file." in text
    assert "Ready." in text
    assert "Suggested" in text or "Continued the suggestion" in text
    assert " prompt tokens (" in text
    assert not re.search(r"[a-z]_[a-z]", text), "names of the server's rules"
    suggest(editor, model, ("nothing", ""))
    editor.keys("<Esc>")


def test_why_tells_that_the_model_wrote_nothing(editor, model):
    editor.open("")
    editor.keys("i")
    editor.type("x")
    editor.until(lambda: editor.n_asked and editor.is_answered, "an answer")
    editor.keys("<Esc>")
    editor.command("Parrotlet why")
    assert "had nothing to suggest" in float_of(editor, "Last request")


def test_why_tells_who_switched_it_off(editor):
    editor.open("")
    editor.command("Parrotlet disable file")
    editor.command("Parrotlet why")
    text = float_of(editor, "Suggestions are off in this file.")
    assert "Off in this file (:Parrotlet enable file)." in text


def test_the_statistics_are_shown(editor, model):
    """If it fails, users cannot see what suggestions are worth to them."""
    suggest(editor, model)
    editor.keys("<Tab>")
    editor.until(lambda: editor.lines == ["".join(CALL)], "acceptance")
    editor.keys("<Esc>")
    editor.command("Parrotlet statistics")
    text = float_of(editor, "Statistics stay on this machine.")
    rows = dict(re.split(r"  +", line, maxsplit=1) for line in text.splitlines() if "  " in line)
    assert int(re.search(r"\d+", rows["Shown"])[0]) >= 1
    assert int(re.search(r"\d+", rows["Accepted in full"])[0]) >= 1


def test_the_keys_are_listed(start_editor, model):
    """If it fails, nobody finds out that words and lines can be accepted."""
    mine = "vim.keymap.set('i', '<M-]>', 'mine')\n"
    keys = {"accept_line": "<C-l>", "previous": False}
    editor = start_editor(mine + setup(settings=model.settings, keys=keys))
    editor.open("")
    editor.command("Parrotlet keys")
    rows = float_of(editor, "<Tab>").splitlines()
    assert [" ".join(row.split()) for row in rows] == [
        "<Tab> accept the suggestion",
        "<M-Right> accept the next word",
        "<C-l> accept the rest of the line",
        "<M-]> show the next alternative (not mapped: the key is in use)",
        "show the previous alternative (no key)",
        "<C-]> hide the suggestion",
        "<M-\\> request a suggestion",
    ]


def test_checkhealth_tells_what_is_there(editor, model):
    """If it fails, a user with a problem has nothing to send."""
    suggest(editor, model)
    editor.keys("<Esc>")
    editor.command("Parrotlet health")
    text = editor.text
    assert "ERROR" not in text
    assert f"server {sys.executable} -m server, version 0." in text
    assert "server running for 1 file" in text
    assert "status: " in text
    assert "parrotlet-server.log" in text
    assert "<M-Right>    accept the next word" in text
    shown = [line for line in text.splitlines() if "option settings" not in line]
    assert not re.search(r"[a-z]_[a-z]", "".join(shown).replace(str(sys.executable), ""))
    assert "completion menus: built-in" in text


def test_checkhealth_tells_what_is_missing(editor):
    init = setup(server=["/nowhere/parrotlet"])
    editor.lua("assert(loadstring(...))()", init)
    editor.command("checkhealth parrotlet")
    assert "cannot run '/nowhere/parrotlet'; fix the server option" in editor.text


def test_the_help_has_every_command_option_and_function(editor, start_editor, tmp_path):
    """If it fails, `:help` knows nothing of something that users can do, or is not found at all.

    The plugin is one that was just copied somewhere, by hand.
    """
    topics = (
        "parrotlet",
        "parrotlet.setup()",
        "parrotlet.status()",
        "parrotlet.statusline()",
        "parrotlet-without-plugin",
        *(f":Parrotlet-{name}" for name in SUBCOMMANDS),
        *(f"parrotlet-option-{name}" for name in editor.lua(OPTIONS)),
        *(f"parrotlet.{name}()" for name in editor.lua(ACTIONS)),
        *(f"<Plug>(parrotlet-{name.replace('_', '-')})" for name in editor.lua(ACTIONS)),
    )
    ignored = shutil.ignore_patterns("tags")
    plugin = shutil.copytree(PLUGIN, tmp_path / "some plugins" / "parrotlet", ignore=ignored)
    reader = start_editor(plugin=plugin)
    reader.until((plugin / "doc" / "tags").exists, "the help's tags")
    reader.command("filetype plugin off")  # Debian's Neovim lacks the grammar of help pages
    for topic in topics:
        reader.command(f"help {topic}")
        assert reader.file == str(plugin / "doc" / "parrotlet.txt"), topic
        tag = reader.lua("return vim.api.nvim_get_current_line()")[reader.cursor[1] :]
        assert tag.startswith((f"*{topic}*", f"{topic}*")), topic


OPTIONS = "return vim.tbl_keys(require('parrotlet.config').defaults)"
ACTIONS = "return vim.tbl_keys(require('parrotlet.config').defaults.keys)"


def test_another_server_with_a_model(editor, model):
    """If it fails, one cannot change to a team's server without leaving Neovim."""
    suggest(editor, model)
    with ScriptedModel([(CALL[0], "from_the_other()")]) as other:
        editor.keys("<Esc>")
        editor.command(f"Parrotlet model {other.url}")
        assert editor.said[-1] == f"Parrotlet: model: {other.url} (this session only)"
        editor.until(lambda: suggested(editor) == "from_the_other()", "the other model")
        editor.keys("<Esc>")
        # As one chooses from the list: the fourth kind, and then its address.
        editor.input(f":Parrotlet model<CR>4<CR>{model.url}<CR>")
        editor.until(lambda: suggested(editor) == CALL[1], "the first model")


def suggested(editor):
    editor.keys("<Esc>cc")
    editor.type(CALL[0])
    editor.until(lambda: editor.ghost or editor.status["state"] == "starting", "anything")
    return editor.ghost


def test_what_is_no_model_is_said(editor):
    editor.open("")
    editor.command("Parrotlet model whatever it is")
    assert editor.said == ["Parrotlet: no model 'whatever it is'; see :help parrotlet-models"]
