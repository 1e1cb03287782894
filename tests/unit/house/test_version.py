"""The version stands in pyproject.toml; the editors' clients and their pages carry copies of it.

``python tests/unit/house/test_version.py`` writes the copies anew.
"""

import re
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
CLIENTS = ROOT / "editor-client"
NUMBER = r"\d+\.\d+\.\d+"
# A file, and what stands before each of its copies.
COPIES = {
    CLIENTS / "vscode/package.json": r'^  "version": "',
    CLIENTS / "vscode/package-lock.json": r'^(?:  |      )"version": "',
    CLIENTS / "vscode/media/server.md": r"parrotlet-",
    CLIENTS / "vscode/src/install/source.ts": r"parrotlet(?:-|==)",
    CLIENTS / "nvim/README.md": r"parrotlet-",
    CLIENTS / "nvim/doc/parrotlet.txt": r"parrotlet-",
    CLIENTS / "nvim/lua/parrotlet": r"'parrotlet==",
}


def declared():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return project["version"]


def files_of(path):
    """The files of an entry; a folder stands for those that hold a copy."""
    return sorted(path.rglob("*.lua")) if path.is_dir() else [path]


def copies(path):
    """What the files say the version is. A lock also lists the versions of dependencies."""
    pattern = re.compile(f"({COPIES[path]})({NUMBER})", re.MULTILINE)
    found = [n for file in files_of(path) for _, n in pattern.findall(file.read_text("utf-8"))]
    return found[:2] if path.name == "package-lock.json" else found


@pytest.mark.parametrize("path", COPIES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_copy_agrees(path):
    """If it fails, run this file as a program, or users install a server of another version."""
    found = copies(path)
    assert found
    assert set(found) == {declared()}


def test_the_installed_package_agrees():
    """If it fails, ``pip install -e .`` has not been run since the version was raised."""
    assert version("parrotlet") == declared()


def test_the_changelog_knows_the_version():
    """If it fails, a version is released of which nobody reads what is new."""
    titles = re.findall(
        rf"^## \[({NUMBER})\]", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE
    )
    assert titles[0] == declared()
    assert titles == sorted(titles, key=lambda v: [*map(int, v.split("."))], reverse=True)


def write_copies():
    for path, before in COPIES.items():
        count = 2 if path.name == "package-lock.json" else 0
        pattern = re.compile(f"({before}){NUMBER}", re.MULTILINE)
        for file in files_of(path):
            text = file.read_text(encoding="utf-8")
            new = pattern.sub(rf"\g<1>{declared()}", text, count=count)
            if new != text:
                file.write_text(new, encoding="utf-8")


if __name__ == "__main__":
    write_copies()
