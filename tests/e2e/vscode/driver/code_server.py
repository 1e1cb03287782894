"""A real VS Code: code-server, with windows in a real browser.

What a user does and sees goes through the browser: keys, clicks, and drawn text. Other preparations
and checks use VS Code's API, through a small extension (``extension``).
"""

import json
import os
import re
import shutil
import signal
import subprocess
import time
import zipfile
from pathlib import Path

from training.foundation.errors import PrerequisiteError

ROOT = Path(__file__).parents[4]
EXTENSION = ROOT / "editor-client" / "vscode"
DRIVER = Path(__file__).parent / "extension"
CODE_SERVER = ROOT / ".tools" / "code-server" / "run"
INSTALL = "bash editor-client/vscode/scripts/install-code-server.sh .tools/code-server"
BROWSER = "chromium"
DEADLINE_S = 90.0
POLL_S = 0.02  # at first; a page that is asked all the time is slower to show anything
LONGEST_POLL_S = 0.15

# Turns off other popups, and everything that accesses the network.
QUIET = {
    "chat.disableAIFeatures": True,
    "editor.cursorBlinking": "solid",
    "editor.quickSuggestions": {"other": "off", "comments": "off", "strings": "off"},
    "editor.minimap.enabled": False,
    "editor.suggestOnTriggerCharacters": False,
    "editor.wordBasedSuggestions": "off",
    "extensions.autoCheckUpdates": False,
    "extensions.ignoreRecommendations": True,
    "files.autoSave": "off",
    "git.enabled": False,
    "security.workspace.trust.enabled": False,
    "telemetry.telemetryLevel": "off",
    "window.confirmBeforeClose": "never",
    "workbench.secondarySideBar.defaultVisibility": "hidden",
    "workbench.reduceMotion": "on",
    "workbench.startupEditor": "none",
    "workbench.tips.enabled": False,
    "workbench.welcomePage.walkthroughs.openOnInstall": False,
}


def require_path(what, path, command):
    """Returns a path that exists.

    Raises:
        PrerequisiteError: It does not exist; the message says how to install it.
    """
    if path is None or not Path(path).exists():
        raise PrerequisiteError(f"there is no {what}; install it with: {command}")
    return path


def find_browser():
    return require_path("Chromium", shutil.which(BROWSER), f"apt-get install {BROWSER}")


def wait_until(condition, what, *, deadline_s=DEADLINE_S):
    """Polls until a condition is met and returns its value; fails with a description."""
    end = time.monotonic() + deadline_s
    poll_s = POLL_S
    while time.monotonic() < end:
        if value := condition():
            return value
        time.sleep(poll_s)
        poll_s = min(LONGEST_POLL_S, 1.2 * poll_s)
    raise AssertionError(f"timed out waiting for {what() if callable(what) else what}")


class CodeServer:
    """A new installation of VS Code."""

    def __init__(self, home, settings, *, packages, env=None, arguments=()):
        self.home = home
        self._drivers = home / "drivers"
        self._user = home / "data" / "User"
        for folder in (self._drivers, self._user):
            folder.mkdir(parents=True)
        self.write_settings(settings)
        self._env = self._environment(env or {})
        self._command = [
            *(require_path("code-server in .tools/code-server", CODE_SERVER, INSTALL),),
            *("--user-data-dir", home / "data", "--extensions-dir", home / "extensions"),
        ]
        driver = home / "driver.vsix"
        with zipfile.ZipFile(driver, "w") as archive:
            for file in DRIVER.iterdir():
                archive.write(file, f"extension/{file.name}")
        self.install(driver, *packages)
        self._process = subprocess.Popen(
            [*self._command, "--auth", "none", "--bind-addr", "127.0.0.1:0", *arguments],
            env=self._env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.url = self._wait_for_url()

    def install(self, *packages):
        """Installs some .vsix from the command line."""
        wanted = [word for package in packages for word in ("--install-extension", package)]
        done = subprocess.run(
            [*self._command, *wanted],
            env=self._env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout

    def write_settings(self, settings):
        text = json.dumps(QUIET | settings)
        (self._user / "settings.json").write_text(text, encoding="utf-8")

    def new_driver(self, known):
        """Returns the URL and process of the driver of a new window, once it is running."""
        for name in self.drivers - known:
            if port := (self._drivers / name).read_text():
                return f"http://127.0.0.1:{port}/", int(name)
        return None

    @property
    def drivers(self):
        return {file.name for file in self._drivers.iterdir()}

    def close(self):
        os.killpg(self._process.pid, signal.SIGTERM)
        self._process.wait(DEADLINE_S)
        self._process.stdout.close()

    def _environment(self, extra):
        """Returns environment variables with another home folder and a login shell's PATH."""
        dropped = {"VIRTUAL_ENV", "PYTHONPATH"}
        inherited = {name: value for name, value in os.environ.items() if name not in dropped}
        kinds = ("CONFIG", "DATA", "STATE", "CACHE")
        folders = {f"XDG_{kind}_HOME": str(self.home / kind.lower()) for kind in kinds}
        path = extra.get("PATH", "/usr/bin:/bin")
        user = self.home / "user"
        user.mkdir()
        (user / ".profile").write_text(f'export PATH="{path}"\n')
        own = {"HOME": str(user), "SHELL": "/bin/bash", "PATH": path}
        quiet = {"PARROTLET_TEST_DRIVERS": str(self._drivers), "EXTENSIONS_GALLERY": "{}"}
        return inherited | folders | quiet | extra | own

    def _wait_for_url(self):
        for line in self._process.stdout:
            if found := re.search(r"listening on (http://127\.0\.0\.1:\d+)", line):
                return found[1]
        raise AssertionError("code-server exited before it was listening")
