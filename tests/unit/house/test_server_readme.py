"""What server/README.md shows is what the server takes and has.

``python tests/unit/house/test_server_readme.py`` writes its tables of settings anew.
"""

import json
import tomllib
from itertools import groupby
from pathlib import Path

from markdown_text import code_blocks

from server.lsp import features
from server.lsp.status_reporter import STATUS_METHOD
from server.settings import Settings
from server.settings_schema import list_settings
from server.worker.status import State
from training.foundation.config_schema import from_mapping

README = Path(__file__).parents[3] / "server" / "README.md"
OPENING, CLOSING = "<!-- settings -->\n", "<!-- /settings -->\n"
TITLES = {
    "": "General",
    "client": "Clients",
    "context": "Context",
    "suggestion": "Suggestions",
    "engine": "Engine",
    "adaptation": "Adaptation",
    "remote": "Remote server",
}


def text():
    return README.read_text(encoding="utf-8")


def blocks(language):
    return code_blocks(text(), language)


def group_of(entry):
    return entry.name.rpartition(".")[0]


def tables():
    """Returns the tables of settings, a heading for each group."""
    lines = []
    for group, entries in groupby(list_settings(), key=group_of):
        lines += [f"### {TITLES[group]}", "", "| setting | default | |", "|---|---|---|"]
        for entry in entries:
            pairs = zip(entry.choices or (), entry.choice_texts or (), strict=True)
            told = " ".join([entry.text, *(f"`{choice}`: {what}" for choice, what in pairs)])
            lines.append(f"| `{entry.name}` | `{json.dumps(entry.default)}` | {told} |")
        lines.append("")
    return "\n".join(lines)


def test_it_lists_every_setting_with_its_default_and_its_text():
    """If it fails, run this file as a program."""
    found = text().split(OPENING)[1].split(CLOSING)[0]
    assert found == tables()


def test_what_it_shows_of_editors_starts_the_server():
    """If it fails, who copies it has no server."""
    (helix,) = [tomllib.loads(block) for block in blocks("toml")]
    assert helix["language-server"]["parrotlet"]["command"] == "parrotlet-server"
    assert "parrotlet" in helix["language"][0]["language-servers"]
    (sublime,) = [json.loads(block) for block in blocks("json") if "clients" in block]
    assert sublime["clients"]["parrotlet"]["command"] == ["parrotlet-server"]
    assert all("parrotlet-server" in block for block in blocks("lua") + blocks("elisp"))


def test_the_options_it_shows_are_accepted():
    """If it fails, a team copies settings that are refused."""
    shown = [json.loads(block) for block in blocks("json") if "clients" not in block]
    assert shown
    for options in shown:
        assert from_mapping(Settings, options, where="README") != Settings()


def test_it_names_every_command_notification_and_state():
    """If it fails, a client's author has to read the code."""
    named = {name: value for name, value in vars(features).items() if name.isupper()}
    wanted = [v for n, v in named.items() if n.endswith(("_METHOD", "_COMMAND"))]
    assert len(wanted) >= 8
    for name in [*wanted, STATUS_METHOD, *State]:
        assert f"`{name}`" in text(), name


if __name__ == "__main__":
    before, _, rest = text().partition(OPENING)
    README.write_text(f"{before}{OPENING}{tables()}{CLOSING}{rest.partition(CLOSING)[2]}")
