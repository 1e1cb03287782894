"""A real VS Code: code-server in its own folder, and windows of it in a real browser.

What a user does goes through the browser: keys, clicks, and what is painted. What a test only has
to arrange or to look up goes through VS Code's own API, by a small extension (``driver``).
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
DEADLINE_S = 40.0
POLL_S = 0.02

# What would disturb: other things that pop up, and what reaches for the network.
QUIET = {
    "chat.disableAIFeatures": True,
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
    "workbench.startupEditor": "none",
    "workbench.tips.enabled": False,
    "workbench.welcomePage.walkthroughs.openOnInstall": False,
}


def needed(what, path, command):
    """Returns a path that is there, and says in one sentence how to get it if it is not."""
    if path is None or not Path(path).exists():
        raise PrerequisiteError(f"there is no {what}; install it with: {command}")
    return path


def browser_path():
    return needed("Chromium", shutil.which(BROWSER), f"apt-get install {BROWSER}")


def until(condition, what, *, deadline_s=DEADLINE_S):
    """Polls until ``condition`` returns something; fails with what was waited for."""
    end = time.monotonic() + deadline_s
    while time.monotonic() < end:
        if value := condition():
            return value
        time.sleep(POLL_S)
    raise AssertionError(f"waited in vain for {what() if callable(what) else what}")


class CodeServer:
    """One installation of VS Code, as a user with a new machine has it."""

    def __init__(self, home, settings, *, packages, env=None, arguments=()):
        self.home = home
        self._drivers = home / "drivers"
        self._user = home / "data" / "User"
        for folder in (self._drivers, self._user):
            folder.mkdir(parents=True)
        self.write_settings(settings)
        self._env = self._environment(env or {})
        self._command = [
            *(needed("code-server in .tools/code-server", CODE_SERVER, INSTALL),),
            *("--user-data-dir", home / "data", "--extensions-dir", home / "extensions"),
        ]
        driver = home / "driver.vsix"
        with zipfile.ZipFile(driver, "w") as archive:
            for file in DRIVER.iterdir():
                archive.write(file, f"extension/{file.name}")
        for package in (driver, *packages):
            self.install(package)
        self._process = subprocess.Popen(
            [*self._command, "--auth", "none", "--bind-addr", "127.0.0.1:0", *arguments],
            env=self._env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.url = self._listening()

    def install(self, package):
        """Installs a .vsix as a user does who has a shell."""
        done = subprocess.run(
            [*self._command, "--install-extension", package],
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
        """Returns address and process of the driver of a window opened since ``known``."""
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
        """Returns the environment of a user of their own, with a login shell that sets the PATH."""
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

    def _listening(self):
        for line in self._process.stdout:
            if found := re.search(r"listening on (http://127\.0\.0\.1:\d+)", line):
                return found[1]
        raise AssertionError("code-server ended before it listened")
