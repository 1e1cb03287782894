"""What the extension's source says and calls, as a script exports it."""

import json
import re
import subprocess

import pytest
from code_server import EXTENSION
from markdown_text import prose
from vscode_wording import find_identifiers, find_retired_phrases

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

PREFIX = "parrotlet."
# Names below the prefix that are no commands of package.json.
CONTEXT_KEYS = {
    *("parrotlet.isInstalling", "parrotlet.isRunning", "parrotlet.hasShown"),
    "parrotlet.isFirstOnRequest",
}
SERVER_COMMANDS = {"parrotlet.explain", "parrotlet.health", "parrotlet.statistics"}
INTERNAL = (
    {"parrotlet.accepted", "parrotlet.status", "parrotlet.adaptation"}
    | CONTEXT_KEYS
    | SERVER_COMMANDS
)
PAGES = [*sorted((EXTENSION / "media").glob("*.md")), *sorted(EXTENSION.glob("*.md"))]


@pytest.fixture(scope="module")
def source():
    """All texts and calls of the source."""
    script = EXTENSION / "scripts" / "export-source.mjs"
    exported = subprocess.run(["node", script], capture_output=True, text=True, check=True)
    return json.loads(exported.stdout)


@pytest.fixture(scope="module")
def command_names():
    """The commands that package.json contributes."""
    manifest = json.loads((EXTENSION / "package.json").read_text(encoding="utf-8"))
    return {command["command"] for command in manifest["contributes"]["commands"]}


@pytest.fixture(scope="module")
def sentences(source):
    """The file and the text of everything with spaces in it, Python's code aside."""
    return [
        (one["file"], one["text"])
        for one in source["texts"]
        if " " in one["text"] and not one["text"].startswith("import ")
    ]


def test_no_identifiers_in_texts(sentences):
    """If it fails, users read names from the code, such as end_of_scope."""
    assert len(sentences) > 100
    assert [(file, found) for file, text in sentences if (found := find_identifiers(text))] == []


def test_no_retired_phrases_in_texts(sentences):
    """If it fails, the extension reads as if it had been translated."""
    found = [(file, found) for file, text in sentences if (found := find_retired_phrases(text))]
    assert found == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_retired_phrases_in_pages(page):
    """If it fails, a page of the extension reads as if it had been translated."""
    text = prose(page.read_text(encoding="utf-8"))
    assert find_identifiers(text) == []
    assert find_retired_phrases(text) == []


def test_menus_and_buttons_run_real_commands(source, command_names):
    """If it fails, an entry of a menu or a button does nothing."""
    entries = [call for call in source["calls"] if call["function"] == "createEntry"]
    assert len(entries) > 15
    assert {PREFIX + call["arguments"][2] for call in entries} <= command_names
    names = {one["text"] for one in source["texts"] if re.fullmatch(r"parrotlet\.\w+", one["text"])}
    assert len(names) > 15
    assert names - INTERNAL <= command_names


def test_every_command_is_registered(window, command_names):
    """If it fails, a command of the palette ends in "command not found"."""
    registered = window.call_api("return await vscode.commands.getCommands(true)")
    assert command_names <= set(registered)


def test_settings_are_opened_by_the_extensions_own_name(source):
    """If it fails, "Open Settings" lists settings of other extensions that mention Parrotlet."""
    queries = [one["text"] for one in source["texts"] if one["text"].startswith("@")]
    assert sorted(queries) == [
        "@ext:parrotlet.parrotlet",
        "@id:parrotlet.client.server",
        "@id:parrotlet.…",
    ]
