"""What package.json and the .vsix say, against what the server and the sources say."""

import json
import re
import subprocess
import sys
import tomllib
import zipfile

import pytest
from code_server import EXTENSION, ROOT

from server import VERSION
from server.catalogue import catalogue

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

INTERNAL = {"parrotlet.accepted"}


@pytest.fixture(scope="module")
def manifest():
    return json.loads((EXTENSION / "package.json").read_text())


def test_the_script_that_writes_the_settings_has_nothing_to_change(manifest, tmp_path):
    """If it fails, whoever runs it next changes package.json without having changed a setting."""
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


def test_one_version_for_both(manifest):
    assert manifest["version"] == VERSION
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert manifest["license"] == project["license"]


def test_every_command_is_there_and_nothing_else_is_called(manifest):
    """If it fails, a menu, a key or a button does nothing."""
    contributed = {one["command"] for one in manifest["contributes"]["commands"]}
    sources = "\n".join(path.read_text() for path in (EXTENSION / "src").glob("*.ts"))
    for command in contributed:
        name = command.removeprefix("parrotlet.")
        assert re.search(rf"^    {name}(:|,)", sources, re.MULTILINE), command
    used = set(re.findall(r"command:(parrotlet\.\w+)", json.dumps(manifest)))
    used |= {one["command"] for one in manifest["contributes"]["keybindings"]}
    used |= {f"parrotlet.{name}" for name in re.findall(r"entry\('[\w-]+', .+?, '(\w+)'", sources)}
    assert used <= contributed | INTERNAL


def test_no_key_is_taken_from_anybody(manifest):
    """If it fails, a key that VS Code or IntelliSense uses stops working."""
    for binding in manifest["contributes"]["keybindings"]:
        assert binding["key"] not in {"tab", "enter"}
        assert "editorTextFocus" in binding["when"]
        assert "!editorReadonly" in binding["when"]
        if binding["key"] != "alt+\\":
            assert "inlineSuggestionVisible" in binding["when"]
        if binding["key"] in {"escape", "ctrl+down"}:  # the menu's, while it is open
            assert "!suggestWidgetVisible" in binding["when"]


def test_what_a_workspace_may_not_set_unless_trusted(manifest):
    """If it fails, a project chooses what runs, or where the user's text goes."""
    restricted = set(manifest["capabilities"]["untrustedWorkspaces"]["restrictedConfigurations"])
    names = {entry.name for entry in catalogue()}
    assert restricted <= {f"parrotlet.{name}" for name in names}
    risky = {n for n in names if re.match(r"(remote\.(?!context|timeout)|model$|event_log$)", n)}
    risky |= {"client.server", "private_globs"}
    assert {f"parrotlet.{name}" for name in risky} <= restricted


def test_the_package_is_small_and_has_what_it_needs(package):
    """If it fails, users download sources and tests, or an extension without its licence."""
    with zipfile.ZipFile(package) as archive:
        names = set(archive.namelist())
        record = json.loads(archive.read("extension/installation.json"))
    assert {"extension/LICENSE.txt", "extension/readme.md", "extension/changelog.md"} <= names
    assert {"extension/dist/extension.js", "extension/media/icon.png"} <= names
    assert "extension/dist/licences.txt" in names  # of what is bundled
    assert not [n for n in names if re.search(r"\.ts$|node_modules|scripts/|\.map$", n)]
    assert package.stat().st_size < 500_000
    assert record == {"folder": str(ROOT)}


def test_the_lock_file_names_no_registry():
    """If it fails, whoever uses another registry cannot install."""
    lock = json.loads((EXTENSION / "package-lock.json").read_text())
    assert not [name for name, one in lock["packages"].items() if "resolved" in one]
    for name, version in json.loads((EXTENSION / "package.json").read_text())[
        "devDependencies"
    ].items():
        assert re.fullmatch(r"[\d.]+", version), name
