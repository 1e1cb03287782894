"""The list of settings that editors' settings pages are made of."""

import dataclasses
import json

import pytest

from server.cli import main
from server.settings import Settings
from server.settings_schema import list_settings
from training.foundation.config_schema import from_mapping, to_mapping
from training.foundation.errors import ConfigError


def nested(entries):
    values = {}
    for entry in entries:
        *groups, name = entry.name.split(".")
        group = values
        for part in groups:
            group = group.setdefault(part, {})
        group[name] = entry.default
    return values


def test_every_setting_is_listed_with_its_default_and_its_text():
    """If it fails, an editor's page lacks a setting or shows another default than holds."""
    entries = list_settings()
    assert nested(entries) == to_mapping(Settings())
    assert from_mapping(Settings, nested(entries), where="the list") == Settings()
    for entry in entries:
        assert entry.text.endswith("."), entry.name
        assert entry.text.startswith("Controls whether ") or entry.type != "boolean", entry.name
        kinds = {"boolean": bool, "integer": int, "number": float, "string": str, "array": list}
        assert type(entry.default) is kinds[entry.type], entry.name
        assert entry.choices is None or entry.default in entry.choices
        assert len(entry.choices or ()) == len(entry.choice_texts or ()), entry.name
        assert all(text.endswith(".") for text in entry.choice_texts or ()), entry.name


def test_every_number_has_the_range_that_is_listed():
    """If it fails, a budget of a billion tokens, or of NaN seconds, ends in a traceback."""
    numbers = [entry for entry in list_settings() if entry.type in {"integer", "number"}]
    assert numbers
    for entry in numbers:
        kind = type(entry.default)
        for allowed in (entry.minimum, entry.maximum):
            listed = [dataclasses.replace(entry, default=kind(allowed))]
            from_mapping(Settings, nested(listed), where="a client")
        refused = [kind(entry.minimum - 1), kind(entry.maximum + 1), 10**400, -(10**5000), 1e308]
        for number in [*refused, float("nan"), float("inf"), True, None, "1"]:
            wrong = nested([dataclasses.replace(entry, default=number)])
            with pytest.raises(ConfigError):
                from_mapping(Settings, wrong, where="a client")


def test_the_command_prints_them(capsys):
    assert main(["settings", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert [entry["name"] for entry in listed] == [entry.name for entry in list_settings()]
    assert main(["settings"]) == 0
    printed = capsys.readouterr().out
    for entry in list_settings():
        assert f"{entry.name} = {json.dumps(entry.default)}" in printed
        assert all(f"  {choice}  " in printed for choice in entry.choices or ())
