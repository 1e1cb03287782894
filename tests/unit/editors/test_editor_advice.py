"""What `parrotlet editors` tells users to write or run is right for any path."""

import json
import site
import sys
import sysconfig
import zipfile
from pathlib import Path, PurePosixPath, PureWindowsPath

import pytest

from parrotlet import editor_clients
from server.demo import next_steps
from server.isolation import ROOT
from training.foundation.errors import PrerequisiteError


@pytest.mark.parametrize(
    ("plugin", "written"),
    [
        (PurePosixPath("/opt/nvim"), "[[/opt/nvim]]"),
        (PureWindowsPath(r"C:\Users\new\O'Brien"), "[[C:/Users/new/O'Brien]]"),
        (PurePosixPath("/a]]b"), "[=[/a]]b]=]"),
        (PurePosixPath("/a[b]"), "[=[/a[b]]=]"),
        (PurePosixPath("/a]=]b]"), "[==[/a]=]b]]==]"),
        (PurePosixPath("/a[[b"), "[=[/a[[b]=]"),
    ],
)
def test_the_line_for_init_lua_is_lua(capsys, plugin, written):
    """If it fails, Neovim refuses init.lua, or looks for the plugin in another folder."""
    assert editor_clients._show_nvim(plugin) == 0
    line = capsys.readouterr().out.splitlines()[-1].strip()
    assert line == f"vim.opt.runtimepath:append({written})"


def test_what_to_do_where_links_are_forbidden_is_lua(monkeypatch, tmp_path):
    """If it fails, whoever follows the advice on Windows breaks their init.lua."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))

    def refuse(*_arguments, **_options):
        raise OSError(1314, "a required privilege is not held by the client")

    monkeypatch.setattr(Path, "symlink_to", refuse)
    plugin = PureWindowsPath(r"C:\Users\new\nvim")
    with pytest.raises(PrerequisiteError) as caught:
        editor_clients._install_nvim(plugin)
    assert str(caught.value).endswith(
        "init.lua instead: vim.opt.runtimepath:append([[C:/Users/new/nvim]])"
    )


def write_program(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


def test_the_demo_names_a_command_that_can_be_pasted(monkeypatch, tmp_path):
    """If it fails, a newcomer whose folder has a space in its name gets no further."""
    python, _ = (
        write_program(tmp_path / "my code" / "bin" / name) for name in ("python", "parrotlet")
    )
    monkeypatch.setattr(sys, "executable", str(python))
    monkeypatch.setenv("PATH", "")
    said = f"'{tmp_path}/my code/bin/parrotlet' editors nvim --install"
    assert dict(next_steps())["Neovim"] == said
    monkeypatch.chdir(tmp_path)
    said = "'my code/bin/parrotlet' editors nvim --install"
    assert dict(next_steps())["Neovim"] == said


@pytest.mark.parametrize("kind", ["system", "user"])
def test_the_extension_finds_the_server_of_a_python_without_an_environment(
    monkeypatch, tmp_path, kind
):
    """If it fails, VS Code asks those to install the server who have just installed it.

    pip has a folder of its own for programs: that of the system, or the user's.
    """
    find = sysconfig.get_path
    folders = {"system": tmp_path / "local" / "bin", "user": tmp_path / "home" / "bin"}
    server = write_program(folders[kind] / "parrotlet-server")
    monkeypatch.setattr(sys, "executable", str(tmp_path / "bin" / "python3"))
    monkeypatch.setattr(site, "getusersitepackages", lambda: ROOT if kind == "user" else "/none")
    monkeypatch.setattr(
        sysconfig,
        "get_path",
        lambda name, *scheme: (
            str(folders["user" if scheme else "system"]) if name == "scripts" else find(name)
        ),
    )
    extension, bound = tmp_path / "parrotlet.vsix", tmp_path / "bound.vsix"
    with zipfile.ZipFile(extension, "w") as archive:
        archive.writestr("extension/installation.json", json.dumps({"python": "3.11"}))
    editor_clients.copy_for_this_server(extension, bound)
    record = json.loads(zipfile.ZipFile(bound).read("extension/installation.json"))
    assert record == {"python": "3.11", "server": str(server)}
