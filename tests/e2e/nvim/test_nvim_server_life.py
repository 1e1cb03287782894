"""The server's life in real Neovims: found, slow, killed, missing, restarted."""

import re
import sys
import time
from pathlib import Path

import psutil
import pytest
from nvim_editor import CALL, find_processes, make_setup, wait_for_suggestion

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]


def get_server_process(editor):
    return editor.wait_until(
        lambda: find_processes(editor, "-m server")[:1], "the server's process"
    )[0]


def write_script(path, *lines):
    """Writes a shell script."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(["#!/bin/sh", *lines, ""]))
    path.chmod(0o755)
    return path


def test_a_slow_server_does_not_slow_down_typing(editor, model):
    """If it fails, a slow model slows down typing, or shows outdated suggestions."""
    model.rules = [CALL]
    editor.open("")
    model.may_respond.clear()
    editor.press("i")
    editor.type(CALL[0])
    assert editor.lines == [CALL[0]]
    assert not editor.ghost
    model.may_respond.set()
    editor.wait_for_ghost(CALL[1])


def test_superseded_requests_are_cancelled_and_never_shown(editor, model):
    """If it fails, outdated ghost text flashes up while typing."""
    model.rules = [("a = ", "1"), ("a = b", " + 2"), ("a = bc", " + 3")]
    model.may_respond.clear()
    editor.open("import os\n\n")  # the model is not asked what follows an empty file
    editor.press("i")
    editor.type("a = bc")
    model.may_respond.set()
    editor.wait_for_ghost(" + 3")
    shown = {frame.rows[1] for frame in editor.screen.frames[-200:]}
    assert not shown & {"a = 1", "a = b + 2"}
    assert editor.n_cancelled == editor.n_requests - 1


@pytest.mark.newest_neovim("our Lua code counts ends, which other tests bring about in each Neovim")
def test_a_killed_server_is_restarted(start_editor, model):
    """If it fails, suggestions stop without a word, or a broken server is restarted forever."""
    editor = start_editor(make_setup(settings=model.settings))
    wait_for_suggestion(editor, model)
    get_server_process(editor).kill()
    editor.wait_until(lambda: editor.messages, "a sentence")
    assert editor.messages == ["Parrotlet: server stopped (signal 9); restarting it"]
    wait_for_suggestion(editor, model)
    for number in range(2, 5):
        editor.wait_for_connection()
        get_server_process(editor).kill()
        editor.wait_until(lambda n=number: len(editor.messages) == n, "a sentence")
    reason = "server stopped 4 times (signal 9); see :Parrotlet log"
    assert editor.status == {"state": "error", "reason": reason}
    assert editor.messages[-1] == f"Parrotlet: {reason}"
    editor.press("<Esc>")
    editor.lua("vim.cmd.edit(...)", str(editor.write("later.py", "")))  # starts nothing
    assert editor.status == {"state": "error", "reason": reason}
    assert not find_processes(editor, "-m server")
    editor.command("bwipeout")
    editor.command("Parrotlet restart")
    wait_for_suggestion(editor, model)


@pytest.mark.newest_neovim("the server restarts its engine")
def test_a_killed_engine_is_restarted(editor, model):
    """If it fails, a model that runs out of memory ends suggestions."""
    wait_for_suggestion(editor, model)
    editor.lua("_G.reasons = {}")
    editor.lua(
        "vim.api.nvim_create_autocmd('User', { pattern = 'ParrotletStatus', callback = function(a)"
        " table.insert(_G.reasons, a.data.reason or '') end })"
    )
    editor.wait_until(
        lambda: len(find_processes(editor, "server.worker")) == 1, "one engine's process"
    )
    find_processes(editor, "server.worker")[0].kill()
    reasons = editor.wait_until(lambda: editor.lua("return _G.reasons"), "another status")
    assert re.search("the model's process .*; restarting", reasons[0])
    wait_for_suggestion(editor, model, ("again = ", "another(one)"))


def test_restart_replaces_the_process(editor, model):
    """If it fails, a server that hangs cannot be replaced."""
    wait_for_suggestion(editor, model)
    before = get_server_process(editor)
    editor.command("Parrotlet restart")
    editor.wait_until(lambda: not before.is_running(), "the end of the old server")
    wait_for_suggestion(editor, model)
    assert get_server_process(editor).pid != before.pid
    assert editor.messages == []


def test_the_server_does_not_run_in_the_project(editor, model):
    """If it fails, a file of the project decides what the server imports."""
    wait_for_suggestion(editor, model)
    assert Path(get_server_process(editor).cwd()) == Path.home()
    assert Path.home() not in {Path.cwd(), editor.folder}


def test_a_wrong_server_command_is_reported_once(start_editor):
    """If it fails, a typing mistake in the option is silent, or reported for every file."""
    editor = start_editor("require('parrotlet').setup({ server = { '/nowhere/parrotlet' } })\n")
    editor.lua("vim.cmd.edit(...)", str(editor.write("one.py", "")))
    editor.lua("vim.cmd.edit(...)", str(editor.write("two.py", "")))
    sentence = "cannot run '/nowhere/parrotlet'; fix the server option"
    assert editor.messages == [f"Parrotlet: {sentence}"]
    assert editor.status == {"state": "error", "reason": sentence}
    editor.command("Parrotlet restart")
    assert editor.messages == 2 * [f"Parrotlet: {sentence}"]


def test_a_server_that_exits_at_once_is_not_restarted(start_editor):
    """If it fails, a broken installation is started over and over, or fails in silence."""
    editor = start_editor("require('parrotlet').setup({ server = { 'sh', '-c', 'echo no >&2' } })")
    editor.lua("vim.cmd.edit(...)", str(editor.write("one.py", "")))
    editor.wait_until(lambda: editor.messages, "a sentence")
    sentence = "server failed to start (exit code 0); see :Parrotlet log"
    assert editor.messages == [f"Parrotlet: {sentence}"]
    assert editor.status == {"state": "error", "reason": sentence}
    for name in ("two.py", "three.py"):
        editor.lua("vim.cmd.edit(...)", str(editor.write(name, "")))
        time.sleep(0.3)  # as long as it takes to start it
    assert editor.messages == [f"Parrotlet: {sentence}"]
    editor.command("Parrotlet log")
    assert [line for line in editor.lines if line == "no"] == ["no"]
    assert editor.lines[-1] == "no"
    other = "require('parrotlet').setup({ server = { 'sh', '-c', 'echo other >&2' } })"
    editor.lua(other)  # another command is tried
    editor.wait_until(lambda: len(editor.messages) == 2, "another sentence")
    editor.command("Parrotlet restart")
    editor.wait_until(lambda: len(editor.messages) == 3, "a third sentence")


def test_the_log_is_shown(editor, model):
    """If it fails, nobody can find out what went wrong in the server."""
    wait_for_suggestion(editor, model)
    editor.command("Parrotlet log")
    path = editor.home / "state" / "nvim" / "parrotlet-server.log"
    assert editor.file == str(path)
    assert any(f"starting {sys.executable} -m server" in line for line in editor.lines)
    assert editor.lua("return vim.bo.modifiable") is False


def test_the_order_of_the_search_for_the_server(editor, tmp_path):
    """If it fails, another server runs than the one in the user's environment."""
    on_path = write_script(tmp_path / "on path" / "parrotlet-server")
    active = write_script(tmp_path / "active one" / "bin" / "parrotlet-server")
    find = """
    local path, environment, command = ...
    local old = { vim.env.PATH, vim.env.VIRTUAL_ENV }
    vim.env.PATH, vim.env.VIRTUAL_ENV = path, environment
    local found = require('parrotlet.server.discovery').find(command)
    vim.env.PATH, vim.env.VIRTUAL_ENV = old[1], old[2]
    return found
    """
    path = f"relative::.:{on_path.parent}"
    chosen = [sys.executable, "-x"]
    assert editor.lua(find, path, str(active.parents[1]), chosen) == chosen
    assert editor.lua(find, path, str(active.parents[1]), []) == [str(active)]
    own = editor.lua(find, path, "", [])[0]
    assert own.endswith("/.venv/bin/parrotlet-server")
    shell = "#!/bin/sh\n'''exec' \"/gone env/bin/python\" \"$0\" \"$@\"\n' '''"
    for head in ("#!/gone/python", shell):  # as after an upgrade of Python
        active.write_text(f"{head}\n")
        assert editor.lua(find, path, str(active.parents[1]), []) == [own]


def test_folders_with_spaces_and_non_ascii_letters(start_editor, model, tmp_path):
    """If it fails, users whose folders are not named in ASCII have no suggestions."""
    home = tmp_path / "Größe und 変数"
    home.mkdir()
    server = write_script(home / "mein server", f'exec "{sys.executable}" -m server "$@"')
    editor = start_editor(make_setup(settings=model.settings, server=[str(server)]), home=home)
    model.rules = [CALL]
    editor.write("пример проект/pyproject.toml", "")
    editor.open("import os\n", "пример проект/mein modul é.py")
    editor.press("o")
    editor.type(CALL[0])
    editor.wait_for_ghost(CALL[1])
    editor.command("Parrotlet log")
    assert str(server) in editor.text


def test_projects_share_a_server_that_knows_their_files(editor, model):
    """If it fails, each project loads another model, or its modules are unknown."""
    settings = model.settings | {"context": {"workspace_tokens": 128}}
    editor.lua("assert(loadstring(...))()", make_setup(settings=settings))
    for project in ("shop", "blog"):
        editor.write(f"{project}/pyproject.toml", "")
        editor.write(f"{project}/{project}_tools.py", f"def helper_of_{project}(one):\n    ...\n")
    model.rules = [CALL]

    def is_known(project):
        editor.press("<Esc>cc")
        editor.type(CALL[0])
        editor.wait_for_ghost(CALL[1])
        return f"def helper_of_{project}(one)" in model.prompts[-1]

    for project in ("shop", "blog"):
        editor.press("<Esc>")
        editor.open(f"from {project}_tools import *\n", f"{project}/one.py")
        editor.press("o")
        editor.wait_until(lambda p=project: is_known(p), f"the module of {project} in the prompt")
    clients = "return #vim.lsp.get_clients({ name = 'parrotlet' })"
    assert editor.lua(clients) == 1


def test_files_of_a_python_installation_are_of_no_project(editor, model):
    """If it fails, following a definition opens pyenv's own repository as another project."""
    find_root = "return require('parrotlet.settings.workspace').find_root(0)"
    for project in ("pyenv", "shop"):
        editor.write(f"{project}/.git/HEAD", "")
    library = editor.open("", "pyenv/versions/3.12.1/lib/python3.12/json/decoder.py")
    assert editor.lua(find_root) == str(library.parent.resolve())
    editor.open("", "shop/.venv/lib/python3.12/site-packages/tool.py")
    assert editor.lua(find_root) == str((editor.folder / "shop").resolve())


RECORD_OPEN_DOCUMENTS = """
_G.opened = {}
local client = vim.lsp.get_clients({ name = 'parrotlet' })[1]
local notify = client.rpc.notify
client.rpc.notify = function(method, params)
  local document = params and params.textDocument
  if method == 'textDocument/didOpen' then
    _G.opened[document.uri] = (_G.opened[document.uri] or 0) + 1
  elseif method == 'textDocument/didClose' then
    _G.opened[document.uri] = _G.opened[document.uri] - 1
  end
  return notify(method, params)
end
"""


def open_unnamed(editor):
    editor.press("<Esc>")
    editor.command("enew")
    editor.command("setfiletype python")
    return editor.lua("return vim.api.nvim_get_current_buf()")


def test_only_one_file_without_a_name_is_completed(editor, model):
    """If it fails, two unnamed buffers are one document to the server, mixed from both."""
    editor.open("")
    editor.lua(RECORD_OPEN_DOCUMENTS)
    model.rules = [CALL]
    open_unnamed(editor)
    editor.wait_for_connection()
    editor.press("i")
    editor.type(CALL[0])
    editor.wait_for_ghost(CALL[1])
    second = open_unnamed(editor)
    reason = "off: give the file a name first"
    editor.wait_until(lambda: editor.status.get("reason") == reason, reason)
    editor.press("i")
    editor.type(CALL[0])
    assert not editor.ghost
    assert editor.lua("return _G.opened['file://']") == 1

    editor.press("<Esc>")
    editor.command("buffer #")
    first = editor.folder / "first.py"
    editor.command(f"write {first}")  # it has a name now, so that the second can be completed
    editor.command(f"buffer {second}")
    editor.wait_for_connection()
    opened = editor.lua("return _G.opened")
    assert (opened["file://"], opened[first.as_uri()]) == (1, 1)
    editor.press("cc")
    editor.type(CALL[0])
    editor.wait_for_ghost(CALL[1])

    third = open_unnamed(editor)
    editor.wait_until(lambda: editor.status.get("reason") == reason, reason)
    editor.command(f"bwipeout! {second}")
    assert editor.lua("return vim.api.nvim_get_current_buf()") == third
    editor.wait_for_connection()
    assert editor.lua("return _G.opened['file://']") == 1
    assert editor.messages == []


def test_the_status_line_shows_the_status(editor, model):
    """If it fails, users cannot see whether Parrotlet is ready."""
    wait_for_suggestion(editor, model)
    editor.command("set laststatus=2")
    editor.lua("vim.o.statusline = \"%t %{v:lua.require'parrotlet'.statusline()}\"")
    editor.screen.wait_for(lambda f: "fresh.py Parrotlet: ready" in f.text)
    editor.command("Parrotlet disable")
    editor.screen.wait_for(lambda f: "fresh.py Parrotlet: off" in f.text)
    assert editor.states[-1] == "off"
    editor.command("set statusline&")
    editor.command("Parrotlet enable")
    editor.press("<Esc>")
    editor.command("Parrotlet status")
    assert editor.messages[-1] in {"Parrotlet: ready", "Parrotlet: completing"}


def test_exiting_stops_the_server(start_editor, model):
    """If it fails, servers stay in memory after Neovim has exited."""
    editor = start_editor(make_setup(settings=model.settings))
    editor.open("")
    servers = find_processes(editor, "server")
    assert len(servers) >= 2  # the server and its engine
    editor.close()
    _, alive = psutil.wait_procs(servers, timeout=20)
    assert alive == []
