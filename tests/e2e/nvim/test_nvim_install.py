"""Installing the server from within real Neovims, and finding it."""

import os
import shutil
import sys
import tomllib
import venv
import zipfile

import psutil
import pytest
from nvim_editor import PLUGIN, ROOT, find_processes, make_setup, wait_for_suggestion

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

INSTALL_S = 180
PYTHON_ONLY = {"PATH": "/usr/bin:/bin:/usr/local/bin"}  # without a server
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
SHIM = f"""
import os, sys

def main():
    os.execv({sys.executable!r}, [{sys.executable!r}, "-m", "server", *sys.argv[1:]])
"""
PROJECT = """\
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]

[project]
name = "parrotlet"
version = "{version}"
"""
BACKEND = """
import shutil

def build_editable(folder, config_settings=None, metadata_directory=None):
    {first}
    return shutil.copy("{wheel}", folder).rpartition("/")[2]
"""
STEPS = """
_G.steps = {}
vim.api.nvim_create_autocmd('User', {
  pattern = 'ParrotletStatus',
  callback = function(args)
    if args.data.state == 'installing' then
      table.insert(_G.steps, { args.data.reason, require('parrotlet').statusline() })
    end
  end,
})
"""


def make_wheel(folder, code=SHIM, requirement=""):
    """Builds a wheel of a small Parrotlet, whose server runs this environment's."""
    folder.mkdir(exist_ok=True)
    path = folder / f"parrotlet-{VERSION}-py3-none-any.whl"
    info = f"parrotlet-{VERSION}.dist-info"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("shim.py", code)
        metadata = f"Metadata-Version: 2.1\nName: parrotlet\nVersion: {VERSION}\n"
        metadata += f"Requires-Dist: {requirement}\n" if requirement else ""
        wheel.writestr(f"{info}/METADATA", metadata)
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\n")
        scripts = "[console_scripts]\nparrotlet-server = shim:main\n"
        wheel.writestr(f"{info}/entry_points.txt", scripts)
        wheel.writestr(f"{info}/RECORD", "")
    return path


def make_checkout(folder, first="pass", code=SHIM):
    """Makes a checkout with the plugin; ``first`` is a statement that its build runs first."""
    plugin = shutil.copytree(PLUGIN, folder / "editor-client" / "nvim")
    wheel = make_wheel(folder / "built", code)
    (folder / "pyproject.toml").write_text(PROJECT.format(version=VERSION))
    (folder / "constraints.txt").write_text("")
    (folder / "backend.py").write_text(BACKEND.format(first=first, wheel=wheel))
    return plugin


@pytest.fixture
def start(start_editor, model):
    """Starts Neovims without a server, with a plugin and an empty Python file."""

    def start(plugin, *, env=None, **options):
        config = STEPS + make_setup(settings=model.settings, server=[], **options)
        editor = start_editor(config, plugin=plugin, env=PYTHON_ONLY | (env or {}))
        editor.lua("vim.cmd.edit(...)", str(editor.write("one.py", "")))
        return editor

    return start


@pytest.fixture
def copied(tmp_path):
    """A copy of the plugin alone, as a plugin manager installs it."""
    return shutil.copytree(PLUGIN, tmp_path / "plugins" / "parrotlet")


pip_decides = pytest.mark.newest_neovim(
    "pip and our Lua code; an installation and a failure run in each Neovim"
)


def wait_for_message(editor, sentence):
    editor.wait_until(
        lambda: f"Parrotlet: {sentence}" in editor.messages, sentence, timeout_s=INSTALL_S
    )


def get_own_environment(editor):
    return editor.home / "data" / "nvim" / "parrotlet" / "server"


def read_log(editor):
    return (editor.home / "state" / "nvim" / "parrotlet-install.log").read_text()


def test_installing_from_the_plugins_checkout(start, model, tmp_path):
    """If it fails, a new user learns that the server is missing, but cannot install it."""
    checkout = tmp_path / "my checkout"
    editor = start(make_checkout(checkout))
    bait = editor.write(".venv/bin/parrotlet-server", f"#!/bin/sh\ntouch {tmp_path}/bitten\n")
    bait.chmod(0o755)
    sentence = "no server yet; run :Parrotlet install"
    assert editor.messages == [f"Parrotlet: {sentence}"]
    assert editor.status == {"state": "error", "reason": sentence}
    editor.input(":Parrotlet install<CR>3<CR>")
    editor.press("<Esc>")
    assert not (checkout / ".venv").exists()
    editor.input(":Parrotlet install<CR>1<CR>")
    wait_for_message(editor, f"server {VERSION} installed")
    steps = editor.lua("return _G.steps")
    assert steps[0][0] == "1/4 creating the environment"
    assert {step[:4] for step, _ in steps} == {"1/4 ", "2/4 ", "3/4 ", "4/4 "}
    assert {line for _, line in steps} == {f"Parrotlet: installing {n}/4" for n in range(1, 5)}
    painted = "Parrotlet: installing 3/4 installing 1 package"
    editor.wait_until(lambda: any(f.rows[-1] == painted for f in editor.screen.frames), painted)
    assert f"--constraint {checkout}/constraints.txt" in read_log(editor)
    editor.wait_for_server()
    wait_for_suggestion(editor, model)
    assert not (tmp_path / "bitten").exists()


@pip_decides
def test_installing_from_a_wheel_file(start, model, copied, tmp_path):
    """If it fails, a user with a wheel cannot install it, or keeps the previous one.

    A folder that only looks like a checkout is not used.
    """
    wheel = make_wheel(tmp_path / "a folder", SHIM.replace("os.execv", "print('0.0'); sys.exit"))
    editor = start(copied)
    editor.command("Parrotlet install /nowhere/parrotlet.whl")
    assert (
        editor.messages[-1]
        == "Parrotlet: no wheel file '/nowhere/parrotlet.whl'; expected PATH.whl"
    )
    editor.input(f":Parrotlet install {wheel}<CR>1<CR>")
    wait_for_message(editor, "installation failed; see :Parrotlet log install")
    make_wheel(tmp_path / "a folder")
    editor.input(f":Parrotlet install {wheel}<CR>1<CR>")
    wait_for_message(editor, f"server {VERSION} installed")
    assert (get_own_environment(editor) / "bin" / "parrotlet-server").exists()
    editor.wait_for_server()
    wait_for_suggestion(editor, model)
    make_wheel(tmp_path / "a folder", SHIM + "\n# newer\n")
    editor.press("<Esc>")
    editor.lua("_G.messages = {}")
    editor.input(f":Parrotlet install {wheel}<CR>1<CR>")
    wait_for_message(editor, f"server {VERSION} installed")
    (code,) = get_own_environment(editor).glob("lib/*/site-packages/shim.py")
    assert "# newer" in code.read_text()


@pip_decides
def test_a_wheel_that_cannot_be_installed_leaves_the_server(start, model, copied, tmp_path):
    """If it fails, an update without a network takes away the server that worked."""
    wheel = make_wheel(tmp_path / "wheels")
    editor = start(copied, env={"PIP_NO_INDEX": "1"})
    editor.input(f":Parrotlet install {wheel}<CR>1<CR>")
    wait_for_message(editor, f"server {VERSION} installed")
    make_wheel(tmp_path / "wheels", requirement="absent-package")
    editor.input(f":Parrotlet install {wheel}<CR>1<CR>")
    wait_for_message(editor, "installation failed; see :Parrotlet log install")
    assert (get_own_environment(editor) / "bin" / "parrotlet-server").exists()
    editor.wait_for_server()
    wait_for_suggestion(editor, model)


@pip_decides
def test_installing_from_an_index_after_consent(start, copied, tmp_path):
    """If it fails, something is downloaded that nobody agreed to.

    The index is a folder in pip's configuration.
    """
    wheel = make_wheel(tmp_path / "index")
    env = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheel.parent)}
    editor = start(copied, env=env, extra_index_url="http://127.0.0.1:9/cpu")
    exactly = f"pip install parrotlet=={VERSION} --extra-index-url http://127.0.0.1:9/cpu"
    editor.input(":Parrotlet install<CR>")
    editor.screen.wait_for(lambda f: f"1: Run {exactly}" in f.text)
    assert not get_own_environment(editor).exists()
    editor.input("1<CR>")
    wait_for_message(editor, f"server {VERSION} installed")
    wanted = f"install --extra-index-url http://127.0.0.1:9/cpu parrotlet=={VERSION}"
    assert wanted in read_log(editor)
    editor.wait_for_server()


@pip_decides
def test_an_existing_environment_is_never_emptied(start, tmp_path):
    """If it fails, installing breaks the environment of a checkout that another Python created."""
    checkout = tmp_path / "checkout"
    editor = start(make_checkout(checkout))
    broken = editor.folder.parent / "checkout" / ".venv" / "kept.txt"
    broken.parent.mkdir()
    broken.touch()
    editor.input(":Parrotlet install<CR>1<CR>")
    said = "this environment is broken; remove it first"
    editor.wait_until(lambda: said in " ".join(editor.messages), "why")
    assert [path.name for path in broken.parent.iterdir()] == ["kept.txt"]
    shutil.rmtree(broken.parent)
    venv.create(broken.parent, with_pip=True)
    made = (broken.parent / "pyvenv.cfg").read_text()
    editor.input(":Parrotlet install<CR>1<CR>")
    wait_for_message(editor, f"server {VERSION} installed")
    assert (broken.parent / "pyvenv.cfg").read_text() == made
    assert not [step for step, _ in editor.lua("return _G.steps") if step.startswith("1/4")]


@pip_decides
def test_an_installation_can_be_cancelled(start, tmp_path):
    """If it fails, a download that takes an hour can only be stopped by leaving Neovim."""
    checkout = tmp_path / "checkout"
    editor = start(make_checkout(checkout, "import time; time.sleep(1000)"))
    editor.input(":Parrotlet install<CR>1<CR>")
    builders = editor.wait_until(
        lambda: find_processes(editor, "build_editable"), "the build", timeout_s=INSTALL_S
    )
    assert editor.status["state"] == "installing"
    editor.command("Parrotlet install")
    assert (
        editor.messages[-1] == "Parrotlet: already installing; :Parrotlet install cancel stops it"
    )
    editor.command("Parrotlet install cancel")
    wait_for_message(editor, "installation cancelled")
    assert psutil.wait_procs(builders, timeout=10)[1] == []
    assert not (checkout / ".venv").exists()
    assert editor.status["state"] == "error"
    editor.command("Parrotlet install cancel")
    assert editor.messages[-1] == "Parrotlet: no installation is running"


def test_a_failed_installation_says_why(start, tmp_path):
    """If it fails, a failed installation ends in silence, or in a page of pip's output."""
    checkout = tmp_path / "checkout"
    editor = start(make_checkout(checkout, "raise SystemExit('disk is full')"))
    editor.input(":Parrotlet install<CR>1<CR>")
    wait_for_message(editor, "installation failed; see :Parrotlet log install")
    assert not (checkout / ".venv").exists()
    assert editor.status["reason"].startswith("installation failed: ")
    editor.command("Parrotlet log install")
    assert "disk is full" in editor.text


@pip_decides
def test_only_one_neovim_installs_at_a_time(start, tmp_path):
    """If it fails, two installations break one environment."""
    editor = start(make_checkout(tmp_path / "checkout"))
    lock = editor.home / "data" / "nvim" / "parrotlet" / "install.lock"
    lock.write_text(str(os.getpid()))
    editor.input(":Parrotlet install<CR>1<CR>")
    wait_for_message(editor, f"another Neovim is installing (process {os.getpid()})")
    lock.write_text("999999999")
    editor.input(":Parrotlet install<CR>1<CR>")
    wait_for_message(editor, f"server {VERSION} installed")
    assert not lock.exists()


@pytest.mark.newest_neovim("our Lua code compares paths")
@pytest.mark.parametrize("site", ["lib/python3.12/site-packages", "lib/python3/dist-packages"])
def test_a_plugin_from_a_wheel_finds_the_server_of_its_environment(
    start_editor, model, tmp_path, site
):
    """If it fails, `pip install` brings a plugin that asks for a server it came with.

    A link leads to the plugin, as `parrotlet editors nvim --install` creates it.
    """
    environment = tmp_path / "some environment"
    plugin = shutil.copytree(PLUGIN, environment / site / "parrotlet" / "editors" / "nvim")
    program = environment / "bin" / "parrotlet-server"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m server "$@"\n')
    program.chmod(0o755)
    link = tmp_path / "pack" / "parrotlet"
    link.parent.mkdir()
    link.symlink_to(plugin)
    options = make_setup(settings=model.settings, server=[])
    editor = start_editor(options, plugin=link, env={"PATH": "/usr/bin:/bin"})
    found = editor.lua("return require('parrotlet.server.discovery').find({})")
    assert found == [str(program)]
    assert editor.lua("return require('parrotlet.install.origin').find_checkout()") is None
    wait_for_suggestion(editor, model)


AS_WINDOWS = """
local has = vim.fn.has
local function unload()
  for _, name in ipairs({ 'install.environment', 'install.origin', 'server.discovery' }) do
    package.loaded['parrotlet.' .. name] = nil
  end
end
vim.fn.has = function(name) return name == 'win32' and 1 or has(name) end
unload()
local found = require('parrotlet.server.discovery').find({})
vim.fn.has = has
unload()
return found
"""


def test_programs_are_in_scripts_on_windows(start_editor, tmp_path):
    """If it fails, the server of a wheel is not found on Windows, whose folders differ."""
    environment = tmp_path / "environment"
    site = environment / "Lib" / "site-packages"
    plugin = shutil.copytree(PLUGIN, site / "parrotlet" / "editors" / "nvim")
    program = environment / "Scripts" / "parrotlet-server"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    editor = start_editor(plugin=plugin, env={"PATH": "/usr/bin:/bin"})
    assert editor.lua(AS_WINDOWS) == [str(program)]


@pytest.mark.newest_neovim("our Lua code searches the PATH")
def test_no_python_of_the_project_installs(start_editor, tmp_path):
    """If it fails, to install the server in a project runs a program of that project.

    Of several on the PATH, the first that can make an environment is used.
    """
    bait = f"#!/bin/sh\ntouch '{tmp_path}/bitten'\n"
    editor = start_editor(env={"PATH": f"bin:{tmp_path}/old:/usr/bin:/bin"})
    editor.write("bin/python3", bait).chmod(0o755)
    editor.lua("vim.cmd.cd(...)", str(editor.folder))
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "python3").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "old" / "python3").chmod(0o755)
    found = editor.lua("return require('parrotlet.install.python').find()")
    assert found == "/usr/bin/python3"
    assert not (tmp_path / "bitten").exists()


INSTALL_AT_ONCE = """
local process = require('parrotlet.install.process')
process.run = function(_, _, on_exit)
  vim.schedule(function() on_exit(true, '9.9') end)
  return { pid = 0, has_exited = true }
end
local source = { requirement = {}, environment = ..., replaces = false }
require('parrotlet.install.installer').install(source)
"""


@pytest.mark.newest_neovim("our Lua code finds the server")
def test_an_installed_server_that_is_not_used_is_told(start_editor, tmp_path):
    """If it fails, users install a newer server, and wonder why the old one runs."""
    active = tmp_path / "active" / "bin" / "parrotlet-server"
    active.parent.mkdir(parents=True)
    active.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m server "$@"\n')
    active.chmod(0o755)
    options = make_setup(server=[])
    editor = start_editor(options, env=PYTHON_ONLY | {"VIRTUAL_ENV": str(active.parents[1])})
    editor.lua(INSTALL_AT_ONCE, str(tmp_path / "other"))
    editor.wait_until(lambda: "server 9.9" in " ".join(editor.messages), "the message")
    (said,) = (text for text in editor.messages if "server 9.9" in text)
    assert said.startswith("Parrotlet: server 9.9 installed, but /")
    assert said.endswith("-server comes first")


PIP_OUTPUT = {
    "Collecting torch>=2.13 (from parrotlet==0.1.0)": "resolving torch",
    "  Downloading torch-2.13.0%2Bcpu-cp312-linux.whl (192.3 MB)": "downloading torch (192.3 MB)",
    "  Downloading torch-2.13.0-cp312-linux.whl.metadata (28 kB)": None,
    "Downloading tree_sitter-0.25.2-cp312.whl (137 kB)": "downloading tree-sitter (137 kB)",
    "  Preparing editable metadata (pyproject.toml): started": "preparing the package",
    "Installing collected packages: a, b, c": "installing 3 packages",
    "Requirement already satisfied: numpy": None,
}


def test_steps_are_read_from_pips_output(editor):
    """If it fails, a download that takes minutes looks like a hang."""
    step = (
        "local step = require('parrotlet.install.pip_output').parse_step(...)"
        " return step and step.text"
    )
    assert {line: editor.lua(step, line) for line in PIP_OUTPUT} == PIP_OUTPUT
    failure = "return require('parrotlet.install.pip_output').find_error(...)"
    assert editor.lua(failure, "x\nERROR: No space left\n  hint\n") == "No space left"
