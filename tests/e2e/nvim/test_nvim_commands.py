"""`:Parrotlet`, `:checkhealth` and `:help` in real Neovims."""

import re
import shutil
import sys

import pytest
from doubles.adaptation_double import BROUGHT, RUNNING, AdaptationDouble
from nvim_editor import CALL, PLUGIN, make_setup, wait_for_suggestion
from scripted_model import ScriptedModel

from server.adaptation.adaptation_state import RunState

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

SUBCOMMANDS = [
    *("adapt", "disable", "enable", "extent", "health", "install", "keys", "log", "messages"),
    *("model", "models", "restart", "snooze", "statistics", "status", "toggle", "why"),
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


def wait_for_float(editor, words):
    """Returns the text of a floating window that contains a text, once it is open."""

    def found():
        return next((text for text in editor.lua(FLOATS) if words in text), None)

    return editor.wait_until(found, f"a float with {words!r}")


def test_subcommands_are_completed(editor):
    """If it fails, users have to know the subcommands by heart."""

    def complete(line):
        return editor.lua("return vim.fn.getcompletion(..., 'cmdline')", line)

    assert complete("Parrotlet ") == SUBCOMMANDS
    assert complete("Parrotlet s") == ["snooze", "statistics", "status"]
    assert complete("Parrotlet disable ") == ["everywhere", "language", "workspace", "file"]
    assert complete("Parrotlet extent b") == ["block"]
    assert complete("Parrotlet adapt r") == ["report", "resume"]
    assert complete("Parrotlet model b") == ["bundled"]
    (editor.folder / "my models").mkdir()
    assert complete(f"Parrotlet model {editor.folder}/m") == [f"{editor.folder}/my models/"]
    assert complete("Parrotlet why ") == []


def test_an_unknown_subcommand_suggests_the_nearest(editor):
    """If it fails, the answer to a typing mistake does not help."""
    editor.command("Parrotlet fly")
    assert editor.messages == ["Parrotlet: no command 'fly'; see :help :Parrotlet"]
    editor.command("Parrotlet statu")
    assert editor.messages[-1] == "Parrotlet: no command 'statu'; did you mean :Parrotlet status?"


def test_why_shows_how_the_last_request_ended(editor, model):
    """If it fails, nobody can find out why there is no ghost text."""
    wait_for_suggestion(editor, model)
    editor.press("<Esc>")
    editor.command("Parrotlet why")
    text = wait_for_float(editor, "Last request")
    assert "Suggestions are on in this file." in text
    assert "Ready." in text
    assert "Suggested" in text or "Continued the suggestion" in text
    assert "of them from the cache" in text
    assert not re.search(r"[a-z]_[a-z]", text), "names of the server's rules"


def test_why_shows_that_the_model_had_nothing_to_suggest(editor, model):
    """If it fails, an empty suggestion looks like a defect."""
    editor.open("")
    editor.press("i")
    editor.type("x")
    editor.wait_until(lambda: editor.n_requests and editor.has_no_pending_request, "an answer")
    editor.press("<Esc>")
    editor.command("Parrotlet why")
    assert "had nothing to suggest" in wait_for_float(editor, "Last request")


def test_why_shows_where_suggestions_are_off(editor):
    """If it fails, users cannot find the switch that they once turned off."""
    editor.open("")
    editor.command("Parrotlet disable file")
    editor.command("Parrotlet why")
    text = wait_for_float(editor, "Suggestions are off in this file.")
    assert "Off in this file (:Parrotlet enable file)." in text


def test_statistics_open_in_a_window(editor, model):
    """If it fails, users cannot see how many suggestions they accept."""
    wait_for_suggestion(editor, model)
    editor.press("<Tab>")
    editor.wait_until(lambda: editor.lines == ["".join(CALL)], "acceptance")
    editor.press("<Esc>")
    editor.command("Parrotlet statistics")
    text = wait_for_float(editor, "Statistics stay on this machine.")
    rows = dict(re.split(r"  +", line, maxsplit=1) for line in text.splitlines() if "  " in line)
    assert int(re.search(r"\d+", rows["Shown"])[0]) >= 1
    assert int(re.search(r"\d+", rows["Accepted in full"])[0]) >= 1


def test_keys_are_listed(editor, model):
    """If it fails, nobody finds out that words and lines can be accepted."""
    editor.lua("vim.keymap.set('i', '<M-]>', 'mine')")
    keys = {"accept_line": "<C-l>", "previous": False}
    editor.lua(make_setup(settings=model.settings, keys=keys))
    editor.open("")
    editor.command("Parrotlet keys")
    rows = wait_for_float(editor, "<Tab>").splitlines()
    assert [" ".join(row.split()) for row in rows] == [
        "<Tab> accept the suggestion",
        "<M-Right> accept the next word",
        "<C-l> accept the rest of the line",
        "<M-]> show the next alternative (not mapped: the key is in use)",
        "show the previous alternative (no key)",
        "<C-]> hide the suggestion",
        "<M-\\> request a suggestion",
    ]
    editor.lua("vim.keymap.del('i', '<M-]>')")


def test_checkhealth_describes_a_working_setup(editor, model):
    """If it fails, a user with a problem has nothing to report."""
    wait_for_suggestion(editor, model)
    editor.press("<Esc>")
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


def test_checkhealth_describes_what_is_missing(editor):
    """If it fails, a user without a server does not learn where it was searched."""
    init = make_setup(server=["/nowhere/parrotlet"])
    editor.lua("assert(loadstring(...))()", init)
    editor.command("checkhealth parrotlet")
    assert "cannot run '/nowhere/parrotlet'; fix the server option" in editor.text


def test_help_finds_every_command_option_and_function(editor, start_editor, tmp_path):
    """If it fails, `:help` does not find something that users can do, or is not found itself.

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
    reader.wait_until((plugin / "doc" / "tags").exists, "the help's tags")
    reader.command("filetype plugin off")  # Debian's Neovim lacks the grammar of help pages
    for topic in topics:
        reader.command(f"help {topic}")
        assert reader.file == str(plugin / "doc" / "parrotlet.txt"), topic
        tag = reader.lua("return vim.api.nvim_get_current_line()")[reader.cursor[1] :]
        assert tag.startswith((f"*{topic}*", f"{topic}*")), topic


OPTIONS = "return vim.tbl_keys(require('parrotlet.config').defaults)"
ACTIONS = "return vim.tbl_keys(require('parrotlet.config').defaults.keys)"


def test_switching_to_another_remote_server(editor, model):
    """If it fails, users cannot switch to a team's server without leaving Neovim."""
    wait_for_suggestion(editor, model)
    with ScriptedModel([(CALL[0], "from_the_other()")]) as other:
        editor.press("<Esc>")
        editor.command(f"Parrotlet model {other.url}")
        assert editor.messages[-1] == f"Parrotlet: model: {other.url} (this session only)"
        editor.wait_until(lambda: read_suggestion(editor) == "from_the_other()", "the other model")
        editor.press("<Esc>")
        # By choosing from the list: the fourth entry, and then the URL.
        editor.input(f":Parrotlet model<CR>4<CR>{model.url}<CR>")
        editor.wait_until(lambda: read_suggestion(editor) == CALL[1], "the first model")


REMOTE_SETTINGS = "return require('parrotlet.settings.server_settings').get_all().remote"


def test_another_remote_server_does_not_keep_the_tokenizer_of_the_one_before(editor, model):
    """If it fails, a server gets another model's sentinels or token ids, and writes nonsense."""
    wait_for_suggestion(editor, model)
    change = "require('parrotlet.settings.server_settings').change"
    editor.lua(f"{change}({{ ['remote.model'] = 'a', ['remote.tokenizer'] = '/nowhere/a' }})")
    editor.press("<Esc>")
    with ScriptedModel([]) as other:
        editor.command(f"Parrotlet model {other.url}")
        said = f"Parrotlet: model: {other.url}; name and tokenizer reset"
        assert editor.messages[-1] == said
        reset = {"url": other.url, "model": "", "tokenizer": ""}
        assert editor.lua(REMOTE_SETTINGS).items() >= reset.items()
        editor.command(f"Parrotlet model {model.url}")
        restored = {"url": model.url, "model": "a", "tokenizer": "/nowhere/a"}
        assert editor.lua(REMOTE_SETTINGS).items() >= restored.items()


RECORD_REPORTS = """
_G.reported = {}
local adaptation = require('parrotlet.ui.adaptation')
local on_report = adaptation.on_report
adaptation.on_report = function(report)
  _G.reported[report.name] = true
  on_report(report)
end
"""
REPORTED = "return vim.tbl_keys(_G.reported)"


def read_suggestion(editor):
    editor.press("<Esc>cc")
    editor.type(CALL[0])
    editor.wait_until(lambda: editor.ghost or editor.status["state"] == "starting", "anything")
    return editor.ghost


def test_an_unknown_model_is_reported(editor):
    """If it fails, a typing mistake in a model's name is silent."""
    editor.open("")
    editor.command("Parrotlet model whatever it is")
    assert editor.messages == ["Parrotlet: no model 'whatever it is'; see :help parrotlet-models"]


@pytest.mark.newest_neovim("the server words everything; menus are opened in each Neovim below")
def test_an_adaptation_is_followed_and_steered(editor, model):
    """If it fails, users wait for an adaptation that they can neither see nor stop."""
    editor.open("")
    editor.command("Parrotlet adapt")
    wait_for_float(editor, "remove that setting first")
    adaptation = AdaptationDouble(editor.folder, editor.home / "data")
    adaptation.write()

    def status_line():
        return editor.lua("return require('parrotlet').statusline()")

    wanted = "Parrotlet: ready, adapting 42%, 9 min left"
    editor.wait_until(lambda: status_line() == wanted, lambda: f"{wanted}, not {status_line()}")
    assert editor.status["adaptation"] == "Adapting 42%, 9 min left"
    editor.screen.wait_for(lambda frame: RUNNING in frame.text)
    wait_for_suggestion(editor, model)  # suggestions come meanwhile
    editor.press("<Esc>")
    editor.command("Parrotlet adapt pause")
    editor.wait_until(lambda: adaptation.control == "pause", "the pause")
    adaptation.write(state=RunState.PAUSED, reason="paused by you")
    editor.wait_until(lambda: status_line().endswith("paused by you"), status_line)
    editor.command("Parrotlet adapt resume")
    editor.wait_until(lambda: adaptation.control == "run", "the end of the pause")
    editor.input(":Parrotlet adapt cancel<CR>")
    editor.screen.wait_for(lambda frame: "is discarded" in frame.text)
    editor.input("n")
    assert adaptation.control == "run"
    adaptation.finish()
    editor.wait_until(lambda: BROUGHT[:30] in str(editor.messages), "what it brought")
    editor.command("Parrotlet messages")
    wait_for_float(editor, BROUGHT)
    editor.wait_until(lambda: status_line() == "Parrotlet: ready", status_line)
    editor.lua("vim.ui.open = function(path) _G.opened = path end")
    editor.command("Parrotlet adapt report")
    page = adaptation.state.page
    editor.wait_until(lambda: editor.lua("return _G.opened") == page, "the report")


@pytest.mark.newest_neovim("our Lua code chooses the adaptation")
def test_the_adaptation_to_the_current_workspace_is_steered(start_editor, model):
    """If it fails, pausing or cancelling one project's adaptation hits another's."""
    editor = start_editor(make_setup(settings=model.settings))
    adaptations = {}
    editor.lua(RECORD_REPORTS)
    for project in ("shop", "blog"):
        editor.write(f"{project}/pyproject.toml", "")
        editor.open("", f"{project}/one.py")
        adaptations[project] = AdaptationDouble(editor.folder / project, editor.home / "data")
        adaptations[project].write()
    editor.wait_until(lambda: len(editor.lua(REPORTED)) == 2, "reports on both")
    for project, other in (("blog", "shop"), ("shop", "blog")):
        editor.command(f"edit! {editor.folder / project / 'one.py'}")
        editor.command("Parrotlet adapt pause")
        editor.wait_until(lambda p=project: adaptations[p].control == "pause", "the pause")
        assert adaptations[other].control == ""
        editor.input(":Parrotlet adapt cancel<CR>")
        wanted = f'Cancel the adaptation to "{project}"?'
        editor.screen.wait_for(lambda frame, w=wanted: w in frame.text)
        editor.input("n")
        (adaptations[project].folder / "control").unlink()
    editor.write("news/pyproject.toml", "")
    editor.open("", "news/one.py")
    editor.input(":Parrotlet adapt pause<CR>")  # of which there is none here
    editor.screen.wait_for(lambda frame: "Other workspaces" in frame.text)
    offered = [row for row in editor.screen.rows if "Pause Adaptation (" in row]
    (shop,) = [row for row in offered if "(shop)" in row]
    assert len(offered) == 2
    editor.input(f"{shop.split(':')[0]}<CR>")
    editor.wait_until(lambda: adaptations["shop"].control == "pause", "the pause")
    assert adaptations["blog"].control == ""


def test_adapted_models_are_managed(editor, model):
    """If it fails, users of Neovim cannot get rid of what was made of their code."""
    editor.open("")
    adaptation = AdaptationDouble(editor.folder, editor.home / "data")
    adaptation.finish()
    editor.input(":Parrotlet models<CR>")
    frame = editor.screen.wait_for(lambda frame: "adapted model chosen" in frame.text)
    (row,) = [row for row in frame.rows if f": {editor.folder.name} (" in row]
    editor.input(f"{row.split(':')[0]}<CR>")
    editor.screen.wait_for(lambda frame: "Use Base Model" in frame.text)
    editor.input("1<CR>")
    wait_for_float(editor, "The base model is chosen")  # the double is a remote server
    editor.input(":Parrotlet models<CR>")
    editor.screen.wait_for(lambda frame: "base model chosen" in frame.text)
    editor.input(f"{row.split(':')[0]}<CR>")
    editor.screen.wait_for(lambda frame: "Use Adapted Model" in frame.text)
    editor.input("3<CR>")
    editor.screen.wait_for(lambda frame: "are deleted" in frame.text)
    editor.input("r")
    editor.wait_until(lambda: not adaptation.folder.exists(), "the model to be removed")
