"""Installing the server from VS Code: offered, confirmed, shown, cancelled, verified."""

import functools
import http.server
import json
import threading
import zipfile
from pathlib import Path

import build_backend
import psutil
import pytest
from code_server import CodeServer, wait_until
from code_window import Window
from test_vscode_server import SERVER

from server import VERSION

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

STAND_IN = Path(build_backend.__file__)
MISSING = "Parrotlet has a problem: the server is not installed"
PYPROJECT = """
[build-system]
requires = []
build-backend = "build_backend"
backend-path = ["."]

[project]
name = "parrotlet"
version = "0.0.0"
requires-python = ">=3.11"
"""


def write_folder(path, files):
    path.mkdir(parents=True)
    for name, text in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_text(text)
    return path


def write_source(path, **changes):
    """Writes a source folder that pip can install; ``changes`` are constants of its backend."""
    text = STAND_IN.read_text().replace('SERVER = ""', f"SERVER = {SERVER!r}")
    for name, value in changes.items():
        text = text.replace(f"{name} = 0", f"{name} = {value!r}")
    return write_folder(path, {"pyproject.toml": PYPROJECT, STAND_IN.name: text})


def build_wheel_in(folder, *, server=SERVER, n_padding=0):
    """Builds a wheel that pip can install."""
    folder.mkdir(parents=True, exist_ok=True)
    changes = {"SERVER": server, "N_PADDING": n_padding}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in changes.items():
            patch.setattr(build_backend, name, value)
        return folder / build_backend.build_wheel(folder)


def repackage(package, path, record):
    """Repackages the extension with another record of its build."""
    with zipfile.ZipFile(package) as whole, zipfile.ZipFile(path, "w") as other:
        for name in whole.namelist():
            content = whole.read(name)
            if name == "extension/installation.json":
                content = json.dumps({"python": "3.11"} | record)
            other.writestr(name, content)
    return path


class SlowIndex(http.server.SimpleHTTPRequestHandler):
    """A package index that sends the second half of a wheel once ``may_continue`` is set."""

    may_continue = threading.Event()

    def copyfile(self, source, outputfile):
        content = source.read()
        half = len(content) // 2
        outputfile.write(content[:half])
        if self.path.endswith(".whl"):
            outputfile.flush()
            self.may_continue.wait(60)
        outputfile.write(content[half:])

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    """The URL of a package index with one large wheel."""
    folder = tmp_path_factory.mktemp("index")
    build_wheel_in(folder / "simple" / "parrotlet", n_padding=3_000_000)
    handler = functools.partial(SlowIndex, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/simple"
    SlowIndex.may_continue.set()
    server.shutdown()
    thread.join()
    server.server_close()


def mislead_pip(folder):
    """Returns variables with which pip finds the stand-in elsewhere, and installs elsewhere.

    With them, an installation must still put everything into its own environment.
    """
    elsewhere = folder / "of another project"
    about = "Metadata-Version: 2.1\nName: parrotlet\nVersion: 0.0.0\n"
    files = {"METADATA": about, "INSTALLER": "pip\n", "RECORD": ""}
    write_folder(elsewhere / "parrotlet-0.0.0.dist-info", files)
    return {"PYTHONPATH": str(elsewhere), "PIP_TARGET": str(folder / "target")}


@pytest.fixture(scope="module")
def shared_bare(browser, package, index, tmp_path_factory):
    """A window on a machine without a server; the extension was built on another machine."""
    home = tmp_path_factory.mktemp("bare")
    # Here, the build's folder is another project.
    other = write_folder(home / "elsewhere", {"pyproject.toml": '[project]\nname = "other"\n'})
    alone = repackage(package, home / "alone.vsix", {"folder": str(other)})
    project = write_folder(home / "project", {"new.py": ""})
    env = {"PATH": "/usr/bin:/bin", "PIP_INDEX_URL": index, **mislead_pip(home)}
    server = CodeServer(home / "code-server", {}, packages=[alone], env=env)
    page = browser.new_page(viewport={"width": 1200, "height": 800})
    yield Window(server, page, project)
    page.close()
    server.close()


@pytest.fixture
def bare(shared_bare):
    """The window with only a file open; only the last tests install anything."""
    shared_bare.press("Escape")
    shared_bare.run_command("notifications.clearAll")
    shared_bare.run_command("workbench.action.closeAllEditors")
    shared_bare.open_file("", "new.py")
    return shared_bare


def list_environments(window):
    """Returns the names of the environments in the extension's own folder."""
    storage = window.home / "data" / "User" / "globalStorage" / "parrotlet.parrotlet"
    return [path.name for path in storage.glob("server-*")]


def choose_wheel(window, wheel):
    """Selects a wheel to install."""
    window.start_command("parrotlet.installServer")
    window.pick("Wheel file…")
    window.choose_file(wheel, "Select")


def test_installing_a_missing_server_is_offered_everywhere(bare):
    """If it fails, users who have only the .vsix do not know what to do."""
    window = bare
    window.run_command("parrotlet.restartServer")
    notice = window.wait_for_notification(
        "Parrotlet needs its server, which is not installed on this machine."
    )
    wait_until(lambda: window.status == MISSING, lambda: window.status)
    notice.get_by_role("button", name="Set Server Path…").wait_for()  # drawn after the text
    window.start_command("parrotlet.menu")
    assert "Install server…" in window.choices[0]
    window.press("Escape")
    window.run_command("parrotlet.whyNothing")
    said = window.wait_for_page("Why is nothing shown?")
    assert "The server is not installed." in said
    window.click_on_page("Install Server…")
    wait_until(lambda: "Wheel file…" in "".join(window.choices), lambda: window.choices)
    choices = "\n".join(window.choices)
    assert "elsewhere" not in choices  # it is not a checkout of Parrotlet
    assert all(one in choices for one in ("Package index…", "Source folder…", "Set server path…"))


def test_other_wheels_are_refused(bare, tmp_path):
    """If it fails, a wrong click installs somebody else's package."""
    other = write_folder(tmp_path / "wheels", {"other-1.0-py3-none-any.whl": ""})
    choose_wheel(bare, other / "other-1.0-py3-none-any.whl")
    bare.wait_for_notification("other-1.0-py3-none-any.whl is not a wheel of Parrotlet.")
    assert list_environments(bare) == []


def test_nothing_is_installed_without_consent(bare, tmp_path):
    """If it fails, a wrong click downloads gigabytes."""
    wheel = build_wheel_in(tmp_path / "wheels")
    choose_wheel(bare, wheel)
    asked = bare.answer_dialog(None)
    assert f"pip install {wheel}" in asked
    assert "Python: /usr/bin/python3" in asked
    assert "CUDA" in asked
    bare.page.wait_for_timeout(1000)
    assert list_environments(bare) == []


def test_a_server_that_does_not_answer_is_not_used(bare, tmp_path):
    """If it fails, a wrong package is started whenever VS Code starts."""
    choose_wheel(bare, build_wheel_in(tmp_path / "wheels", server="/bin/false"))
    bare.answer_dialog("Install")
    bare.wait_for_notification("does not start; see the log, or select another source")
    wait_until(lambda: list_environments(bare) == [], lambda: list_environments(bare))
    wait_until(lambda: bare.status == MISSING, lambda: bare.status)


def install_from_index(window, requirement):
    """Installs a requirement from the index; returns the text of the confirmation."""
    window.start_command("parrotlet.installServer")
    window.pick("Package index…")
    box = window.page.locator(".quick-input-widget input.input")
    wait_until(lambda: box.input_value() == f"parrotlet=={VERSION}", box.input_value)
    window.fill_input(requirement, title="Install the Parrotlet Server from a Package Index")
    return window.answer_dialog("Install")


def test_a_failed_installation_leaves_nothing(bare):
    """If it fails, users read pip's output, or start half a server."""
    install_from_index(bare, "parrotlet==9.9")
    notice = bare.wait_for_notification(
        "The Parrotlet server was not installed: pip found no package for"
    )
    assert "parrotlet==9.9 in its package index." in notice.inner_text()
    notice.get_by_role("button", name="Show Log").click()
    assert "No matching distribution found" in bare.log
    wait_until(lambda: list_environments(bare) == [], lambda: list_environments(bare))
    wait_until(lambda: bare.status == MISSING, lambda: bare.status)


def test_cancelling_stops_all_processes(bare, tmp_path):
    """If it fails, pip continues in secret."""
    source = write_source(tmp_path / "slow source", DELAY_S=90)
    bare.start_command("parrotlet.installServer")
    bare.pick("Source folder…")
    bare.choose_folder(source, "Install From Here")
    bare.answer_dialog("Install")
    wait_until(lambda: find_processes(str(source)), "the build")
    wait_until(lambda: "installing its server: " in bare.status, lambda: bare.status)
    bare.page.get_by_role("button", name="Cancel").click()
    wait_until(lambda: not find_processes(str(source)), lambda: find_processes(str(source)))
    wait_until(lambda: list_environments(bare) == [], lambda: list_environments(bare))
    wait_until(lambda: bare.status == MISSING, lambda: bare.status)


def find_processes(text):
    """Returns all processes whose command line or working folder contains a text."""
    found = []
    for process in psutil.process_iter(["cmdline", "cwd"]):
        about = [*(process.info["cmdline"] or ()), process.info["cwd"] or ""]
        if any(text in one for one in about):
            found.append(process.info)
    return found


def test_pip_installs_exactly_what_the_user_agreed_to(bare, index):
    """If it fails, something else is installed than what was shown."""
    bare.change_setting("parrotlet.client.extraIndexUrl", index)
    asked = install_from_index(bare, "parrotlet==0.0.0")
    assert f"pip install --extra-index-url {index} parrotlet==0.0.0" in asked
    assert "continue only if you trust them" in asked
    assert "CUDA" not in asked  # because an extra index is set
    wait_until(lambda: "downloading parrotlet (3" in bare.status, lambda: bare.status)
    bar = bare.page.locator("#parrotlet\\.parrotlet\\.parrotlet\\.status")
    assert "Installing…" in bar.inner_text()
    bare.wait_for_notification("Downloading parrotlet (3")
    bare.run_command("parrotlet.whyNothing")
    assert "The server is not installed." in bare.wait_for_page("Why is nothing shown?")
    SlowIndex.may_continue.set()
    bare.wait_for_notification("Installed the Parrotlet server")
    bare.wait_until_ready()
    wait_until(
        lambda: "The server is ready." in bare.wait_for_page("Why is nothing shown?"),
        lambda: bare.wait_for_page("Why is nothing shown?"),
    )
    assert "found in the environment that this extension installed" in bare.log


def test_another_installation_replaces_the_first(bare, tmp_path):
    """If it fails, each installation leaves the gigabytes of the last one."""
    (before,) = list_environments(bare)
    server = bare.server_pid
    choose_wheel(bare, build_wheel_in(tmp_path / "wheels"))
    bare.answer_dialog("Install")
    wait_until(lambda: bare.server_pid not in {None, server}, "another server")
    bare.wait_until_ready()
    wait_until(lambda: len(list_environments(bare)) == 1, lambda: list_environments(bare))
    assert list_environments(bare) != [before]


def test_a_server_path_is_checked_before_the_setting_changes(bare, tmp_path):
    """If it fails, a wrong click ends suggestions until the user finds the setting."""
    right, wrong = tmp_path / "parrotlet-server", tmp_path / "wrong-server"
    right.write_text(f'#!/bin/sh\nexec "{SERVER}" "$@"\n')
    wrong.write_text("#!/bin/sh\nexit 3\n")
    for path in (right, wrong):
        path.chmod(0o755)
    bare.start_command("parrotlet.setServerPath")
    bare.choose_file(wrong, "Use This Server")
    bare.wait_for_notification("does not answer to --version")
    bare.start_command("parrotlet.setServerPath")
    bare.choose_file(right, "Use This Server")
    setting = "return vscode.workspace.getConfiguration('parrotlet').get('client.server')"
    wait_until(lambda: bare.call_api(setting) == [str(right)], lambda: bare.call_api(setting))
    wait_until(lambda: f"starting {right}" in bare.log, lambda: bare.log)


def test_an_existing_installation_is_found(open_fresh, package, tmp_path):
    """If it fails, users who have installed the server read that there is none.

    It may be that of the Python installation that brought the extension, one on the PATH, or that
    of the active environment, which is searched first.
    """
    folder = write_folder(tmp_path / "project", {"new.py": ""})
    own, active, on_path = (
        write_program(tmp_path / place / "bin") for place in ("its own", "active", "on path")
    )
    alone = repackage(package, tmp_path / "alone.vsix", {"server": str(own)})
    window = open_fresh(alone, folder, env={"PATH": f"{on_path.parent}:/usr/bin:/bin"})
    window.open_file("", "new.py")
    window.wait_until_ready()
    assert f"starting {own}" in window.log
    assert window.notifications == []

    own.write_text("#!/removed/python3\n")
    restart_server(window)
    assert f"starting {on_path}" in window.log
    window.call_api("process.env.VIRTUAL_ENV = given.folder", folder=str(active.parents[1]))
    restart_server(window)
    assert f"starting {active}" in window.log
    assert window.notifications == []

    python = tmp_path / "python3"  # itself a script whose interpreter is gone
    for program in (python, active):
        program.write_text(f"#!{python if program == active else '/removed/python3'}\n")
    python.chmod(0o755)
    window.run_command("parrotlet.restartServer")
    notice = window.wait_for_notification(f"{active} could not be started")
    notice.get_by_role("button", name="Install Server…").wait_for()  # drawn after the text


def write_program(folder):
    """Writes a program that runs the server; returns its path."""
    program = folder / "parrotlet-server"
    folder.mkdir(parents=True)
    program.write_text(f'#!/bin/sh\nexec "{SERVER}" "$@"\n')
    program.chmod(0o755)
    return program


def restart_server(window):
    before = window.server_pid
    window.run_command("parrotlet.restartServer")
    wait_until(lambda: window.server_pid not in {None, before}, "another server")
    window.wait_until_ready()
