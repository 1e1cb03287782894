"""`:Parrotlet`, `:checkhealth` and `:help`, in real Neovims."""

import shutil
import sys

import pytest
from nvim_editor import CALL, PLUGIN, setup, suggest
from scripted import ScriptedModel

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(90)]

SUBCOMMANDS = [
    *("disable", "enable", "extent", "health", "install", "log", "model", "restart"),
    *("snooze", "statistics", "status", "toggle", "why"),
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


def test_an_unknown_word_is_answered_with_the_known_ones(editor):
    editor.command("Parrotlet fly")
    known = ", ".join(SUBCOMMANDS)
    assert editor.said == [f"parrotlet: there is no :Parrotlet fly; wanted one of {known}"]


def test_why_tells_how_the_last_request_ended(editor, model):
    """If it fails, nobody can find out why there is no ghost text."""
    suggest(editor, model)
    editor.keys("<Esc>")
    editor.command("Parrotlet why")
    text = float_of(editor, "Last request")
    assert "On in this file." in text
    assert "Parrotlet is idle." in text
    assert "something was suggested." in text or "what was suggested before went on." in text
    assert "wanted: a line; took " in text
    suggest(editor, model, ("nothing", ""))
    editor.keys("<Esc>")


def test_why_tells_that_the_model_wrote_nothing(editor, model):
    editor.open("")
    editor.keys("i")
    editor.type("x")
    editor.until(lambda: editor.n_asked and editor.is_answered, "an answer")
    editor.keys("<Esc>")
    editor.command("Parrotlet why")
    assert "the model wrote nothing to show" in float_of(editor, "Last request")


def test_why_tells_who_switched_it_off(editor):
    editor.open("")
    editor.command("Parrotlet disable file")
    editor.command("Parrotlet why")
    text = float_of(editor, "Off here")
    assert "switched off in this file; on with :Parrotlet enable file." in text


def test_the_statistics_are_shown(editor, model):
    """If it fails, users cannot see what suggestions are worth to them."""
    suggest(editor, model)
    editor.keys("<Tab>")
    editor.until(lambda: editor.lines == ["".join(CALL)], "acceptance")
    editor.keys("<Esc>")
    editor.command("Parrotlet statistics")
    text = float_of(editor, "Shown ")
    assert "Counted on this machine only" in text
    counts = {line.split()[0]: line.split()[1] for line in text.splitlines()[:3]}
    assert int(counts["Shown"]) >= 1
    assert int(counts["Taken"].rstrip(":")) >= 1


def test_checkhealth_tells_what_is_there(editor, model):
    """If it fails, a user with a problem has nothing to send."""
    suggest(editor, model)
    editor.keys("<Esc>")
    editor.command("Parrotlet health")
    text = editor.text
    assert "ERROR" not in text
    assert f"server {sys.executable} -m server, version 0." in text
    assert "the server is running for 1 file(s)" in text
    assert "status: " in text
    assert "parrotlet-server.log" in text
    assert "menus whose selected item suggestions go on from: Neovim's own" in text


def test_checkhealth_tells_what_is_missing(editor):
    init = setup(server=["/nowhere/parrotlet"])
    editor.lua("assert(loadstring(...))()", init)
    editor.command("checkhealth parrotlet")
    assert "cannot run '/nowhere/parrotlet'; correct the option server" in editor.text


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
        assert editor.said[-1].startswith(f"parrotlet: the model is {other.url}, until")
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
    wanted = "wanted bundled, a folder, owner/name of the Hub, or a URL"
    assert editor.said == [f"parrotlet: 'whatever it is' is no model; {wanted}"]


BACKEND = """
import zipfile

WHEEL = "shim-1-py3-none-any.whl"
FILES = {
    "shim.py": open("shim.py").read(),
    "shim-1.dist-info/METADATA": "Metadata-Version: 2.1\\nName: shim\\nVersion: 1\\n",
    "shim-1.dist-info/WHEEL": "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\n",
    "shim-1.dist-info/entry_points.txt":
        "[console_scripts]\\nparrotlet-server = shim:main\\n",
    "shim-1.dist-info/RECORD": "",
}

def build_editable(folder, config_settings=None, metadata_directory=None):
    with zipfile.ZipFile(f"{folder}/{WHEEL}", "w") as wheel:
        for name, text in FILES.items():
            wheel.writestr(name, text)
    return WHEEL
"""


def test_a_missing_server_can_be_installed(start_editor, model, tmp_path):
    """If it fails, a new user is told that something is missing, and left alone with it.

    The checkout is a small one whose package starts the server of this environment.
    """
    checkout = tmp_path / "my checkout"
    plugin = shutil.copytree(PLUGIN, checkout / "editor-client" / "nvim")
    project = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    (checkout / "pyproject.toml").write_text(project)
    (checkout / "backend.py").write_text(BACKEND)
    python = sys.executable
    (checkout / "shim.py").write_text(
        f"import os, sys\ndef main(): os.execv({python!r}, [{python!r}, '-m', 'server'])\n"
    )
    editor = start_editor(
        setup(settings=model.settings, server=[]),
        plugin=plugin,
        env={"PATH": "/usr/bin:/bin:/usr/local/bin"},
    )
    bait = editor.write(".venv/bin/parrotlet-server", f"#!/bin/sh\ntouch {tmp_path}/bitten\n")
    bait.chmod(0o755)
    editor.lua("vim.cmd.edit(...)", str(editor.write("one.py", "")))
    sentence = (
        f"found no parrotlet-server in {checkout}/.venv, PATH; get it with :Parrotlet install"
    )
    assert editor.said == [f"parrotlet: {sentence}"]
    assert editor.status == {"state": "error", "reason": sentence}
    editor.input(":Parrotlet install<CR>2<CR>")
    editor.keys("<Esc>")
    assert not (checkout / ".venv").exists()
    editor.input(":Parrotlet install<CR>1<CR>")
    editor.until(
        lambda: "parrotlet: the server is installed" in editor.said, "the end", timeout_s=60
    )
    editor.keys("<C-\\><C-n>")
    editor.wait_for_server()
    suggest(editor, model)
    assert not (tmp_path / "bitten").exists()
