"""A machine that has never seen Parrotlet: what a new user does, and what is found where."""

import json
import zipfile
from pathlib import Path

import pytest
from code_server import until
from test_vscode_server import SERVER

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

STAND_IN = Path(__file__).parent / "stand_in_backend.py"
PYPROJECT = """
[build-system]
requires = []
build-backend = "stand_in_backend"
backend-path = ["."]

[project]
name = "parrotlet"
version = "0.0.0"
requires-python = ">=3.11"
"""
LINES = [
    "import numpy as ",
    "\nclass Shape:\n    def __init__(self, name):\n    self.name = ",
    "\n\n    try:\n    import json\nexcept Imp",
]


def folder_of(path, files):
    path.mkdir(parents=True)
    for name, text in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_text(text)
    return path


def door(path, *, mark=None):
    """Makes a program that starts the real server, and leaves a mark that it has run."""
    path.parent.mkdir(parents=True, exist_ok=True)
    left = f'touch "{mark}"\n' if mark else ""
    path.write_text(f'#!/bin/sh\n{left}exec "{SERVER}" "$@"\n')
    path.chmod(0o755)


def without_checkout(package, path):
    """Returns the extension as it is when it was built on another machine."""
    with zipfile.ZipFile(package) as whole, zipfile.ZipFile(path, "w") as other:
        for name in whole.namelist():
            content = whole.read(name)
            if name == "extension/installation.json":
                content = json.dumps({"folder": "/nowhere/parrotlet"})
            other.writestr(name, content)
    return path


def test_two_actions_after_make_demo(open_fresh, package, tmp_path):
    """The bar: install the .vsix, open a Python file; if it fails, new users give up."""
    folder = folder_of(tmp_path / "project", {"new.py": ""})
    window = open_fresh(package, folder)  # has installed the .vsix: the first action
    assert window.server_pid is None  # nothing is started where no Python is
    window.page.locator(".explorer-folders-view .monaco-list-row", has_text="new.py").dblclick()
    window.waits_for_focus("new.py")
    window.is_ready()
    ghost = next(filter(None, (type_and_look(window, line) for line in LINES)), None)
    assert ghost, window.told
    before = window.text
    window.press("Tab")
    window.holds(before + ghost)
    assert window.notices == []


def type_and_look(window, line):
    window.type(line)
    window.page.wait_for_timeout(1000)
    return window.ghost


def test_a_missing_server_is_offered_and_installed(open_fresh, package, tmp_path):
    """If it fails, whoever got the .vsix alone gets nothing to work."""
    folder = folder_of(tmp_path / "project", {"new.py": ""})
    source = folder_of(tmp_path / "source", {"pyproject.toml": PYPROJECT})
    text = STAND_IN.read_text().replace('SERVER = ""', f"SERVER = {SERVER!r}")
    (source / STAND_IN.name).write_text(text)
    alone = without_checkout(package, tmp_path / "alone.vsix")
    places = [tmp_path / "on the path", tmp_path / "active"]
    env = {"PATH": f"{places[0]}:/usr/bin:/bin", "VIRTUAL_ENV": str(places[1])}
    window = open_fresh(alone, folder, env=env)
    window.open("", "new.py")
    notice = window.says("the server is not installed; install it with: python3 -m pip install")
    assert window.status.startswith("Parrotlet has a problem: the server is not installed")

    door(places[0] / "parrotlet-server")
    found(window, "the PATH", places[0])
    (places[0] / "parrotlet-server").unlink()

    window.run("parrotlet.restartServer")
    notice = window.says("the server is not installed")
    notice.get_by_role("button", name="Install It").click()
    window.chooses_folder(source, "Install From Here")
    window.is_ready()
    assert "this extension’s own installation" in window.log

    door(places[1] / "bin" / "parrotlet-server")
    found(window, f"the active environment {places[1]}", places[1])
    chosen = tmp_path / "chosen"
    door(chosen / "bin" / "parrotlet-server")
    (chosen / "bin" / "python").symlink_to("/usr/bin/python3")
    settings = {"python.defaultInterpreterPath": str(chosen / "bin" / "python")}
    (folder / ".vscode").mkdir()
    (folder / ".vscode" / "settings.json").write_text(json.dumps(settings))
    until(lambda: f"the environment of {chosen}/bin/python" in window.log, lambda: window.log)


def found(window, where, place):
    """Starts the server anew, and sees to it that it is found there."""
    before = window.server_pid
    window.run("parrotlet.restartServer")
    until(lambda: window.server_pid not in {None, before}, lambda: window.log)
    window.is_ready()
    assert f"starting {place}" in window.log
    assert f"(found in {where})" in window.log


def test_a_project_that_is_not_trusted_chooses_nothing_that_runs(open_fresh, package, tmp_path):
    """If it fails, opening somebody's project runs somebody's program."""
    mark = tmp_path / "it has run"
    project = folder_of(tmp_path / "project", {"new.py": ""})
    door(project / "server.sh", mark=mark)
    door(project / ".venv" / "bin" / "parrotlet-server", mark=mark)
    (project / ".venv" / "bin" / "python").symlink_to("/usr/bin/python3")
    settings = {
        "parrotlet.client.server": [str(project / "server.sh")],
        "parrotlet.model": str(project / "model"),
        "parrotlet.remote.url": "http://127.0.0.1:9",
        "parrotlet.event_log": str(project / "events"),
        "python.defaultInterpreterPath": "${workspaceFolder}/.venv/bin/python",
    }
    folder_of(project / ".vscode", {"settings.json": json.dumps(settings)})
    trust = {
        "security.workspace.trust.enabled": True,
        "security.workspace.trust.startupPrompt": "never",
        "parrotlet.suggestion.eagerness": "always",
    }
    in_project = str(project / ".venv" / "bin")
    env = {"VIRTUAL_ENV": str(project / ".venv"), "PATH": f"{in_project}:/usr/bin:/bin"}
    window = open_fresh(package, project, settings=trust, env=env)
    window.show(project / "new.py", 0)
    window.is_ready()
    window.type("import numpy as ")
    until(lambda: window.ghost, lambda: window.told)
    health = window.api("return await vscode.commands.executeCommand('parrotlet.health')")
    assert health["model"] == "bundled"
    assert "the checkout that this extension was built from" in window.log
    assert not mark.exists()
    assert not (project / "events").exists()

    window.start("workbench.trust.manage")
    window.page.get_by_role("button", name="Trust", exact=True).first.click()
    until(mark.exists, "the project's own server, now that it is trusted")


def test_the_walkthrough_leads_through_it(window, model):
    """If it fails, new users learn nothing of keys and switches."""
    window.run("parrotlet.openWalkthrough")
    steps = window.page.locator(".getting-started-step .step-title")
    steps.first.wait_for()
    assert [one.strip() for one in steps.all_text_contents()] == [
        "Open a Python file",
        "Have the server",
        "Take what you like of it",
        "Have it quiet when you want to",
        "Ask why nothing is shown",
    ]
    steps.nth(4).click()
    window.page.get_by_role("button", name="Why Is Nothing Shown?").click()
    assert "Why is nothing shown?" in window.page_says("Why is nothing shown?")
