"""The editors' settings are the server's: one name, one default, one text each."""

import json
import re
from pathlib import Path

from server.settings_schema import list_settings

CLIENTS = Path(__file__).parents[3] / "editor-client"
WRITE = "parrotlet settings --json | node editor-client/vscode/scripts/write-settings.mjs"


def manifest():
    return json.loads((CLIENTS / "vscode/package.json").read_text(encoding="utf-8"))


def settings_page():
    """Every setting that VS Code shows, by its identifier."""
    pages = manifest()["contributes"]["configuration"]
    return {name: one for page in pages for name, one in page["properties"].items()}


def test_the_settings_page_of_vs_code_is_the_servers_list():
    """If it fails, the page lacks a setting, or shows another default than holds."""
    shown = settings_page()
    ids = {name: one for one, name in manifest()["settingNames"].items()}
    for entry in list_settings():
        of_page = shown.pop(f"parrotlet.{ids.pop(entry.name)}")
        wanted = {"type": entry.type, "default": entry.default, "markdownDescription": entry.text}
        if entry.choices:
            wanted |= {"enum": list(entry.choices)}
            wanted |= {"markdownEnumDescriptions": list(entry.choice_texts)}
        wanted |= {"minimum": entry.minimum} if entry.minimum is not None else {}
        found = {name: of_page.get(name) for name in wanted}
        assert found == wanted, f"write the page again: {WRITE}"
    assert not shown
    assert not ids


def test_settings_of_vs_code_are_in_camel_case():
    """If it fails, the settings page shows names such as "Excluded_files" or "Timeout S"."""
    for name in settings_page():
        assert re.fullmatch(r"parrotlet(\.[a-z]+([A-Z][a-z]+)*(MB)?)+", name), name
        assert not re.search(r"(Ms|S|Mib)$", name), name


def test_no_workspace_chooses_what_runs_or_where_text_goes_unless_it_is_trusted():
    """If it fails, opening somebody's project runs somebody's program, or sends text away."""
    capabilities = manifest()["capabilities"]["untrustedWorkspaces"]
    restricted = set(capabilities["restrictedConfigurations"])
    shown = settings_page()
    assert restricted <= set(shown)
    risky = {f"parrotlet.remote.{name}" for name in ("url", "model", "tokenizer", "keyVariable")}
    risky |= {"parrotlet.model", "parrotlet.eventLog", "parrotlet.privateGlobs"}
    assert {*risky, "parrotlet.client.server"} <= restricted
    assert shown["parrotlet.client.extraIndexUrl"]["scope"] == "machine"  # trusted or not


def test_neovims_options_are_the_clients_settings():
    """If it fails, the same word means something else in the other editor."""
    text = (CLIENTS / "nvim/lua/parrotlet/config.lua").read_text(encoding="utf-8")
    defaults = text.split("M.defaults = {\n")[1].split("\n}\n")[0]
    found = dict(re.findall(r"^  (\w+) = (.*),$", defaults, re.MULTILINE))
    for entry in list_settings():
        if entry.name.startswith("client."):
            told = json.dumps(entry.default).replace('"', "'")
            lua = told.replace("[]", "{}").replace("[", "{ ").replace("]", " }")
            assert found.pop(entry.name.removeprefix("client.")) == lua
    assert set(found) <= {"settings"}  # keys is a table of its own
