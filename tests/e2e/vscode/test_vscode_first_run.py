"""The first run in VS Code: what a new user does, and which server is found."""

import json
import time
import zipfile

import pytest
from code_server import wait_until
from test_vscode_server import SERVER

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

GHOST_S = 5.0  # after which no line that the model has nothing for is waited for
LINES = [
    "import numpy as ",
    "\nclass Shape:\n    def __init__(self, name):\n    self.name = ",
    "\n\n    try:\n    import json\nexcept Imp",
]

PYTHON_EXTENSION = """
const vscode = require('vscode');
const changed = new vscode.EventEmitter();
let path = '';
exports.activate = () => ({
  environments: {
    getActiveEnvironmentPath: () => ({ path }),
    onDidChangeActiveEnvironmentPath: changed.event,
  },
  select: (selected) => { path = selected; changed.fire({ path }); },
});
"""
SELECT_PYTHON = """
  const extension = vscode.extensions.getExtension('ms-python.python');
  (await extension.activate()).select(given.path);"""


def write_folder(path, files):
    path.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_text(text)
    return path


def write_python_extension(folder):
    """Packs a stand-in for the Python extension's API; returns its .vsix."""
    about = {
        "name": "python",
        "publisher": "ms-python",
        "version": "0.0.1",
        "engines": {"vscode": "^1.91.0"},
        "main": "./extension.js",
        "capabilities": {"untrustedWorkspaces": {"supported": True}},
    }
    path = folder / "python.vsix"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("extension/package.json", json.dumps(about))
        archive.writestr("extension/extension.js", PYTHON_EXTENSION)
    return path


def write_server_script(path, *, mark=None):
    """Writes a script that runs the real server, and creates ``mark`` if it is given."""
    path.parent.mkdir(parents=True, exist_ok=True)
    touch = f'touch "{mark}"\n' if mark else ""
    path.write_text(f'#!/bin/sh\n{touch}exec "{SERVER}" "$@"\n')
    path.chmod(0o755)


def test_two_actions_after_make_demo(open_fresh, package, tmp_path):
    """The bar: install the .vsix, open a Python file. If it fails, new users give up.

    Then they select another Python: its server starts, not that of another environment.
    """
    folder = write_folder(tmp_path / "project", {"new.py": ""})
    window = open_fresh(package, folder)  # the first action: installs the .vsix
    assert window.server_pid is None  # nothing is started before there is a Python file
    window.page.locator(".explorer-folders-view .monaco-list-row", has_text="new.py").dblclick()
    window.wait_for_focus("new.py")
    window.wait_until_ready()
    ghost = next(filter(None, (type_and_read_ghost(window, line) for line in LINES)), None)
    assert ghost, window.description
    before = window.text
    window.press("Tab")
    window.wait_for_text(before + ghost)
    assert window.notifications == []

    chosen = tmp_path / "chosen"
    write_server_script(chosen / "bin" / "parrotlet-server")
    (chosen / "bin" / "python").symlink_to("/usr/bin/python3")
    settings = {"python.defaultInterpreterPath": str(chosen / "bin" / "python")}
    write_folder(folder / ".vscode", {"settings.json": json.dumps(settings)})
    wait_until(lambda: f"the environment of {chosen}/bin/python" in window.log, lambda: window.log)


def type_and_read_ghost(window, line):
    """Types a line and returns its ghost text, or "" once there was time for some."""
    window.type(line)
    end = time.monotonic() + GHOST_S
    while not window.ghost and time.monotonic() < end:
        window.page.wait_for_timeout(100)
    return window.ghost


def test_settings_under_former_names_still_apply(open_fresh, package, tmp_path):
    """If it fails, an update of the extension ignores what its users have set."""
    folder = write_folder(tmp_path / "project", {"new.py": ""})
    events = tmp_path / "events"
    settings = {
        "parrotlet.client.excluded_files": ["**/former_*.py"],
        "parrotlet.event_log": str(events),
        "parrotlet.suggestion.eagerness": "always",
    }
    window = open_fresh(package, folder, settings=settings)
    window.open_file("", "new.py")
    window.wait_until_ready()
    window.type("import numpy as ")
    wait_until(lambda: window.ghost, lambda: window.description)
    assert events.read_text()
    assert "parrotlet.event_log is now called parrotlet.eventLog" in window.log
    path = window.open_file("", "former_one.py")
    window.wait_for_status("Parrotlet is off for files that match **/former_*.py")
    window.open_file("", "another.py")
    window.wait_until_ready()
    window.run_command("parrotlet.toggleFile")  # copies the value to the new name
    inspect = "return vscode.workspace.getConfiguration('parrotlet').inspect(given.name)"
    now = window.call_api(inspect, name="client.excludedFiles")["globalValue"]
    assert now[0] == "**/former_*.py"
    assert str(path.with_name("another.py")) in now[1]
    former = window.call_api(inspect, name="client.excluded_files")
    assert former.get("globalValue") is None


def test_an_untrusted_workspace_cannot_choose_what_runs(open_fresh, package, tmp_path):
    """If it fails, opening somebody's project runs somebody's program."""
    mark = tmp_path / "it was run"
    project = write_folder(tmp_path / "project", {"new.py": ""})
    write_server_script(project / "server.sh", mark=mark)
    write_server_script(project / ".venv" / "bin" / "parrotlet-server", mark=mark)
    (project / ".venv" / "bin" / "python").symlink_to("/usr/bin/python3")
    settings = {
        "parrotlet.client.server": [str(project / "server.sh")],
        "parrotlet.model": str(project / "model"),
        "parrotlet.remote.url": "http://127.0.0.1:9",
        "parrotlet.eventLog": str(project / "events"),
        "parrotlet.event_log": str(project / "former name"),
        "python.defaultInterpreterPath": "${workspaceFolder}/.venv/bin/python",
    }
    write_folder(project / ".vscode", {"settings.json": json.dumps(settings)})
    trust = {
        "security.workspace.trust.enabled": True,
        "security.workspace.trust.startupPrompt": "never",
        "parrotlet.suggestion.eagerness": "always",
    }
    in_project = str(project / ".venv" / "bin")
    env = {"VIRTUAL_ENV": str(project / ".venv"), "PATH": f"{in_project}:/usr/bin:/bin"}
    python = write_python_extension(tmp_path)
    window = open_fresh(package, project, settings=trust, env=env, others=[python])
    window.show_file(project / "new.py", 0)
    window.wait_until_ready()
    window.type("import numpy as ")
    wait_until(lambda: window.ghost, lambda: window.description)
    health = window.call_api("return await vscode.commands.executeCommand('parrotlet.health')")
    assert health["model"] == "bundled"
    assert "the checkout that this extension was built from" in window.log
    assert not mark.exists()
    assert not (project / "events").exists()
    assert not (project / "former name").exists()

    window.start_command("workbench.trust.manage")
    window.page.get_by_role("button", name="Trust", exact=True).first.click()
    wait_until(mark.exists, "the project's own server, now that it is trusted")
    window.change_setting("parrotlet.client.server", None, where="Workspace")
    wait_until(lambda: f"starting {in_project}" in window.log, lambda: window.log)
    wait_until(lambda: "no model directory" in window.status, lambda: window.status)
    other = tmp_path / "other environment" / "bin"
    write_server_script(other / "parrotlet-server")
    window.call_api(SELECT_PYTHON, path=str(other / "python"))
    wait_until(lambda: f"starting {other}" in window.log, lambda: window.log)


def test_no_workspace_chooses_where_text_goes(window, model, tmp_path):
    """If it fails, a repository that its reader trusts sends text and keys to its author."""
    model.rules = [("def both():\n", "    a = 1\n    return a\n")]
    settings = {
        "parrotlet.remote.url": "http://127.0.0.1:9",
        "parrotlet.remote.keyVariable": "PATH",
        "parrotlet.remote.key_variable": "PATH",
        "parrotlet.eventLog": str(tmp_path / "events"),
        "parrotlet.event_log": str(tmp_path / "events"),
        "parrotlet.suggestion.extent": "line",
    }
    write_folder(window.folder / ".vscode", {"settings.json": json.dumps(settings)})
    extent = "return vscode.workspace.getConfiguration('parrotlet').get('suggestion.extent')"
    try:
        wait_until(lambda: window.call_api(extent) == "line", "the workspace's settings")
        window.wait_for_settings()
        window.open_file("def both():|", "new.py")
        window.press("Enter")
        window.wait_for_ghost("a = 1")  # the workspace's extent holds
        health = window.call_api("return await vscode.commands.executeCommand('parrotlet.health')")
        assert health["url"].startswith(model.url)
        assert not (tmp_path / "events").exists()
    finally:
        (window.folder / ".vscode" / "settings.json").write_text("{}")


def test_the_walkthrough_opens(window, model):
    """If it fails, new users do not learn about keys and switches."""
    window.run_command("parrotlet.openWalkthrough")
    steps = window.page.locator(".getting-started-step .step-title")
    steps.first.wait_for()
    assert [one.strip() for one in steps.all_text_contents()] == [
        "Open a Python file",
        "Install the server",
        "Accept a suggestion",
        "Turn suggestions off or snooze",
        "Find out why nothing is shown",
    ]
    steps.nth(4).click()
    window.page.get_by_role("button", name="Why Is Nothing Shown?").click()
    assert "Why is nothing shown?" in window.wait_for_page("Why is nothing shown?")
