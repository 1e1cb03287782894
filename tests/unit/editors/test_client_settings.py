"""The settings page of VS Code is the server's list: one name, one default, one text each."""

import json
import re
from pathlib import Path

import pytest

from server.settings_schema import list_settings

EXTENSION = Path(__file__).parents[3] / "editor-client" / "vscode"
REMEDY = (
    "update it: parrotlet settings --json | node editor-client/vscode/scripts/write-settings.mjs"
)
CAMEL_CASE = r"parrotlet(\.[a-z]+([A-Z][a-z]+)*(MB)?)+"
ABBREVIATED_UNIT = r"(Ms|S|Mib)$"


@pytest.fixture(scope="module")
def manifest():
    return json.loads((EXTENSION / "package.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def settings_page(manifest):
    """Every setting that VS Code shows, by its identifier."""
    pages = manifest["contributes"]["configuration"]
    return {name: setting for page in pages for name, setting in page["properties"].items()}


def test_the_settings_page_is_the_servers_list(manifest, settings_page):
    """If it fails, the page lacks a setting, or shows another default than the real one."""
    identifiers = {name: f"parrotlet.{one}" for one, name in manifest["settingNames"].items()}
    listed = {identifiers[setting.name]: setting for setting in list_settings()}
    assert set(listed) == set(settings_page)
    assert len(identifiers) == len(listed)
    for identifier, setting in listed.items():
        expected = {
            "type": setting.type,
            "default": setting.default,
            "markdownDescription": setting.text,
        }
        if setting.choices:
            expected["enum"] = list(setting.choices)
            expected["markdownEnumDescriptions"] = list(setting.choice_texts)
        if setting.minimum is not None:
            expected |= {"minimum": setting.minimum, "maximum": setting.maximum}
        shown = {name: settings_page[identifier].get(name) for name in expected}
        assert shown == expected, REMEDY


def test_identifiers_are_in_camel_case(settings_page):
    """If it fails, the settings page shows names such as "Excluded_files" or "Timeout S"."""
    for name in settings_page:
        assert re.fullmatch(CAMEL_CASE, name), name
        assert not re.search(ABBREVIATED_UNIT, name), name


def test_untrusted_workspaces_cannot_choose_what_runs(manifest, settings_page):
    """If it fails, opening somebody's project runs somebody's program, or sends text away."""
    capabilities = manifest["capabilities"]["untrustedWorkspaces"]
    restricted = set(capabilities["restrictedConfigurations"])
    assert restricted <= set(settings_page)
    risky = {f"parrotlet.remote.{name}" for name in ("url", "model", "tokenizer", "keyVariable")}
    risky |= {"parrotlet.model", "parrotlet.eventLog", "parrotlet.privateGlobs"}
    assert {*risky, "parrotlet.client.server"} <= restricted


def test_no_workspace_chooses_where_text_and_keys_go(settings_page):
    """If it fails, a trusted repository's settings send text, or any variable, to its author."""
    users_own = {name for name, one in settings_page.items() if one["scope"] == "machine"}
    remote = {name for name in settings_page if name.startswith("parrotlet.remote.")}
    assert len(remote) > 3
    assert users_own == {*remote, "parrotlet.eventLog", "parrotlet.client.extraIndexUrl"}
