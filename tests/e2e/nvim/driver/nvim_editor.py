"""A real Neovim with the plugin, controlled over its protocol."""

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
DEADLINE_S = 60.0
POLL_S = 0.02
CALL = ("total = ", "compute(first, second)")  # what is typed, and its suggestion
# The text and the next line for which any model that was trained on Python is confident.
IDIOM = ("import logging\nimport os\n", "logger = logging.get")

# Records messages, states and requests.
INIT = """
vim.o.swapfile, vim.o.autoindent, vim.o.hidden, vim.o.more = false, true, true, false
vim.o.shortmess = vim.o.shortmess .. 'IFW'
_G.messages, _G.states = {}, {}
_G.n_requests, _G.n_cancelled, _G.pending = 0, 0, {}
vim.notify = function(text) table.insert(_G.messages, text) end
vim.api.nvim_create_autocmd('LspRequest', {
  callback = function(args)
    local request, id = args.data.request, args.data.request_id
    if request.method ~= 'textDocument/inlineCompletion' then return end
    _G.n_requests = _G.n_requests + (request.type == 'pending' and 1 or 0)
    _G.n_cancelled = _G.n_cancelled + (request.type == 'cancel' and 1 or 0)
    _G.pending[id] = request.type ~= 'complete' or nil
  end,
})
vim.api.nvim_create_autocmd('User', {
  pattern = 'ParrotletStatus',
  callback = function(args) table.insert(_G.states, args.data.state) end,
})
"""
READ_GHOST_TEXT = """
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
vim.g.parrotlet_enabled, vim.go.winbar = nil, ''
require('parrotlet.suggestions.enablement').end_snooze()
vim.cmd('messages clear')
assert(loadstring(init))()
_G.messages, _G.states, _G.n_requests, _G.n_cancelled = {}, {}, 0, 0
"""
GHOST_NAMESPACE, BUILT_IN_NAMESPACE = (
    "parrotlet.ghost_text",
    "nvim.lsp.inline_completion",
)  # whose ghost text


def find_program(version):
    """Returns the path of an installed Neovim.

    Raises:
        FileNotFoundError: It is not installed; the message says how to install it.
    """
    path = ROOT / ".tools" / f"nvim-{version}" / "nvim"
    if not path.exists():
        script = "bash editor-client/nvim/scripts/install-neovim.sh"
        raise FileNotFoundError(
            f"there is no Neovim {version}: {script} .tools/nvim-{version} {version}"
        )
    return path


def make_setup(**options):
    """Returns Lua code that calls setup(), with this environment's server by default."""
    options = {"server": [sys.executable, "-m", "server"], **options}
    return f"require('parrotlet').setup(vim.json.decode([==[{json.dumps(options)}]==]))\n"


def try_connect(socket):
    """Returns a connection; None while Neovim is starting."""
    try:
        return Connection(socket)
    except (FileNotFoundError, ConnectionRefusedError):
        return None


class Editor:
    """A Neovim with a screen.

    Args:
        version: One of VERSIONS.
        home: A folder for everything that it writes.
        config: Lua code for init.lua.
        plugin: The plugin's folder; None for no plugin.
        env: Additional environment variables.
        size: The screen's columns and rows.
        plain: Starts as for a user, with a screen from the beginning, and without changed messages
            or options.
        file: A file to open.
        ui: Additional options for ``nvim_ui_attach``.
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
        self.folder = home  # for edited files
        init = home / "init.lua"
        rtp = f"vim.opt.runtimepath:prepend({str(plugin)!r})\n" if plugin else ""
        init.write_text(("" if plain else INIT) + rtp + config, encoding="utf-8")
        if not plain:
            mark_key_hint_shown(home)
        socket = home / "nvim.sock"
        argv = [
            str(find_program(version)),
            "--embed" if plain else "--headless",
            "-n",
            "-i",
            "NONE",
        ]
        self._process = subprocess.Popen(
            [*argv, "-u", str(init), "--listen", str(socket), *([str(file)] if file else [])],
            env=self._environment() | (env or {}),
            cwd=home,
            stdin=subprocess.PIPE if plain else None,
            stdout=subprocess.DEVNULL if plain else None,
            stderr=subprocess.DEVNULL,
        )
        try:
            self._connection = self.wait_until(lambda: try_connect(socket), "Neovim")
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
        """Quits Neovim, if it is running."""
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
        """Neovim's mode, available even while it waits; "r" is "Press ENTER"."""
        return self._connection.request("nvim_get_mode")["mode"]

    def lua(self, code, *arguments):
        return self._connection.request("nvim_exec_lua", code, arguments)

    def command(self, command):
        """Runs an Ex command."""
        self._connection.request("nvim_command", command)

    def input(self, keys):
        """Sends keys, in Neovim's notation."""
        self._connection.request("nvim_input", keys)

    def wait_until(self, condition, what, timeout_s=DEADLINE_S):
        """Polls until a condition is met and returns its value; fails with a description."""
        end = time.monotonic() + timeout_s
        while time.monotonic() < end:
            value = condition()
            if value:
                return value
            time.sleep(POLL_S)
        expected = what() if callable(what) else what
        raise AssertionError(f"timed out waiting for {expected}; {self._describe_state()}")

    def _describe_state(self):
        if not hasattr(self, "screen"):
            return "Neovim did not start"
        screen = "\n".join(self.screen.rows)
        return f"messages {self.messages}, status {self.status}, screen:\n{screen}"

    def write(self, name, text, encoding="utf-8"):
        """Writes a file into the folder; returns its path."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode(encoding))
        return path

    def open(self, text="", name="example.py"):
        """Opens a new file with the cursor at its end; waits for the server."""
        path = self.write(name, text)
        self.lua("vim.cmd.edit({ vim.fn.fnameescape(...), bang = true })", str(path))
        self.command("normal! G$")
        self.wait_for_server()
        return path

    def wait_for_server(self):
        self.wait_until(lambda: self.status["state"] in {"ready", "busy", "idle"}, "the server")
        self.wait_for_connection()

    def wait_for_connection(self):
        """Waits until the current file is attached to the server, which may still be loading."""
        self.wait_until(
            lambda: self.lua(
                "local clients = require('parrotlet.server.client')"
                " local client = clients.get(vim.api.nvim_get_current_buf())"
                " return client ~= nil and client.initialized == true"
            ),
            "the connection of this file",
        )

    def type(self, text):
        """Types a text, key by key."""
        for character in text:
            self.press("<lt>" if character == "<" else character)

    def press(self, keys):
        """Sends keys, and waits until they have been processed."""
        self.input(keys)
        self.lua("")

    def wait_for_ghost(self, text):
        """Waits until the buffer has exactly this ghost text."""
        self.wait_until(
            lambda: self.ghost == text, lambda: f"the ghost text {text!r}, not {self.ghost!r}"
        )

    def wait_for_no_ghost(self):
        self.wait_until(lambda: not self.ghost, "no ghost text")

    @property
    def ghost(self):
        """The ghost text of the current buffer; separate pieces are joined by a bar."""
        return self.lua(READ_GHOST_TEXT, GHOST_NAMESPACE)

    @property
    def lines(self):
        return self.lua("return vim.api.nvim_buf_get_lines(0, 0, -1, false)")

    @property
    def text(self):
        return "\n".join(self.lines)

    @property
    def cursor(self):
        """The row, from 1, and the column, from 0 and in bytes."""
        return tuple(self.lua("return vim.api.nvim_win_get_cursor(0)"))

    @property
    def file(self):
        """The current buffer's name."""
        return self.lua("return vim.api.nvim_buf_get_name(0)")

    @property
    def status(self):
        return self.lua("return require('parrotlet').status()")

    @property
    def messages(self):
        return self.lua("return _G.messages")

    @property
    def n_requests(self):
        """How many suggestions were requested since the test began."""
        return self.lua("return _G.n_requests")

    @property
    def n_cancelled(self):
        return self.lua("return _G.n_cancelled")

    @property
    def has_no_pending_request(self):
        """Whether all requests have been answered."""
        return self.lua("return next(_G.pending) == nil")

    @property
    def states(self):
        return self.lua("return _G.states")


def mark_key_hint_shown(home):
    """Prevents the hint that names the keys, which is shown only once."""
    marker = home / "data" / "nvim" / "parrotlet" / "keys-shown"
    marker.parent.mkdir(parents=True, exist_ok=True)
    marker.touch()


def reset_editor(editor, model, folder):
    """Resets an editor to its state after the start, with another folder; returns it."""
    editor.folder = folder
    editor.lua(RESET, make_setup(settings=model.settings))
    return editor


def find_processes(editor, words):
    """Returns Neovim's child processes whose command line contains a text."""
    found = []
    for process in psutil.Process(editor.pid).children(recursive=True):
        try:
            if words in " ".join(process.cmdline()):
                found.append(process)
        except psutil.Error:
            continue
    return found


def wait_for_suggestion(editor, model, rule=CALL):
    """Types a rule's prefix in a new file and waits for its suggestion."""
    model.rules = [rule]
    editor.press("<Esc>")
    editor.open("", "fresh.py")
    editor.press("i")
    editor.type(rule[0])
    editor.wait_for_ghost(rule[1])
