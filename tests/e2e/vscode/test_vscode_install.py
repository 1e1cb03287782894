"""Getting the server: offered where there is none, asked, shown, cancelled, verified."""

import functools
import http.server
import json
import threading
import zipfile
from pathlib import Path

import build_backend
import psutil
import pytest
from code_server import CodeServer, until
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


def folder_of(path, files):
    path.mkdir(parents=True)
    for name, text in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_text(text)
    return path


def source_of(path, **changes):
    """Makes a folder of source that pip can install; ``changes`` are those of the backend."""
    text = STAND_IN.read_text().replace('SERVER = ""', f"SERVER = {SERVER!r}")
    for name, value in changes.items():
        text = text.replace(f"{name} = 0", f"{name} = {value!r}")
    return folder_of(path, {"pyproject.toml": PYPROJECT, STAND_IN.name: text})


def wheel_of(folder, *, server=SERVER, n_padding=0):
    """Makes a wheel that pip can install."""
    folder.mkdir(parents=True, exist_ok=True)
    changes = {"SERVER": server, "N_PADDING": n_padding}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in changes.items():
            patch.setattr(build_backend, name, value)
        return folder / build_backend.build_wheel(folder)


def built_elsewhere(package, path, record):
    """Returns the extension as it is when it was built on another machine."""
    with zipfile.ZipFile(package) as whole, zipfile.ZipFile(path, "w") as other:
        for name in whole.namelist():
            content = whole.read(name)
            if name == "extension/installation.json":
                content = json.dumps({"python": "3.11"} | record)
            other.writestr(name, content)
    return path


class SlowIndex(http.server.SimpleHTTPRequestHandler):
    """A package index that sends the second half of a wheel when ``goes_on`` is set."""

    goes_on = threading.Event()

    def copyfile(self, source, outputfile):
        content = source.read()
        half = len(content) // 2
        outputfile.write(content[:half])
        if self.path.endswith(".whl"):
            outputfile.flush()
            self.goes_on.wait(60)
        outputfile.write(content[half:])

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    """An index with one large wheel; returns its URL."""
    folder = tmp_path_factory.mktemp("index")
    wheel_of(folder / "simple" / "parrotlet", n_padding=3_000_000)
    handler = functools.partial(SlowIndex, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/simple"
    SlowIndex.goes_on.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def shared_bare(browser, package, index, tmp_path_factory):
    """A window on a machine without a server, whose extension was built on another one."""
    home = tmp_path_factory.mktemp("bare")
    # The folder of that machine is here, too, and is another project's.
    other = folder_of(home / "elsewhere", {"pyproject.toml": '[project]\nname = "other"\n'})
    alone = built_elsewhere(package, home / "alone.vsix", {"folder": str(other)})
    project = folder_of(home / "project", {"new.py": ""})
    env = {"PATH": "/usr/bin:/bin", "PIP_INDEX_URL": index}
    server = CodeServer(home / "code-server", {}, packages=[alone], env=env)
    page = browser.new_page(viewport={"width": 1200, "height": 800})
    yield Window(server, page, project)
    page.close()
    server.close()


@pytest.fixture
def bare(shared_bare):
    """The window, with nothing open but a file; no test before the last ones installs anything."""
    shared_bare.press("Escape")
    shared_bare.run("notifications.clearAll")
    shared_bare.run("workbench.action.closeAllEditors")
    shared_bare.open("", "new.py")
    return shared_bare


def environments(window):
    """What the extension has in its own folder."""
    storage = window.home / "data" / "User" / "globalStorage" / "parrotlet.parrotlet"
    return [path.name for path in storage.glob("server-*")]


def installs_wheel(window, wheel):
    """Chooses a wheel to install."""
    window.start("parrotlet.installServer")
    window.picks("Wheel file…")
    window.chooses_file(wheel, "Select")


def test_a_missing_server_is_offered_everywhere(bare):
    """If it fails, whoever got the .vsix alone does not know what to do."""
    window = bare
    window.run("parrotlet.restartServer")
    notice = window.says("Parrotlet needs its server, which is not installed on this machine.")
    assert window.status == MISSING
    assert notice.get_by_role("button", name="Set Server Path…").count() == 1
    window.start("parrotlet.menu")
    assert "Install server…" in window.choices[0]
    window.press("Escape")
    window.run("parrotlet.whyNothing")
    said = window.page_says("Why is nothing shown?")
    assert "The server is not installed." in said
    window.clicks_on_page("Install Server…")
    until(lambda: "Wheel file…" in "".join(window.choices), lambda: window.choices)
    choices = "\n".join(window.choices)
    assert "elsewhere" not in choices  # what was built there is no checkout of Parrotlet here
    assert all(one in choices for one in ("Package index…", "Source folder…", "Set server path…"))


def test_what_is_no_wheel_of_parrotlet_is_refused(bare, tmp_path):
    other = folder_of(tmp_path / "wheels", {"other-1.0-py3-none-any.whl": ""})
    installs_wheel(bare, other / "other-1.0-py3-none-any.whl")
    bare.says("other-1.0-py3-none-any.whl is not a wheel of Parrotlet.")
    assert environments(bare) == []


def test_nothing_is_installed_without_consent(bare, tmp_path):
    """If it fails, a wrong click downloads gigabytes."""
    wheel = wheel_of(tmp_path / "wheels")
    installs_wheel(bare, wheel)
    asked = bare.confirms(None)
    assert f"pip install {wheel}" in asked
    assert "Python: /usr/bin/python3" in asked
    assert "CUDA" in asked
    bare.page.wait_for_timeout(1000)
    assert environments(bare) == []


def test_a_server_that_does_not_answer_is_not_used(bare, tmp_path):
    """If it fails, a wrong package is started at every start of VS Code."""
    installs_wheel(bare, wheel_of(tmp_path / "wheels", server="/bin/false"))
    bare.confirms("Install")
    bare.says("does not start; see the log, or select another source")
    until(lambda: environments(bare) == [], lambda: environments(bare))
    assert bare.status == MISSING


def from_index(window, requirement):
    """Installs a requirement from the index; returns what the user is asked."""
    window.start("parrotlet.installServer")
    window.picks("Package index…")
    box = window.page.locator(".quick-input-widget input.input")
    until(lambda: box.input_value() == f"parrotlet=={VERSION}", box.input_value)
    window.answers(requirement, title="Install the Parrotlet Server from a Package Index")
    return window.confirms("Install")


def test_a_failed_installation_is_one_sentence_and_leaves_nothing(bare):
    """If it fails, users read pip's output, or start half a server."""
    from_index(bare, "parrotlet==9.9")
    notice = bare.says("The Parrotlet server was not installed: pip found no package for")
    assert "parrotlet==9.9 in its package index." in notice.inner_text()
    notice.get_by_role("button", name="Show Log").click()
    assert "No matching distribution found" in bare.log
    until(lambda: environments(bare) == [], lambda: environments(bare))
    assert bare.status == MISSING


def test_a_cancelled_installation_ends_all_that_it_has_started(bare, tmp_path):
    """If it fails, pip goes on in secret."""
    source = source_of(tmp_path / "slow source", DELAY_S=90)
    bare.start("parrotlet.installServer")
    bare.picks("Source folder…")
    bare.chooses_folder(source, "Install From Here")
    bare.confirms("Install")
    until(lambda: running(str(source)), "the build")
    until(lambda: "installing its server: " in bare.status, lambda: bare.status)
    bare.page.get_by_role("button", name="Cancel").click()
    until(lambda: not running(str(source)), lambda: running(str(source)))
    until(lambda: environments(bare) == [], lambda: environments(bare))
    assert bare.status == MISSING


def running(words):
    """The processes of this machine in whose commands or folders this stands."""
    found = []
    for process in psutil.process_iter(["cmdline", "cwd"]):
        about = [*(process.info["cmdline"] or ()), process.info["cwd"] or ""]
        if any(words in one for one in about):
            found.append(process.info)
    return found


def test_the_index_is_asked_for_exactly_what_the_user_agreed_to(bare, index):
    """If it fails, something else is installed than what was shown."""
    bare.set("parrotlet.client.extraIndexUrl", index)
    asked = from_index(bare, "parrotlet==0.0.0")
    assert f"pip install --extra-index-url {index} parrotlet==0.0.0" in asked
    assert "continue only if you trust them" in asked
    assert "CUDA" not in asked  # an index for builds without it is set
    until(lambda: "downloading parrotlet (3" in bare.status, lambda: bare.status)
    bar = bare.page.locator("#parrotlet\\.parrotlet\\.parrotlet\\.status")
    assert "Installing…" in bar.inner_text()
    bare.says("Downloading parrotlet (3")
    bare.run("parrotlet.whyNothing")
    assert "The server is not installed." in bare.page_says("Why is nothing shown?")
    SlowIndex.goes_on.set()
    bare.says("Installed the Parrotlet server")
    bare.is_ready()
    until(
        lambda: "The server is ready." in bare.page_says("Why is nothing shown?"),
        lambda: bare.page_says("Why is nothing shown?"),
    )
    assert "found in the environment that this extension installed" in bare.log


def test_another_installation_replaces_the_first(bare, tmp_path):
    """If it fails, each installation leaves the last one's gigabytes."""
    (before,) = environments(bare)
    server = bare.server_pid
    installs_wheel(bare, wheel_of(tmp_path / "wheels"))
    bare.confirms("Install")
    until(lambda: bare.server_pid not in {None, server}, "another server")
    bare.is_ready()
    (after,) = environments(bare)
    assert after != before


def test_a_server_path_is_tried_before_it_is_written_down(bare, tmp_path):
    """If it fails, a wrong click ends suggestions until the user finds the setting."""
    right, wrong = tmp_path / "parrotlet-server", tmp_path / "wrong-server"
    right.write_text(f'#!/bin/sh\nexec "{SERVER}" "$@"\n')
    wrong.write_text("#!/bin/sh\nexit 3\n")
    for path in (right, wrong):
        path.chmod(0o755)
    bare.start("parrotlet.setServerPath")
    bare.chooses_file(wrong, "Use This Server")
    bare.says("does not answer to --version")
    bare.start("parrotlet.setServerPath")
    bare.chooses_file(right, "Use This Server")
    setting = "return vscode.workspace.getConfiguration('parrotlet').get('client.server')"
    until(lambda: bare.api(setting) == [str(right)], lambda: bare.api(setting))
    until(lambda: f"starting {right}" in bare.log, lambda: bare.log)


@pytest.mark.parametrize("how", ["active", "server", "path"])
def test_an_installation_is_found_where_it_is(open_fresh, package, tmp_path, how):
    """If it fails, whoever has installed the server reads that there is none."""
    folder = folder_of(tmp_path / "project", {"new.py": ""})
    program = tmp_path / "a place" / "bin" / "parrotlet-server"
    program.parent.mkdir(parents=True)
    program.write_text(f'#!/bin/sh\nexec "{SERVER}" "$@"\n')
    program.chmod(0o755)
    record = {"server": str(program)} if how == "server" else {}
    alone = built_elsewhere(package, tmp_path / "alone.vsix", record)
    env = {"PATH": f"{program.parent}:/usr/bin:/bin" if how == "path" else "/usr/bin:/bin"}
    env |= {"VIRTUAL_ENV": str(program.parent.parent)} if how == "active" else {}
    window = open_fresh(alone, folder, env=env)
    window.open("", "new.py")
    window.is_ready()
    assert f"starting {program}" in window.log
    assert window.notices == []
