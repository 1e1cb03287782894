"""The editors' settings are the server's: one name, one default, one text each."""

import json
import re
from pathlib import Path

from server.catalogue import catalogue

CLIENTS = Path(__file__).parents[2] / "editor-client"
WRITE = "parrotlet settings --json | node editor-client/vscode/scripts/write-settings.mjs"


def test_the_settings_page_of_vs_code_is_the_servers_list():
    """If it fails, the page lacks a setting, or shows another default than holds."""
    manifest = json.loads((CLIENTS / "vscode/package.json").read_text(encoding="utf-8"))
    shown = {}
    for page in manifest["contributes"]["configuration"]:
        shown |= page["properties"]
    for entry in catalogue():
        of_page = shown.pop(f"parrotlet.{entry.name}")
        wanted = {"type": entry.type, "default": entry.default, "markdownDescription": entry.text}
        if entry.choices and entry.choice_texts:
            wanted["enum"] = list(entry.choices)
            wanted["markdownEnumDescriptions"] = list(entry.choice_texts)
        wanted |= {"minimum": entry.minimum} if entry.minimum is not None else {}
        found = {name: of_page.get(name) for name in wanted}
        assert found == wanted, f"write the page again: {WRITE}"
    assert set(shown) <= {"parrotlet.trace.server"}  # the protocol's, whoever the server is


def test_neovims_options_are_the_clients_settings():
    """If it fails, the same word means something else in the other editor."""
    text = (CLIENTS / "nvim/lua/parrotlet/config.lua").read_text(encoding="utf-8")
    defaults = text.split("M.defaults = {\n")[1].split("\n}\n")[0]
    found = dict(re.findall(r"^  (\w+) = (.*),$", defaults, re.MULTILINE))
    for entry in catalogue():
        if entry.name.startswith("client."):
            told = json.dumps(entry.default).replace('"', "'")
            lua = told.replace("[]", "{}").replace("[", "{ ").replace("]", " }")
            assert found.pop(entry.name.removeprefix("client.")) == lua
    assert set(found) <= {"settings"}  # keys is a table of its own
