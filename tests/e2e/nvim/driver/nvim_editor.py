"""A real Neovim with the plugin, driven over its own protocol."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
from nvim_rpc import Connection
from nvim_screen import Screen

ROOT = Path(__file__).parents[4]
PLUGIN = ROOT / "editor-client" / "nvim"
VERSIONS = ("0.11", "0.12")
DEADLINE_S = 30.0
POLL_S = 0.02
CALL = ("total = ", "compute(first, second)")  # what is typed, and what is suggested then
# What stands and what is typed, where a model of any strength that has read Python is sure.
IDIOM = ("import logging\nimport os\n", "logger = logging.get")

# What is said to the user, and each request to the server as it goes its way.
INIT = """
vim.o.swapfile, vim.o.autoindent, vim.o.hidden, vim.o.more = false, true, true, false
vim.o.shortmess = vim.o.shortmess .. 'IFW'
_G.said, _G.states = {}, {}
_G.asked, _G.called_off, _G.waiting = 0, 0, {}
vim.notify = function(text) table.insert(_G.said, text) end
vim.api.nvim_create_autocmd('LspRequest', {
  callback = function(args)
    local request, id = args.data.request, args.data.request_id
    if request.method ~= 'textDocument/inlineCompletion' then return end
    _G.asked = _G.asked + (request.type == 'pending' and 1 or 0)
    _G.called_off = _G.called_off + (request.type == 'cancel' and 1 or 0)
    _G.waiting[id] = request.type ~= 'complete' or nil
  end,
})
vim.api.nvim_create_autocmd('User', {
  pattern = 'ParrotletStatus',
  callback = function(args) table.insert(_G.states, args.data.state) end,
})
"""
GHOST = """
local id = vim.api.nvim_create_namespace(...)
local out = {}
for _, mark in ipairs(vim.api.nvim_buf_get_extmarks(0, id, 0, -1, { details = true })) do
  local lines = { '' }
  for _, chunk in ipairs(mark[4].virt_text or {}) do lines[1] = lines[1] .. chunk[1] end
  for _, line in ipairs(mark[4].virt_lines or {}) do
    lines[#lines + 1] = ''
    for _, chunk in ipairs(line) do lines[#lines] = lines[#lines] .. chunk[1] end
  end
  out[#out + 1] = table.concat(lines, '\\n')
end
return table.concat(out, '|')
"""
RESET = """
local init = ...
vim.cmd.stopinsert()
pcall(vim.cmd.only, { bang = true })
vim.cmd('silent! %bwipeout!')
vim.g.parrotlet_enabled = nil
require('parrotlet.suggestions.enablement').end_snooze()
vim.cmd('messages clear')
assert(loadstring(init))()
_G.said, _G.states, _G.asked, _G.called_off = {}, {}, 0, 0
"""
OWN, BUILT_IN = "parrotlet.ghost_text", "nvim.lsp.inline_completion"  # whose ghost text


def program(version):
    """Returns the path of an installed Neovim."""
    path = ROOT / ".tools" / f"nvim-{version}" / "nvim"
    if not path.exists():
        script = "bash editor-client/nvim/scripts/install-neovim.sh"
        raise FileNotFoundError(
            f"there is no Neovim {version}: {script} .tools/nvim-{version} {version}"
        )
    return path


def setup(**options):
    """Returns the line of Lua that sets the plugin up, with the server of this environment."""
    options = {"server": [sys.executable, "-m", "server"], **options}
    return f"require('parrotlet').setup(vim.json.decode([==[{json.dumps(options)}]==]))\n"


def connected(socket):
    """Returns a connection; None while Neovim does not listen yet."""
    try:
        return Connection(socket)
    except (FileNotFoundError, ConnectionRefusedError):
        return None


class Editor:
    """One Neovim, with a screen.

    Args:
        version: Of Neovim.
        home: A folder for all that it writes.
        config: Lua, run before everything else is loaded.
        plugin: The plugin's folder; None for none.
        env: Further variables.
        size: Columns and rows of the screen.
        plain: Starts as a user does, with a screen from the first moment, and leaves Neovim's
            messages and options alone.
        file: What is opened at the start.
        ui: Further options of the screen, as Neovim calls them.
    """

    def __init__(
        self,
        version,
        home,
        config="",
        *,
        plugin=PLUGIN,
        env=None,
        size=(80, 24),
        plain=False,
        file=None,
        ui=None,
    ):
        self.version, self.home = version, home
        self.folder = home  # of the files that are edited
        init = home / "init.lua"
        rtp = f"vim.opt.runtimepath:prepend({str(plugin)!r})\n" if plugin else ""
        init.write_text(("" if plain else INIT) + rtp + config, encoding="utf-8")
        if not plain:
            know_the_keys(home)
        socket = home / "nvim.sock"
        argv = [str(program(version)), "--embed" if plain else "--headless", "-n", "-i", "NONE"]
        self._process = subprocess.Popen(
            [*argv, "-u", str(init), "--listen", str(socket), *([str(file)] if file else [])],
            env=self._environment() | (env or {}),
            cwd=home,
            stdin=subprocess.PIPE if plain else None,
            stdout=subprocess.DEVNULL if plain else None,
            stderr=subprocess.DEVNULL,
        )
        try:
            self._connection = self.until(lambda: connected(socket), "Neovim")
        except AssertionError:
            self._process.kill()
            raise
        self.screen = Screen(socket, *size, ui)

    def _environment(self):
        folders = {name: str(self.home / name) for name in ("state", "data", "config", "cache")}
        env = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
        return env | {f"XDG_{name.upper()}_HOME": path for name, path in folders.items()}

    @property
    def pid(self):
        return self.lua("return vim.fn.getpid()")

    def close(self):
        """Leaves Neovim as a user does, if it is still there."""
        if self._process.poll() is None:
            self._connection.send("nvim_command", "qall!")
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(10)
        if self._process.stdin:
            self._process.stdin.close()
        self.screen.close()
        self._connection.close()

    @property
    def mode(self):
        """Neovim's mode; "r" is "Press ENTER". Answered whatever Neovim waits for."""
        return self._connection.request("nvim_get_mode")["mode"]

    def lua(self, code, *arguments):
        return self._connection.request("nvim_exec_lua", code, arguments)

    def command(self, words):
        """Runs a command as from the command line."""
        self._connection.request("nvim_command", words)

    def input(self, keys):
        """Sends keys, by Neovim's names for them."""
        self._connection.request("nvim_input", keys)

    def until(self, condition, what, timeout_s=DEADLINE_S):
        """Polls until ``condition`` holds; fails with what was waited for and what is there."""
        end = time.monotonic() + timeout_s
        while time.monotonic() < end:
            value = condition()
            if value:
                return value
            time.sleep(POLL_S)
        told = what() if callable(what) else what
        raise AssertionError(f"waited in vain for {told}; {self._situation()}")

    def _situation(self):
        if not hasattr(self, "screen"):
            return "Neovim did not start"
        screen = "\n".join(self.screen.rows)
        return f"said {self.said}, state {self.status}, screen:\n{screen}"

    def write(self, name, text, encoding="utf-8"):
        """Writes a file below the folder; returns its path."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode(encoding))
        return path

    def open(self, text="", name="example.py"):
        """Opens a new file with a text and the cursor at its end; waits for the server."""
        path = self.write(name, text)
        self.lua("vim.cmd.edit({ vim.fn.fnameescape(...), bang = true })", str(path))
        self.command("normal! G$")
        self.wait_for_server()
        return path

    def wait_for_server(self):
        self.until(lambda: self.status["state"] in {"ready", "busy", "idle"}, "the server")
        self.wait_for_connection()

    def wait_for_connection(self):
        """Waits until the current file is connected to the server, which may still load."""
        self.until(
            lambda: self.lua(
                "local clients = require('parrotlet.server.client')"
                " local client = clients.get(vim.api.nvim_get_current_buf())"
                " return client ~= nil and client.initialized == true"
            ),
            "the connection of this file",
        )

    def type(self, text):
        """Types as a person does, one key after another."""
        for character in text:
            self.keys("<lt>" if character == "<" else character)

    def keys(self, keys):
        """Sends keys, and waits until they have been taken."""
        self.input(keys)
        self.lua("")

    def wait_for_ghost(self, text):
        """Waits until exactly this ghost text stands in the buffer, and is painted."""
        self.until(
            lambda: self.ghost == text, lambda: f"the ghost text {text!r}, not {self.ghost!r}"
        )

    def wait_for_no_ghost(self):
        self.until(lambda: not self.ghost, "the ghost text to go")

    @property
    def ghost(self):
        """The ghost text of the current buffer; pieces apart are joined by a bar."""
        return self.lua(GHOST, OWN)

    @property
    def lines(self):
        return self.lua("return vim.api.nvim_buf_get_lines(0, 0, -1, false)")

    @property
    def text(self):
        return "\n".join(self.lines)

    @property
    def cursor(self):
        """Row from 1 and column from 0, in bytes."""
        return tuple(self.lua("return vim.api.nvim_win_get_cursor(0)"))

    @property
    def file(self):
        """The current buffer's name."""
        return self.lua("return vim.api.nvim_buf_get_name(0)")

    @property
    def status(self):
        return self.lua("return require('parrotlet').status()")

    @property
    def said(self):
        return self.lua("return _G.said")

    @property
    def n_asked(self):
        """How many suggestions were asked for since the test began."""
        return self.lua("return _G.asked")

    @property
    def n_called_off(self):
        return self.lua("return _G.called_off")

    @property
    def is_answered(self):
        """Whether no request is under way."""
        return self.lua("return next(_G.waiting) == nil")

    @property
    def states(self):
        return self.lua("return _G.states")


def know_the_keys(home):
    """Makes the home one of a user who has seen what the keys are."""
    seen = home / "data" / "nvim" / "parrotlet" / "keys-shown"
    seen.parent.mkdir(parents=True, exist_ok=True)
    seen.touch()


def made_anew(editor, model, folder):
    """Returns an editor as it was when it was started, for files in a folder."""
    editor.folder = folder
    editor.lua(RESET, setup(settings=model.settings))
    return editor


def processes(editor, words):
    """The processes that Neovim has started whose command has these words."""
    found = []
    for process in psutil.Process(editor.pid).children(recursive=True):
        try:
            if words in " ".join(process.cmdline()):
                found.append(process)
        except psutil.Error:
            continue
    return found


def suggest(editor, model, rule=CALL):
    """Asks in a new file until the rule's suggestion stands there."""
    model.rules = [rule]
    editor.keys("<Esc>")
    editor.open("", "fresh.py")
    editor.keys("i")
    editor.type(rule[0])
    editor.wait_for_ghost(rule[1])
