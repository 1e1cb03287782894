"""Reading pip's output and what it installs: the extension's own code, run by Node."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from code_server import EXTENSION, require_path

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(60)]

RUN = """
const [what, ...args] = JSON.parse(require('node:fs').readFileSync(0, 'utf8'));
const { PipOutput, isParrotletWheel, isRequirement } = require(process.argv[1]);
const output = new PipOutput();
const does = {
  phases: (lines) => lines.map((line) => output.addLine(line) ?? null),
  failure: (lines, code) => {
    lines.forEach((line) => output.addLine(line));
    return output.describeFailure(code);
  },
  isParrotletWheel, isRequirement,
};
console.log(JSON.stringify(does[what](...args)));
"""


FIND_INTERPRETERS = """
const { findInterpreter } = require(process.argv[1]);
const programs = JSON.parse(require('node:fs').readFileSync(0, 'utf8'));
Promise.all(programs.map((program) => findInterpreter(program))).then((found) => {
  console.log(JSON.stringify(found.map((one) => one ?? null)));
});
"""
CALL_ENVIRONMENT = """
const environment = require(process.argv[1]);
const [what, ...args] = JSON.parse(require('node:fs').readFileSync(0, 'utf8'));
environment[what](...args).then((found) => console.log(JSON.stringify(found ?? null)));
"""
# Takes the place of VS Code: settings by name, and what is shown and run.
STAND_IN = """
const { platform, settings = {}, python, error } = JSON.parse(
  require('node:fs').readFileSync(0, 'utf8'),
);
Object.defineProperty(process, 'platform', { value: platform ?? 'linux' });
const shown = [];
const show = (text) => { shown.push(text); return Promise.resolve(undefined); };
const environments = { getActiveEnvironmentPath: () => ({ path: python }) };
const extension = { activate: () => Promise.resolve({ environments }) };
const vscode = {
  ConfigurationTarget: { Global: 1, Workspace: 2, WorkspaceFolder: 3 },
  extensions: { getExtension: () => python && extension },
  window: { showErrorMessage: show, showQuickPick: () => show('Which source?') },
  workspace: { isTrusted: true, getConfiguration: () => ({ get: (name) => settings[name] }) },
};
const Module = require('node:module');
const load = Module._load;
Module._load = (name, ...rest) => name === 'vscode' ? vscode : load(name, ...rest);
const module_ = require(process.argv[1]);
const print = (found) => { console.log(JSON.stringify({ shown, found: found ?? null })); };
"""
FIND_PYTHON = f"{STAND_IN} module_.findPython('3.11').catch(String).then(print);"
FIND_SERVER = f"{STAND_IN} module_.findServer({{ storage: '/none' }}).then(print);"
INSTALL = f"{STAND_IN} module_.installServer({{ origin: {{}} }}).then(print);"
RUN_COMMAND = (
    STAND_IN
    + """
const execute = () => Promise.reject(Object.assign(new Error('failed'), { code: error }));
const menu = new module_.ServerMenu({ isRequested: true, client: { isRunning: true, execute } });
menu.run('parrotlet.adaptedModels').then(print);
"""
)
# How a program begins, and its interpreter.
FOLDER = "/opt/my env/bin"
HEADS = {
    "#!/opt/env/bin/python3.11\n# -*- coding: utf-8 -*-\n": "/opt/env/bin/python3.11",
    "#! /usr/bin/env python3\n": "/usr/bin/env",
    f"#!/bin/sh\n'''exec' \"{FOLDER}/python\" \"$0\" \"$@\"\n' '''\n": f"{FOLDER}/python",
    "#!/bin/sh\n'''exec' '/opt/my env/bin/python' \"$0\" \"$@\"\n": f"{FOLDER}/python",
    "#!/bin/sh\n'''exec' /a/long/path/python \"$0\" \"$@\"\n' '''\n": "/a/long/path/python",
    "#!/bin/sh\nexec python -m server\n": "/bin/sh",
    "#!python3\n": None,
    "\x7fELF\x02": None,
    "": None,
}


def convert(name, folder):
    """Converts a module of the extension to JavaScript; returns its path."""
    esbuild = require_path(
        "esbuild", EXTENSION / "node_modules/.bin/esbuild", "npm ci --prefix editor-client/vscode"
    )
    target = folder / "module.js"
    source = EXTENSION / "src" / name
    options = ["--bundle", "--platform=node", "--external:vscode", "--log-level=error"]
    command = [esbuild, source, "--format=cjs", f"--outfile={target}", *options]
    subprocess.run(command, check=True)
    return target


def run_node(code, module, given):
    """Runs code that requires a module; returns what it prints."""
    done = subprocess.run(
        ["node", "-e", code, module],
        input=json.dumps(given),
        text=True,
        capture_output=True,
        check=True,
    )
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def pip(tmp_path_factory):
    """Calls functions of src/install/pipOutput.ts."""
    module = convert("install/pipOutput.ts", tmp_path_factory.mktemp("pip"))
    return lambda *asked: run_node(RUN, module, asked)


def test_phases_are_readable(pip):
    """If it fails, the notification shows file names and hashes while the user waits."""
    lines = {
        "Looking in indexes: http://localhost/simple": None,
        "Collecting torch>=2.9 (from parrotlet==0.1.0)": "collecting torch",
        "  Downloading torch-2.9.0-cp311-cp311-linux_x86_64.whl.metadata (30 kB)": None,
        "Downloading torch-2.9.0%2Bcpu-cp311-linux.whl (190.1 MB)": "downloading torch (190 MB)",
        "Progress 95050000 of 190100000": "downloading torch (190 MB): 50%",
        "Downloading nvidia_nccl-12.8-manylinux.whl (1.2 GB)": "downloading nvidia-nccl (1.2 GB)",
        "  Downloading attrs-25.1.0-py3-none-any.whl (63 kB)": "downloading attrs",
        "  Downloading http://localhost/numpy-2.3.1.tar.gz (20.9 MB)": "downloading numpy (21 MB)",
        "  Using cached pygls-2.0.0-py3-none-any.whl (70 kB)": "collecting pygls",
        "Processing /home/user/parrotlet-0.1.0-py3-none-any.whl": "collecting parrotlet",
        "Processing /home/user/parrotlet": "preparing the package",
        "  Preparing metadata (pyproject.toml): started": "preparing the package",
        "Building wheels for collected packages: parrotlet": "building parrotlet",
        "Installing collected packages: attrs": "installing 1 package",
        "Installing collected packages: attrs, numpy, torch": "installing 3 packages",
        "Successfully installed attrs-25.1.0": None,
    }
    assert pip("phases", list(lines)) == list(lines.values())


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (
            ["ERROR: Could not find a version …", "ERROR: No matching distribution found for a==9"],
            "pip found no package for a==9 in its package index",
        ),
        (
            ["WARNING: Retrying … NewConnectionError(…)", "ERROR: No matching distribution found"],
            "pip could not reach the package index; check the network and pip’s configuration",
        ),
        (
            ["ERROR: Could not install …: OSError: [Errno 28] No space left on device"],
            "the disk is full",
        ),
        (
            ["ERROR: parrotlet-0.1.0-cp39-none-any.whl is not a supported wheel on this platform."],
            "parrotlet-0.1.0-cp39-none-any.whl does not fit this machine or this version of Python",
        ),
        (["ERROR: Something new."], "pip reported: Something new"),
        ([], "pip ended with exit code 2"),
    ],
)
def test_failures_are_described_in_one_sentence(pip, lines, words):
    """If it fails, users read pip's last line, which is rarely the reason."""
    assert pip("failure", lines, 2) == words


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("parrotlet==0.1.0", True),
        ("parrotlet", True),
        ("parrotlet[evaluate] >= 0.1, < 1", True),
        ("--index-url=http://somewhere parrotlet", False),
        ("-r requirements.txt", False),
        ("http://somewhere/parrotlet.whl", False),
        ("parrotlet @ http://somewhere/x.whl", False),
        ("../parrotlet", False),
        ("parrotlet==", False),
        ("", False),
    ],
)
def test_only_requirements_are_passed_to_pip(pip, text, is_one):
    """If it fails, what the user types can be an option of pip's."""
    assert pip("isRequirement", text) is is_one


@pytest.mark.parametrize(
    ("path", "is_ours"),
    [
        ("/home/user/parrotlet-0.1.0-py3-none-any.whl", True),
        ("C:\\Users\\me\\parrotlet-0.1.0-1-py3-none-any.whl", True),
        ("/home/user/parrotlet_tools-0.1.0-py3-none-any.whl", False),
        ("/home/user/parrotlet-tools-0.1.0-py3-none-any.whl", False),
        ("/home/parrotlet-0.1.0/other-1.0-py3-none-any.whl", False),
        ("/home/user/parrotlet-0.1.0.tar.gz", False),
    ],
)
def test_wheels_are_recognized_by_name(pip, path, is_ours):
    """If it fails, the extension installs somebody else's wheel."""
    assert pip("isParrotletWheel", path) is is_ours


def test_the_interpreter_of_a_program(tmp_path):
    """If it fails, a server whose Python was removed hides one that works, or the reverse."""
    module = convert("server/interpreter.ts", tmp_path)
    programs = [tmp_path / f"program-{n}" for n in range(len(HEADS))]
    for program, head in zip(programs, HEADS, strict=True):
        program.write_text(head, encoding="utf-8")
    given = [*map(str, programs), str(tmp_path / "missing")]
    assert run_node(FIND_INTERPRETERS, module, given) == [*HEADS.values(), None]


@pytest.fixture
def environments(tmp_path_factory):
    """Calls functions of src/install/environment.ts."""
    module = convert("install/environment.ts", tmp_path_factory.mktemp("environments"))
    return lambda *asked: run_node(CALL_ENVIRONMENT, module, asked)


def test_an_environment_stays_while_something_runs_from_it(environments, tmp_path):
    """If it fails, installing the server ends an adaptation that works, or another window's server.

    It is removed once nothing runs from it, so that gigabytes of former servers do not pile up.
    """
    storage = tmp_path / "global storage"
    first, second = (storage / f"server-{number:08d}" for number in (1, 2))
    for environment in (first, second):
        (environment / "bin").mkdir(parents=True)
        (environment / "bin" / "python").symlink_to(sys.executable)
        environments("activateEnvironment", str(storage), str(environment))
    assert first.is_dir()
    command = [first / "bin" / "python", "-S", "-c", "input()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL) as adaptation:
        environments("removeUnusedEnvironments", str(storage))
        assert sorted(path.name for path in storage.iterdir()) == [
            *(first.name, second.name, "server.json")
        ]
        adaptation.communicate(b"\n")
    environments("removeUnusedEnvironments", str(storage))
    assert sorted(path.name for path in storage.iterdir()) == [second.name, "server.json"]
    assert environments("getCurrentEnvironment", str(storage)) == str(second)


def test_an_installation_in_another_window_is_left_alone(environments, tmp_path):
    """If it fails, a window that opens removes what another one is installing."""
    young, current, old = (tmp_path / f"server-{number:08d}" for number in (1, 2, 3))
    for environment in (young, current, old):
        environment.mkdir()
    os.utime(old, (0, 0))
    environments("activateEnvironment", str(tmp_path), str(current))
    environments("removeUnusedEnvironments", str(tmp_path))
    assert [path.is_dir() for path in (young, current, old)] == [True, True, False]


def make_program(path, text="#!/bin/sh\n"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


@pytest.fixture
def path_folder(tmp_path, monkeypatch):
    """The only folder on the PATH, besides that of Node."""
    folder = tmp_path / "programs"
    folder.mkdir()
    node = Path(shutil.which("node"))
    monkeypatch.setenv("PATH", f"{folder}:{node.parent}")
    monkeypatch.delenv("VIRTUAL_ENV", raising=False)
    return folder


def test_a_newer_python_beside_an_old_one_is_found(path_folder, tmp_path):
    """If it fails, users of a system whose python3 is old install a newer one in vain."""
    module = convert("install/python.ts", tmp_path)
    make_program(path_folder / "python3", "#!/bin/sh\nexit 1\n")
    assert "no Python 3.11 or newer" in run_node(FIND_PYTHON, module, {})["found"]
    newer = [make_program(path_folder / f"python3.{minor}") for minor in (11, 12)]
    assert run_node(FIND_PYTHON, module, {})["found"] == str(newer[1])


def test_pythons_launcher_installs_on_windows(path_folder, tmp_path):
    """If it fails, who has Python from python.org reads that there is none."""
    launcher = make_program(path_folder / "py.exe")
    module = convert("install/python.ts", tmp_path)
    assert run_node(FIND_PYTHON, module, {"platform": "win32"})["found"] == str(launcher)


@pytest.mark.parametrize("place", ["env/Scripts", "programs"])
def test_programs_of_windows_are_found(path_folder, tmp_path, place):
    """If it fails, the server of a Conda environment, or one named with .exe, is not found."""
    program = make_program(tmp_path / place / "parrotlet-server.exe")
    module = convert("server/discovery.ts", tmp_path)
    given = {"python": str(tmp_path / "env" / "python.exe")}
    if place == "programs":
        given = {"settings": {"client.server": ["parrotlet-server.exe"]}}
    found = run_node(FIND_SERVER, module, {"platform": "win32", **given})["found"]
    assert found["command"] == str(program)


def test_nothing_is_installed_that_would_not_be_used(tmp_path):
    """If it fails, gigabytes are downloaded, and the server of the setting is started as before."""
    module = convert("install/installer.ts", tmp_path)
    given = {"settings": {"client.server": ["/opt/parrotlet-server"]}}
    shown = run_node(INSTALL, module, given)["shown"]
    sentence = "The setting parrotlet.client.server names the server to use."
    assert shown == [f"{sentence} Clear it, then install one."]
    assert run_node(INSTALL, module, {})["shown"] == ["Which source?"]


@pytest.mark.parametrize(("code", "is_old"), [(-32602, True), (-32603, False), (-32097, False)])
def test_a_server_that_fails_is_not_called_old(tmp_path, code, is_old):
    """If it fails, users whose server stops are told to install one."""
    module = convert("ui/serverMenu.ts", tmp_path)
    (sentence,) = run_node(RUN_COMMAND, module, {"error": code})["shown"]
    assert ("newer Parrotlet server" in sentence) == is_old
    assert ("See the log" in sentence) != is_old
