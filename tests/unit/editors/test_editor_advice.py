"""What `parrotlet editors` tells users to write or run is right for any path."""

from pathlib import Path, PurePosixPath, PureWindowsPath

import pytest

from parrotlet import editor_clients
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
