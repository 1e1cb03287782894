"""No file of the working folder or of PYTHONPATH is imported by the server or by its worker."""

import os
import shutil
import site
import subprocess
import sys
from pathlib import Path

import pytest
from lsp_client import Client, place

from server.isolation import FOREIGN_VARIABLES, ROOT, child_environment, isolated_path

pytestmark = pytest.mark.integration

SCRIPTS = Path(sys.executable).parent
SCRIPT = SCRIPTS / "parrotlet-server"
URI = "file:///w/shapes.py"
ALWAYS = {"suggestion": {"eagerness": "always"}}
PACKAGES = "server training evaluation torch numpy tokenizers pygls lsprotocol psutil"
# What the interpreter and pip's own script import before the first line of ours; `parrotlet` too.
LOADED_BEFORE = "import re, sys; print(*{name.partition('.')[0] for name in sys.modules})"


def loaded_before(*options):
    command = [sys.executable, *options, "-c", LOADED_BEFORE]
    return set(subprocess.check_output(command, text=True).split())


def plant(folder, marker, spared):
    """Writes a module for each name that our processes might import; each says that it ran."""
    folder.mkdir(exist_ok=True)
    names = {*sys.stdlib_module_names, *PACKAGES.split()} - spared
    for name in names:
        text = f"open({str(marker)!r}, 'a').write({name!r} + ' ')\nraise ImportError('planted')\n"
        if name in {"server", "numpy"}:
            (folder / name).mkdir()
            (folder / name / "__init__.py").write_text(text)
        else:
            (folder / f"{name}.py").write_text(text)
    return folder


@pytest.fixture
def planted(tmp_path, monkeypatch):
    """A project full of modules that say when they are run: the working folder and PYTHONPATH."""
    marker = tmp_path / "run"
    folder = plant(tmp_path / "project", marker, loaded_before())
    monkeypatch.chdir(folder)
    monkeypatch.setenv("PYTHONPATH", str(folder))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    yield folder
    assert not marker.exists(), marker.read_text()


def answers(client, known_module, *, is_initialized=False, restarts=True):
    if not is_initialized:
        client.initialize(options=ALWAYS)
    start = known_module.index(" math.pi * self.radius**2")
    client.open(URI, known_module[:start])
    at = place(known_module[:start], 'area of the circle."""\n        return')
    assert client.items(URI, *at)
    if not restarts:
        return
    client.seen.clear()
    client.command("parrotlet.restart")  # another worker, whose imports begin later
    assert client.wait_for_state("ready", "error")["state"] == "ready"
    assert client.items(URI, *at, triggerKind=1)


@pytest.mark.skipif(not SCRIPT.exists(), reason="parrotlet is not installed here")
def test_a_projects_modules_are_never_run(planted, tiny_artifact, known_module):
    """If it fails, opening a Python file runs the project's code, or no suggestion ever comes."""
    with Client("--model", tiny_artifact, command=[SCRIPT]) as client:
        answers(client, known_module)
        assert client.leave() == 0


def test_the_server_as_a_module_of_the_checkout(planted, tiny_artifact, known_module, monkeypatch):
    """PYTHONPATH names a project; the working folder is the checkout."""
    monkeypatch.chdir(ROOT)
    for name in ("contextlib", "types", "pkgutil", "importlib", "warnings"):  # runpy's own
        (planted / f"{name}.py").unlink(missing_ok=True)
    with Client("--model", tiny_artifact) as client:
        answers(client, known_module, restarts=False)


@pytest.mark.skipif(not SCRIPT.exists(), reason="parrotlet is not installed here")
def test_the_shells_commands_neither(planted, tiny_artifact):
    source = planted / "app.py"
    source.write_text("import os\n")
    for arguments in (["settings"], ["complete", f"{source}:1:1", "--model", str(tiny_artifact)]):
        subprocess.run([SCRIPTS / "parrotlet", *arguments], check=True, capture_output=True)


def test_the_working_folder_may_be_removed(tiny_artifact, known_module, tmp_path, monkeypatch):
    """If it fails, removing a git worktree ends ghost text at the next change of a setting."""
    folder = tmp_path / "worktree"
    folder.mkdir()
    monkeypatch.chdir(folder)
    with Client("--model", tiny_artifact, command=[sys.executable, "-m", "server"]) as client:
        monkeypatch.chdir(tmp_path)
        client.initialize(options=ALWAYS)
        client.wait_for_state("ready")
        shutil.rmtree(folder)
        answers(client, known_module, is_initialized=True)


def test_an_unusual_environment_is_no_obstacle(tiny_artifact, known_module, monkeypatch):
    """If it fails, one of these users has no ghost text.

    Who has not installed the checkout, but has it on PYTHONPATH; who names a model by a path from
    the working folder, which is not the worker's; a container with an arbitrary user id, which has
    no home.
    """
    monkeypatch.setenv("PYTHONPATH", ROOT)
    monkeypatch.chdir(tiny_artifact.parent)
    monkeypatch.setenv("HOME", "")
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    with Client("--model", tiny_artifact.name) as client:
        answers(client, known_module, restarts=False)
        client.notify("parrotlet/didShow", {"characters": 3, "ms": 5})
        assert client.command("parrotlet.statistics")["shown"] >= 0


def test_what_stands_before_the_standard_library_goes():
    """If it fails, PYTHONPATH or the script's folder stays; or an installed package gets lost."""
    library = str(Path(os.__file__).parent)
    archive = str(Path(library).parent / "python399.zip")
    (folder, *_) = site.getsitepackages()
    assert isolated_path(["/project", archive, library, folder]) == [ROOT, archive, library, folder]
    assert isolated_path(["/project", "", library, folder]) == [ROOT, library, folder]
    assert isolated_path([folder, "/project", library]) == [ROOT, library, folder]
    assert isolated_path([library, folder, ROOT]) == [ROOT, library, folder]
    assert isolated_path(["/nothing", "/known"]) == ["/nothing", "/known"]


def test_no_variable_of_the_environment_runs_a_projects_code(planted, monkeypatch):
    """If it fails, a project's .envrc runs code in the worker, or hands it compiled modules."""
    for name in FOREIGN_VARIABLES:
        monkeypatch.setenv(name, str(planted / "json.py"))
    monkeypatch.setenv("PYTHONWARNINGS", "error::json.Warned")
    for name in ("sitecustomize", "usercustomize", "server"):
        (planted / f"{name}.py").write_text((planted / "json.py").read_text())
    (planted / "pyvenv.cfg").write_text(f"home = {planted}\n")
    (planted / "evil.pth").write_text("import json\n")
    (planted / ".env").write_text(f"PYTHONPATH={planted}\n")
    environment = child_environment()
    assert not set(FOREIGN_VARIABLES) - {"PYTHONPATH"} & set(environment)
    program = "import sys, json, torch, server.worker; print(sys.pycache_prefix)"
    command = [sys.executable, "-P", "-c", program]
    printed = subprocess.check_output(command, env=environment, cwd=planted, text=True)
    assert printed == "None\n"
