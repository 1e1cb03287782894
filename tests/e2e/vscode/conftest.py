"""Fixtures: a shared VS Code with the real server and a scripted model, and fresh ones."""

import fcntl
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

sys.path.extend(str(Path(__file__).parent / name) for name in ("driver", "stand_ins"))

from code_server import EXTENSION, CodeServer, find_browser, require_path
from code_window import Window
from scripted_model import ScriptedModel

# A folder with spaces, other scripts, and an emoji.
FOLDER = "mein Ordner für Ωδή 🦜"
VSIX = EXTENSION / "parrotlet.vsix"
FOLDERS_S = 5.0  # within which a window has its workspace's folders
SIZE = {"width": 1200, "height": 800}


@pytest.fixture(scope="session")
def package(tmp_path_factory):
    """The extension's .vsix, packed from the current sources, once for all processes of a run."""
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID")
    if run is None:
        return pack_extension()
    packed = tmp_path_factory.getbasetemp().parent / f"packed-{run}"
    with packed.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not packed.exists():
            pack_extension()
            packed.touch()
    return VSIX


def pack_extension():
    modules = require_path(
        "node_modules in editor-client/vscode",
        EXTENSION / "node_modules",
        "npm ci --prefix editor-client/vscode",
    )
    assert modules
    done = subprocess.run(
        ["npm", "run", "package"], cwd=EXTENSION, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return VSIX


@pytest.fixture(scope="session")
def browser():
    arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=find_browser(), args=arguments)
        yield running
        running.close()


@pytest.fixture(scope="session")
def scripted():
    with ScriptedModel() as model:
        yield model


def convert_settings(nested, prefix=""):
    """Returns the server's settings under VS Code's names."""
    names = json.loads((EXTENSION / "package.json").read_text(encoding="utf-8"))["settingNames"]
    ids = {name: f"parrotlet.{one}" for one, name in names.items()}
    flat = {}
    for name, value in nested.items():
        inner = f"{prefix}{name}"
        flat |= (
            convert_settings(value, f"{inner}.") if isinstance(value, dict) else {ids[inner]: value}
        )
    return flat


@pytest.fixture(scope="session")
def base_settings(scripted):
    return convert_settings(scripted.settings)


@pytest.fixture(scope="session")
def code_server(tmp_path_factory, package, base_settings):
    home = tmp_path_factory.mktemp("vscode")
    server = CodeServer(home, base_settings, packages=[package])
    yield server
    server.close()


@pytest.fixture(scope="session")
def shared_window(code_server, browser, tmp_path_factory):
    folder = tmp_path_factory.mktemp("work") / FOLDER
    folder.mkdir()
    page = browser.new_page(viewport=SIZE)
    window = Window(code_server, page, folder)
    window.open_file("x = 1\n", "first.py")
    window.wait_until_ready()
    return window


@pytest.fixture
def open_folders(code_server, browser, tmp_path):
    """Opens a window of the shared VS Code with new folders of these names in one workspace."""
    pages = []

    def open_once(workspace):
        pages.append(browser.new_page(viewport=SIZE))
        window = Window(code_server, pages[-1], workspace)
        count = "return (vscode.workspace.workspaceFolders ?? []).length"
        end = time.monotonic() + FOLDERS_S
        while time.monotonic() < end:
            if window.call_api(count):
                return window
            time.sleep(0.1)
        return None

    def open_window(*names):
        for name in names:
            (tmp_path / name).mkdir()
        workspace = tmp_path / "several.code-workspace"
        workspace.write_text(json.dumps({"folders": [{"path": name} for name in names]}))
        # VS Code sometimes opens a workspace's file without its folders at first.
        windows = (open_once(workspace) for _ in range(5))
        return next(window for window in windows if window is not None)

    yield open_window
    for page in pages:
        page.close()


@pytest.fixture
def open_fresh(browser, tmp_path):
    """Opens windows of new code-servers, as on machines that have never run Parrotlet."""
    running, pages = [], []

    def open_window(package, folder, *, settings=None, env=None, others=()):
        packages = [package, *others]
        server = CodeServer(tmp_path / "code-server", settings or {}, packages=packages, env=env)
        running.append(server)
        pages.append(browser.new_page(viewport=SIZE))
        return Window(server, pages[-1], folder)

    yield open_window
    for page in pages:
        page.close()
    for server in running:
        server.close()


@pytest.fixture
def model(scripted):
    """The scripted model, without rules."""
    scripted.rules = []
    scripted.may_respond.set()
    return scripted


@pytest.fixture
def window(shared_window, model, base_settings):
    """The shared window, reset."""
    shared_window.reset(base_settings)
    return shared_window
