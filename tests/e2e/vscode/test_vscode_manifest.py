"""The .vsix and the scripts that build it; unit tests check package.json."""

import json
import re
import subprocess
import sys
import zipfile

import pytest
from code_server import EXTENSION, ROOT

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]


def test_the_settings_script_changes_nothing(tmp_path):
    """If it fails, the next person to run it changes package.json by accident."""
    copy = tmp_path / "scripts"
    copy.mkdir()
    script = "write-settings.mjs"
    (copy / script).write_text((EXTENSION / "scripts" / script).read_text())
    before = (EXTENSION / "package.json").read_text()
    (tmp_path / "package.json").write_text(before)
    settings = subprocess.run(
        [sys.executable, "-m", "server.cli", "settings", "--json"],
        capture_output=True,
        check=True,
        cwd=ROOT,
    ).stdout
    subprocess.run(["node", copy / script], input=settings, check=True)
    assert (tmp_path / "package.json").read_text() == before


def test_the_package_contains_what_it_needs_and_no_more(package):
    """If it fails, users download sources and tests, or an extension without its licence."""
    with zipfile.ZipFile(package) as archive:
        names = set(archive.namelist())
        record = json.loads(archive.read("extension/installation.json"))
    assert {"extension/LICENSE.txt", "extension/readme.md", "extension/changelog.md"} <= names
    assert {"extension/dist/extension.js", "extension/media/icon.png"} <= names
    assert "extension/dist/licences.txt" in names  # of the bundled packages
    assert not [n for n in names if re.search(r"\.ts$|node_modules|scripts/|\.map$", n)]
    assert package.stat().st_size < 500_000
    assert record == {"python": "3.11", "folder": str(ROOT)}


def test_the_lock_file_names_no_registry():
    """If it fails, users of another registry cannot install the dependencies."""
    lock = json.loads((EXTENSION / "package-lock.json").read_text())
    assert not [name for name, one in lock["packages"].items() if "resolved" in one]
    for name, version in json.loads((EXTENSION / "package.json").read_text())[
        "devDependencies"
    ].items():
        assert re.fullmatch(r"[\d.]+", version), name
