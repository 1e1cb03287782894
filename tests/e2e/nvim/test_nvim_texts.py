"""What people read in Neovim: messages, the help page and the README."""

import json
import re
import subprocess

import pytest
from markdown_text import table_rows
from nvim_editor import PLUGIN, VERSIONS, find_program

from server import VERSION
from server.settings_schema import list_settings

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

README = PLUGIN / "README.md"
HELP = PLUGIN / "doc" / "parrotlet.txt"
EXPORT = PLUGIN / "scripts" / "export-interface.lua"

PREFIX = "Parrotlet: "
MESSAGE_COLUMNS = 68  # what Neovim shows in 80 columns without "Press ENTER"
PLACEHOLDER_COLUMNS = 6  # the least that is left for a value in a message
HELP_COLUMNS = 78

# Phrases that read as translated, and those of earlier versions.
RETIRED = (
    r"\banew\b|\bunasked\b|\bgoes on\b|\bgo on with\b|\bis told\b|\btells?\b|\bstands?\b"
    r"|\bswitched (?:off|on)\b|\bis taken\b|\btakes (?:it|what)\b|\bwhat you took\b"
    r"|\bnothing to suggest\b|\bno server runs\b|\bhas to say\b|\bsure\b|\bas it comes\b"
    r"|\bbehind the cursor\b|\bwanted\b|\bso many\b|\bTaken\b|\bat all\b|\bleft alone\b"
    r"|\d %(?!\w)"
)
KEY_NAMES = {"M": "Alt+", "C": "Ctrl+", "Right": "→", "Down": "↓", "Bslash": "\\"}


@pytest.fixture(scope="module")
def interface():
    """Everything that the plugin exports about itself."""
    exported = subprocess.run(
        [find_program(VERSIONS[0]), "--headless", "-u", "NONE", "-l", EXPORT],
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(exported.stdout or exported.stderr)


@pytest.fixture(scope="module")
def option_names(interface):
    """The names that users write in setup()."""
    return {*interface["options"], *interface["options"]["keys"]}


def sentences(interface):
    """Yields the file and the text of every string with at least two words."""
    for string in interface["strings"]:
        if re.search(r"[a-z]{2,} [a-z]{2,}", string["text"]):
            yield string["file"], string["text"]


def test_no_identifiers_in_messages(interface, option_names):
    """If it fails, users read names from the code, such as end_of_scope."""
    found = list(sentences(interface))
    assert len(found) > 60
    identifiers = [
        (file, word)
        for file, text in found
        for word in re.findall(r"\b[a-z]+(?:_[a-z]+)+\b", text)
        if word not in option_names and "require(" not in text and "import " not in text
    ]
    assert identifiers == []


def test_no_retired_phrases(interface):
    """If it fails, a text reads as translated again."""
    texts = [*sentences(interface), (README.name, README.read_text(encoding="utf-8"))]
    texts.append((HELP.name, HELP.read_text(encoding="utf-8")))
    assert [(file, found) for file, text in texts if (found := re.findall(RETIRED, text))] == []


def test_messages_fit_into_a_line(interface):
    """If it fails, Neovim stops at "Press ENTER", or the end of a message is cut off.

    Values in a message may be long, and are shortened; the text around them leaves room for some.
    """
    messages = [one["text"] for one in interface["messages"] if "health" not in one["file"]]
    assert len(messages) > 15
    for message in messages:
        text = re.sub(r"%\w", "", message)
        has_values = text != message
        assert len(PREFIX + text) <= MESSAGE_COLUMNS - PLACEHOLDER_COLUMNS * has_values, message
        assert "\\n" not in message
        assert not message.endswith("."), message


def test_help_lines_and_links(interface):
    """If it fails, a help page wraps, or one of its links leads nowhere."""
    lines = HELP.read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if len(line) > HELP_COLUMNS] == []
    tags, links = interface["help"]["tags"], interface["help"]["links"]
    assert len(links) > 20
    assert {link for link in links if "arrotlet" in link} <= set(tags)


def test_the_helps_contents_are_its_sections():
    """If it fails, the contents lack a section, or number it otherwise."""
    page = HELP.read_text(encoding="utf-8")
    contents = re.findall(r"^ +(\d+)\. (.+?) \.+ \|([\w-]+)\|$", page, re.MULTILINE)
    sections = re.findall(r"^(\d+)\. (.+?) +\*([\w-]+)\*", page, re.MULTILINE)
    assert len(sections) > 10
    assert contents == sections
    assert [int(number) for number, _, _ in sections] == list(range(1, len(sections) + 1))


def test_help_documents_every_command_and_option(interface):
    """If it fails, users cannot find out about a command or an option."""
    tags = set(interface["help"]["tags"])
    assert {f":Parrotlet-{name}" for name in interface["completions"]} <= tags
    assert {f"parrotlet-option-{name}" for name in interface["options"]} <= tags
    assert {f"parrotlet.{action['name']}()" for action in interface["actions"]} <= tags


def test_help_shows_the_real_defaults(interface):
    """If it fails, the help promises options or keys that do something else."""
    assert interface["help"]["options"] == interface["options"]


def test_readme_lists_every_command_and_option(interface, option_names):
    """If it fails, the README lacks a command or an option."""
    page = README.read_text(encoding="utf-8")
    for name in interface["completions"]:
        assert f"`{name}" in page, name
    for name in option_names:
        assert name in page, name


def test_readme_lists_the_real_keys(interface):
    """If it fails, the README promises keys that do nothing."""
    rows = [row for row in table_rows(README.read_text(encoding="utf-8")) if len(row) == 3]
    documented = {row[2].strip("`"): row[0].strip("`") for row in rows if "`keys." in row[2]}
    expected = {}
    for name, key in interface["options"]["keys"].items():
        modifier, _, last = key.strip("<>").rpartition("-")
        label = KEY_NAMES.get(modifier, "") + KEY_NAMES.get(last, last)
        expected[f"keys.{name}"] = label
    assert documented == expected


def test_options_are_the_clients_settings(interface):
    """If it fails, VS Code, Neovim and `parrotlet settings` disagree about a default."""
    settings = {
        entry.name.removeprefix("client."): entry.default
        for entry in list_settings()
        if entry.name.startswith("client.")
    }
    options = interface["options"]
    assert {name: options[name] for name in settings} == settings
    assert set(options) - set(settings) == {"keys", "settings"}


def test_extents_are_the_servers(interface):
    """If it fails, `:Parrotlet extent` offers a value that the server rejects."""
    (setting,) = [entry for entry in list_settings() if entry.name == "suggestion.extent"]
    assert interface["completions"]["extent"] == list(setting.choices)


def test_plugin_installs_its_own_version(interface):
    """If it fails, `:Parrotlet install` installs another release than the plugin's."""
    assert interface["requirement"] == f"parrotlet=={VERSION}"
