"""What VS Code's users read and press, as far as package.json defines it, and the README."""

import json
import re
import tomllib
from pathlib import Path

import pytest
from markdown_text import bold_texts, code_spans, table_rows
from vscode_wording import find_identifiers, find_retired_phrases

from server import VERSION

ROOT = Path(__file__).parents[3]
EXTENSION = ROOT / "editor-client" / "vscode"
PREFIX = "parrotlet."
INTERNAL = {"parrotlet.accepted"}
# Commands that ask for something before they do anything.
ASKING = {
    *("menu", "snooze", "chooseExtent", "chooseEagerness", "chooseModel"),
    *("installServer", "setServerPath", "adaptModel", "cancelAdapting", "manageModels"),
}
LOWERCASE_IN_TITLES = {"a", "an", "as", "for", "from", "in", "of", "or", "the", "to"}
SHOWN_FIELDS = {"title", "description", "markdownDescription", "displayName", "altText"}
VS_CODES_OWN_COMMAND = "Extensions: Install from VSIX…"
MODEL_CHOICES = {"Bundled", "Folder", "Hugging Face Hub", "Remote server"}


@pytest.fixture(scope="module")
def manifest():
    return json.loads((EXTENSION / "package.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def readme():
    return (EXTENSION / "README.md").read_text(encoding="utf-8")


def shown_texts(value):
    """Yields every text of a manifest that VS Code shows."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if isinstance(inner, str) and name in SHOWN_FIELDS:
                yield inner
            elif name == "markdownEnumDescriptions":
                yield from inner
            else:
                yield from shown_texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from shown_texts(inner)


def setting_names(manifest):
    """Returns the names of all settings."""
    pages = manifest["contributes"]["configuration"]
    return {name for page in pages for name in page["properties"]}


def command_names(manifest):
    """Returns the names of all commands that the palette lists."""
    return {command["command"] for command in manifest["contributes"]["commands"]}


def test_no_identifiers_in_texts(manifest):
    """If it fails, people read "end_of_scope" and learn nothing."""
    texts = list(shown_texts(manifest))
    assert len(texts) > 80
    assert [found for text in texts if (found := find_identifiers(text))] == []


def test_no_retired_phrases(manifest):
    """If it fails, the settings or the walkthrough read as if they had been translated."""
    assert [found for text in shown_texts(manifest) if (found := find_retired_phrases(text))] == []


def test_titles_are_in_title_case_and_end_in_an_ellipsis_if_they_ask(manifest):
    """If it fails, a command that opens a picker looks like one that acts at once."""
    for command in manifest["contributes"]["commands"]:
        name, title = command["command"].removeprefix(PREFIX), command["title"]
        assert command["category"] == "Parrotlet"
        assert title.endswith("…") == (name in ASKING), title
        assert "..." not in title
        for word in re.findall(r"\w+", title):
            assert word[0].isupper() or word in LOWERCASE_IN_TITLES, title


def test_settings_are_described_in_sentences(manifest):
    """If it fails, the settings page is a list of notes."""
    for page in manifest["contributes"]["configuration"]:
        for name, setting in page["properties"].items():
            text = setting["markdownDescription"]
            assert text[0].isupper(), name
            assert text.endswith("."), name
            if setting["type"] == "boolean":
                assert text.startswith("Controls whether "), name


def test_version_and_licence_are_the_projects(manifest):
    """If it fails, the extension offers to install a release that does not exist."""
    assert manifest["version"] == VERSION
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert manifest["license"] == project["license"]


def test_keys_and_links_run_real_commands(manifest):
    """If it fails, a key or a link of the walkthrough does nothing."""
    linked = set(re.findall(r"command:(parrotlet\.\w+)", json.dumps(manifest)))
    bound = {binding["command"] for binding in manifest["contributes"]["keybindings"]}
    assert len(linked) > 5
    assert linked | bound <= command_names(manifest) | INTERNAL


def test_no_key_overrides_another(manifest):
    """If it fails, a key that VS Code or IntelliSense uses stops working."""
    for binding in manifest["contributes"]["keybindings"]:
        conditions = set(binding["when"].split(" && "))
        assert binding["key"] not in {"tab", "enter"}
        assert {"editorTextFocus", "!editorReadonly"} <= conditions
        if binding["key"] != "alt+\\":
            assert "inlineSuggestionVisible" in conditions
        if binding["key"] in {"escape", "ctrl+down"}:  # they belong to an open menu
            assert "!suggestWidgetVisible" in conditions
        if binding["command"] in {"parrotlet.acceptWord", "parrotlet.acceptLine"}:
            # As in VS Code: with a screen reader, the arrow keys move the cursor.
            assert {"cursorBeforeGhostText", "!accessibilityModeEnabled"} <= conditions


def test_the_walkthrough_names_every_key(manifest):
    """If it fails, new users know Tab and never find the next word or the next suggestion."""
    (walkthrough,) = manifest["contributes"]["walkthroughs"]
    (step,) = [one for one in walkthrough["steps"] if one["id"] == "accept"]
    page = (EXTENSION / step["media"]["markdown"]).read_text(encoding="utf-8")
    for key in ("Tab", "Ctrl+→", "⌘→", "Ctrl+↓", "⌘↓", "Alt+]", "Alt+[", "Esc", "Alt+\\"):
        assert key in step["description"], key
        assert key in code_spans(page), key


def test_the_readme_names_only_real_settings(manifest, readme):
    """If it fails, the README describes a setting that does not exist."""
    named = {span for span in code_spans(readme) if span.startswith(PREFIX)}
    assert len(named) > 10
    assert named <= setting_names(manifest) | {"parrotlet.client", "parrotlet.vsix"}


def test_the_readme_lists_every_command(manifest, readme):
    """If it fails, users find a command in the palette and nowhere else."""
    page = readme.split("## Commands")[1].split("\n## ")[0]
    listed = ", ".join(row[0] for row in table_rows(page))
    for command in manifest["contributes"]["commands"]:
        assert command["title"].removeprefix("Toggle Suggestions ") in listed, command["title"]


def test_the_readme_names_only_real_commands(manifest, readme):
    """If it fails, the README sends people to a command that does not exist."""
    titles = {command["title"] for command in manifest["contributes"]["commands"]}
    others = MODEL_CHOICES | {VS_CODES_OWN_COMMAND, "Parrotlet", "Toggle Suggestions"}
    named = {text.removeprefix("Parrotlet: ") for text in bold_texts(readme)}
    assert len(named) > 10
    assert named <= titles | others
