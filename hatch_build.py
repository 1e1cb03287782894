"""Builds a wheel that puts a single package, ``parrotlet``, into site-packages.

In a checkout, ``server``, ``training`` and ``evaluation`` are top-level packages. In a wheel they
are inside ``parrotlet``, and their import statements are rewritten accordingly; nothing else in a
file changes. The editor clients are included. An editable installation uses the checkout as it is.
"""

import ast
import json
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

TOP = "parrotlet"
PACKAGES = ("server", "training", "evaluation")
LEFT_OUT = {"__pycache__"}
PLUGIN = ("doc", "lua", "plugin", "README.md", "ghost-text.svg")
VSIX = "editor-client/vscode/parrotlet.vsix"
INSTALLATION = "extension/installation.json"  # in the .vsix: where it was packed


class WheelHook(BuildHookInterface[Any]):
    """Adds the moved packages and the editor clients to a wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Stages the files of a wheel; does nothing for an editable installation."""
        if version == "editable":
            return
        root = Path(self.root)
        self._staged = Path(tempfile.mkdtemp(prefix="parrotlet-wheel-"))
        stage_packages(root, self._staged)
        included = {str(self._staged / name): f"{TOP}/{name}" for name in PACKAGES}
        included[str(self._staged / TOP)] = TOP
        for name in PLUGIN:
            included[str(root / "editor-client/nvim" / name)] = f"{TOP}/editors/nvim/{name}"
        if pack_extension(root):
            portable = self._staged / Path(VSIX).name
            copy_portable(root / VSIX, portable)
            included[str(portable)] = f"{TOP}/editors/vscode/parrotlet.vsix"
        else:
            self.app.display_warning(
                "the wheel has no VS Code extension: packing it needs Node 20 or newer, with npm"
            )
        build_data["force_include"].update(included)

    def finalize(self, _version: str, _build_data: dict[str, Any], _artifact_path: str) -> None:
        """Removes the staged files."""
        staged = getattr(self, "_staged", None)
        if staged is not None:
            shutil.rmtree(staged, ignore_errors=True)


def stage_packages(root: Path, target: Path) -> None:
    """Copies the packages to ``target`` and rewrites their imports."""
    for package in (TOP, *PACKAGES):
        for path in sorted((root / package).rglob("*")):
            relative = path.relative_to(root)
            if not path.is_file() or LEFT_OUT & set(relative.parts):
                continue
            copy = target / relative
            copy.parent.mkdir(parents=True, exist_ok=True)
            if path.suffix == ".py":
                copy.write_text(rewrite_imports(path.read_text(encoding="utf-8")), encoding="utf-8")
            else:
                shutil.copyfile(path, copy)


def rewrite_imports(source: str) -> str:
    """Returns a module's source with ``from PACKAGE...`` changed to ``from parrotlet.PACKAGE...``.

    Raises:
        ValueError: The module uses ``import PACKAGE...``, which cannot be rewritten in place.
    """
    lines = source.splitlines(keepends=True)
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            named = [alias.name for alias in node.names if _is_moved(alias.name)]
            if named:
                raise ValueError(f"line {node.lineno}: write 'from {named[0]} import ...'")
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and _is_moved(node.module or ""):
            line = lines[node.lineno - 1].encode()
            before, after = line[: node.col_offset], line[node.col_offset :]
            moved = after.replace(b"from ", f"from {TOP}.".encode(), 1)
            lines[node.lineno - 1] = (before + moved).decode()
    return "".join(lines)


def pack_extension(root: Path) -> bool:
    """Packs the VS Code extension if possible; says whether there is one."""
    make = shutil.which("make")
    node, npm = shutil.which("node"), shutil.which("npm")
    if make and node and npm:
        done = subprocess.run(  # noqa: S603
            [make, "--silent", VSIX], cwd=root, check=False, stdout=sys.stderr
        )
        if done.returncode:
            return False
    return (root / VSIX).is_file()


def copy_portable(extension: Path, target: Path) -> None:
    """Copies a packed extension without the path of the checkout that built it."""
    with zipfile.ZipFile(extension) as source, zipfile.ZipFile(target, "w") as copy:
        for member in source.infolist():
            data = source.read(member)
            if member.filename == INSTALLATION:
                record = json.loads(data)
                record.pop("folder", None)
                data = json.dumps(record).encode()
            copy.writestr(member, data, zipfile.ZIP_DEFLATED)


def _is_moved(module: str) -> bool:
    return module.split(".", maxsplit=1)[0] in PACKAGES
