"""``parrotlet editors``: the editor clients that come with this installation.

A checkout has them in ``editor-client``; a wheel contains the packed VS Code extension and the
Neovim plugin. ``--install`` installs the extension into VS Code, or links the plugin into Neovim's
package folder, from which Neovim loads it at startup.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path, PurePath

from parrotlet import HOME, IS_WHEEL, ROOT
from server.user_folders import find_own_program
from training.foundation.errors import PrerequisiteError
from training.foundation.extras import quote_word
from training.foundation.foreign_text import as_object, parse_json

_INSTALLATION = "extension/installation.json"  # in the .vsix: how the extension finds its server
_VSCODE_COMMANDS = ("code", "codium", "code-insiders", "cursor", "code-server")


def main(argv: Sequence[str]) -> int:
    """Prints where a client is, or installs it; returns the exit code."""
    arguments = _parser().parse_args(argv)
    if arguments.editor == "vscode":
        extension = find_vscode_extension()
        return _install_vscode(extension) if arguments.install else _show_vscode(extension)
    plugin = find_nvim_plugin()
    return _install_nvim(plugin) if arguments.install else _show_nvim(plugin)


def find_vscode_extension() -> Path:
    """Returns the packed VS Code extension.

    Raises:
        PrerequisiteError: The extension was not packed.
    """
    if IS_WHEEL:
        path = Path(HOME) / "editors" / "vscode" / "parrotlet.vsix"
        remedy = "build the wheel again where Node 20 or newer is installed"
    else:
        path = Path(ROOT) / "editor-client" / "vscode" / "parrotlet.vsix"
        remedy = "install Node 20 or newer and run 'make vscode'"
    if not path.is_file():
        raise PrerequisiteError(
            f"the VS Code extension was not packed ({path} does not exist); {remedy}"
        )
    return path


def find_nvim_plugin() -> Path:
    """Returns the folder of the Neovim plugin."""
    return Path(HOME) / "editors" / "nvim" if IS_WHEEL else Path(ROOT) / "editor-client" / "nvim"


def _show_vscode(extension: Path) -> int:
    sys.stdout.write(
        f"{extension}\n\nInstall it:\n  parrotlet editors vscode --install\n"
        f"or:\n  code --install-extension {quote_word(str(extension))}\n"
    )
    return 0


def _show_nvim(plugin: Path) -> int:
    sys.stdout.write(
        f"{plugin}\n\nInstall it:\n  parrotlet editors nvim --install\n"
        "or add to init.lua:\n"
        f"  {_render_runtimepath(plugin)}\n"
    )
    return 0


def _render_runtimepath(plugin: PurePath) -> str:
    """Returns the line of init.lua with which Neovim finds the plugin, whatever its path holds."""
    path, level = plugin.as_posix(), ""
    while f"[{level}[" in path or f"]{level}]" in f"{path}]":
        level += "="
    return f"vim.opt.runtimepath:append([{level}[{path}]{level}])"


def _install_vscode(extension: Path) -> int:
    found = (shutil.which(name) for name in _VSCODE_COMMANDS)
    code = next((path for path in found if path), None)
    if code is None:
        raise PrerequisiteError(
            "none of the commands "
            + ", ".join(_VSCODE_COMMANDS)
            + " is on the PATH; in VS Code, run 'Extensions: Install from VSIX…' and choose"
            f" {extension}"
        )
    with tempfile.TemporaryDirectory() as folder:
        bound = Path(folder) / extension.name
        copy_for_this_server(extension, bound)
        done = subprocess.run([code, "--install-extension", str(bound)], check=False)  # noqa: S603
    if done.returncode:
        raise PrerequisiteError(f"{code} could not install {extension}; its own message is above")
    sys.stdout.write("Open a Python file in VS Code and start typing.\n")
    return 0


def copy_for_this_server(extension: Path, target: Path) -> None:
    """Copies the extension and adds the path of this environment's server."""
    server = find_own_program("parrotlet-server")
    with zipfile.ZipFile(extension) as source, zipfile.ZipFile(target, "w") as copy:
        for member in source.infolist():
            data = source.read(member)
            if member.filename == _INSTALLATION and server is not None:
                record = {"python": as_object(parse_json(data))["python"], "server": str(server)}
                data = json.dumps(record).encode()
            copy.writestr(member, data, zipfile.ZIP_DEFLATED)


def _install_nvim(plugin: Path) -> int:
    link = find_nvim_packages() / "parrotlet" / "start" / "parrotlet"
    if link.exists() and not link.is_symlink():
        raise PrerequisiteError(f"{link} exists and is not a link; remove it, then run this again")
    try:
        link.parent.mkdir(parents=True, exist_ok=True)
        link.unlink(missing_ok=True)
        link.symlink_to(plugin, target_is_directory=True)
    except OSError as error:
        raise PrerequisiteError(
            f"cannot link {link} to the plugin: {error.strerror}; add to init.lua instead:"
            f" {_render_runtimepath(plugin)}"
        ) from error
    sys.stdout.write(
        f"{link} -> {plugin}\nOpen a Python file in Neovim; ':help parrotlet' has the options.\n"
    )
    return 0


def find_nvim_packages() -> Path:
    """Returns the folder from which Neovim loads packages at startup (``:help packages``)."""
    is_windows = os.name == "nt"
    named = os.environ.get("LOCALAPPDATA" if is_windows else "XDG_DATA_HOME")
    data = Path(named) if named else _home() / ("AppData/Local" if is_windows else ".local/share")
    return data / ("nvim-data" if is_windows else "nvim") / "site" / "pack"


def _home() -> Path:
    """Returns the home folder.

    Raises:
        PrerequisiteError: It is unknown.
    """
    unknown = "the home folder is unknown; set HOME and run this again"
    if os.environ.get("HOME") == "":
        raise PrerequisiteError(unknown)
    try:
        return Path.home()
    except RuntimeError as error:  # no HOME, and no user of that number
        raise PrerequisiteError(unknown) from error


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="parrotlet editors",
        description="Show where the VS Code extension or the Neovim plugin is, or install it.",
    )
    parser.add_argument("editor", choices=("vscode", "nvim"))
    parser.add_argument(
        "--install",
        action="store_true",
        help="install the extension with VS Code's own command, or link the plugin into Neovim's"
        " package folder",
    )
    return parser
