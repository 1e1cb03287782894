"""A real Neovim, driven over its own protocol."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pynvim
import pytest

ROOT = Path(__file__).parents[2]
INSTALLED = ROOT / ".tools" / "nvim" / "nvim"
INSTALL = "bash editor-client/nvim/scripts/install-neovim.sh .tools/nvim"
DEADLINE_S = 60.0

GHOSTS = """
local found = {}
for name, id in pairs(vim.api.nvim_get_namespaces()) do
  if name:match('inline_completion') then
    for _, mark in ipairs(vim.api.nvim_buf_get_extmarks(0, id, 0, -1, { details = true })) do
      local lines = { '' }
      for _, chunk in ipairs(mark[4].virt_text or {}) do lines[1] = lines[1] .. chunk[1] end
      for _, line in ipairs(mark[4].virt_lines or {}) do
        local text = ''
        for _, chunk in ipairs(line) do text = text .. chunk[1] end
        lines[#lines + 1] = text
      end
      found[#found + 1] = table.concat(lines, '\\n')
    end
  end
end
return found
"""


class Editor:
    """One Neovim with the plugin, as a user with an empty configuration has it."""

    def __init__(self, home, file, setup):
        init = home / "init.lua"
        init.write_text(
            f"vim.opt.runtimepath:prepend({str(ROOT / 'editor-client' / 'nvim')!r})\n"
            "vim.o.swapfile = false\nvim.o.autoindent = true\n"
            "_G.said = {}\n"
            "vim.notify = function(text) table.insert(_G.said, text) end\n"
            "vim.notify_once = vim.notify\n" + setup
        )
        folders = {name: str(home / name) for name in ("state", "data", "config", "cache")}
        env = os.environ | {f"XDG_{name.upper()}_HOME": path for name, path in folders.items()}
        socket = home / "nvim.sock"
        argv = [str(INSTALLED), "--headless", "-n", "-i", "NONE", "-u", str(init)]
        self._process = subprocess.Popen([*argv, "--listen", str(socket), str(file)], env=env)
        end = time.monotonic() + DEADLINE_S
        while not socket.exists() and time.monotonic() < end:
            time.sleep(0.02)
        self.nvim = pynvim.attach("socket", path=str(socket))

    def lua(self, code, *arguments):
        return self.nvim.exec_lua(code, *arguments)

    def until(self, condition, what):
        """Polls until ``condition`` holds; fails with what was waited for and what nvim said."""
        end = time.monotonic() + DEADLINE_S
        while time.monotonic() < end:
            value = condition()
            if value:
                return value
            time.sleep(0.02)
        pytest.fail(f"waited in vain for {what}; lines {self.lines}, said {self.said}")

    def wait_for_server(self):
        self.until(
            lambda: self.lua(
                "local c = vim.lsp.get_clients({ bufnr = 0, name = 'parrotlet' })[1]"
                " return c ~= nil and c.initialized == true"
            ),
            "the server",
        )

    def type(self, keys):
        for key in keys:
            self.nvim.input("<lt>" if key == "<" else key)

    @property
    def ghosts(self):
        return self.lua(GHOSTS)

    @property
    def lines(self):
        return list(self.nvim.current.buffer)

    @property
    def said(self):
        return self.lua("return _G.said")

    def close(self):
        self._process.terminate()
        self._process.wait(DEADLINE_S)
        self.nvim.close()


@pytest.fixture
def open_editor(tmp_path):
    """Opens a Neovim on a Python file; closes it at the end."""
    if not INSTALLED.is_file():
        pytest.fail(f"there is no Neovim 0.12 in .tools/nvim; install it with: {INSTALL}")
    editors = []

    def open_it(text, *, setup=None):
        file = tmp_path / "example.py"
        file.write_text(text)
        server = [sys.executable, "-m", "server"]
        command = "{ " + ", ".join(f"'{part}'" for part in server) + " }"
        setup = setup or f"require('parrotlet').setup({{ cmd = {command} }})\n"
        editors.append(Editor(tmp_path, file, setup))
        return editors[-1]

    yield open_it
    for editor in editors:
        editor.close()
