"""A machine that has never seen Parrotlet: what a new user does, and what is found where."""

import json

import pytest
from code_server import until
from test_vscode_server import SERVER

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

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


def test_settings_under_their_former_names_still_apply(open_fresh, package, tmp_path):
    """If it fails, an update of the extension forgets what its users have set."""
    folder = folder_of(tmp_path / "project", {"new.py": ""})
    events = tmp_path / "events"
    settings = {
        "parrotlet.client.excluded_files": ["**/former_*.py"],
        "parrotlet.event_log": str(events),
        "parrotlet.suggestion.eagerness": "always",
    }
    window = open_fresh(package, folder, settings=settings)
    window.open("", "new.py")
    window.is_ready()
    window.type("import numpy as ")
    until(lambda: window.ghost, lambda: window.told)
    assert events.read_text()
    assert "parrotlet.event_log is now called parrotlet.eventLog" in window.log
    path = window.open("", "former_one.py")
    window.is_status("Parrotlet is off for files that match **/former_*.py")
    window.open("", "another.py")
    window.is_ready()
    window.run("parrotlet.toggleFile")  # writes the new name, with what the former one had
    inspect = "return vscode.workspace.getConfiguration('parrotlet').inspect(given.name)"
    now = window.api(inspect, name="client.excludedFiles")["globalValue"]
    assert now[0] == "**/former_*.py"
    assert str(path.with_name("another.py")) in now[1]
    former = window.api(inspect, name="client.excluded_files")
    assert former.get("globalValue") is None


def test_another_python_brings_another_server(open_fresh, package, tmp_path):
    """If it fails, a user who selects an environment goes on with the server of another."""
    folder = folder_of(tmp_path / "project", {"new.py": ""})
    window = open_fresh(package, folder)
    window.open("", "new.py")
    window.is_ready()
    chosen = tmp_path / "chosen"
    door(chosen / "bin" / "parrotlet-server")
    (chosen / "bin" / "python").symlink_to("/usr/bin/python3")
    settings = {"python.defaultInterpreterPath": str(chosen / "bin" / "python")}
    (folder / ".vscode").mkdir()
    (folder / ".vscode" / "settings.json").write_text(json.dumps(settings))
    until(lambda: f"the environment of {chosen}/bin/python" in window.log, lambda: window.log)


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
        "parrotlet.eventLog": str(project / "events"),
        "parrotlet.event_log": str(project / "former name"),
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
    assert not (project / "former name").exists()

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
        "Install the server",
        "Accept a suggestion",
        "Turn suggestions off or snooze",
        "Find out why nothing is shown",
    ]
    steps.nth(4).click()
    window.page.get_by_role("button", name="Why Is Nothing Shown?").click()
    assert "Why is nothing shown?" in window.page_says("Why is nothing shown?")
