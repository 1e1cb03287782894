"""Settings from everything that a client says, the later ones over the earlier ones."""

import dataclasses
import random
import time

import pytest

from server.lsp.configuration import Configuration
from server.settings import Settings


def test_later_sources_win_setting_by_setting():
    """If it fails, changing one setting resets others, or the command line is ignored."""
    configuration = Configuration({"model": "here", "event_log": None})
    options = {"model": "there", "suggestion": {"extent": "line", "eagerness": "quiet"}}
    assert configuration.initialize(options) is None
    assert configuration.change({"suggestion": {"extent": "block"}, "event_log": "log"}) is None
    settings = configuration.settings
    assert settings.model == "here"
    assert settings.event_log == "log"
    assert (settings.suggestion.extent, settings.suggestion.eagerness) == ("block", "quiet")
    assert configuration.change(None) is None
    assert configuration.settings.suggestion.extent == "line"  # what the client no longer sets


def test_what_a_client_that_sends_all_settings_leaves_out_is_unset():
    """If it fails, code goes to a remote server after its setting was deleted."""
    configuration = Configuration({"event_log": "log"})
    options = {"remote": {"url": "http://gpu:8000"}, "private_globs": ["x"]}
    assert configuration.initialize(options, sends_all=True) is None
    assert configuration.settings.remote.url == "http://gpu:8000"
    assert "private_globs" in configuration.change({"private_globs": 5})
    assert configuration.settings.private_globs == ("x",)  # a wrong value keeps the previous one
    assert configuration.settings.remote.url == ""
    assert configuration.change(None) is None
    assert configuration.settings.private_globs == ("x",)  # null is no answer
    assert configuration.change({}) is None
    assert configuration.settings == Settings(event_log="log")


@pytest.mark.parametrize(
    ("section", "named"),
    [
        ({"suggestion": {"extend": "line"}}, "extent"),
        ({"suggestion": {"extent": "chapter"}}, "chapter"),
        ({"engine": {"threads": -1}}, "0 to 256"),
        ({"engine": {"threads": True}}, "threads"),
        ({"remote": {"key_variable": "AWS_SECRET_ACCESS_KEY"}}, "does not begin with PARROTLET_"),
    ],
)
def test_a_mistake_is_named_and_spoils_no_other_setting(section, named):
    """If it fails, a typo turns every setting back to its default, or ends the server."""
    configuration = Configuration({})
    assert named in configuration.change({"model": "m", **section})
    assert configuration.settings == dataclasses.replace(Settings(), model="m")


@pytest.mark.parametrize("section", [[1], "text"])
def test_settings_that_are_no_object_change_nothing(section):
    configuration = Configuration({})
    configuration.change({"suggestion": {"extent": "line"}})
    assert "must be an object" in configuration.change(section)
    assert configuration.settings.suggestion.extent == "line"


def test_a_mistake_in_the_first_settings_spoils_no_other_setting():
    """If it fails, one typo turns privacy globs off."""
    configuration = Configuration({})
    options = {"private_globs": ["x"], "suggestion": {"extend": "line", "eagerness": "quiet"}}
    assert "extent" in configuration.initialize(options)
    assert configuration.settings.private_globs == ("x",)
    assert configuration.settings.suggestion.eagerness == "quiet"


def test_null_means_unset():
    """If it fails, a client that fills in null loses its other settings."""
    configuration = Configuration({})
    options = {
        "private_globs": ["x"],
        "model": None,
        "engine": None,
        "suggestion": {"extent": None},
    }
    assert configuration.initialize(options) is None
    assert configuration.settings == dataclasses.replace(Settings(), private_globs=("x",))


def test_a_mistake_keeps_the_previous_value_and_others_change():
    configuration = Configuration({})
    configuration.change({"suggestion": {"extent": "line"}, "private_globs": ["a"]})
    section = {"suggestion": {"extent": "chapter"}, "private_globs": ["b"]}
    assert "chapter" in configuration.change(section)
    assert configuration.settings.private_globs == ("b",)
    assert configuration.settings.suggestion.extent == "line"


def test_any_json_is_accepted_or_named():
    """If it fails, a strange value ends the handshake, and with it the server."""
    chance = random.Random(0)
    values = [None, True, -1, 0.5, "", "x", [], [1], ["x", None], {}, {"x": 1}, 10**400, "\ud800"]
    groups = {"": Settings(), "suggestion": Settings().suggestion, "engine": Settings().engine}
    for _ in range(400):
        name, group = chance.choice(list(groups.items()))
        field = chance.choice([field.name for field in dataclasses.fields(group)])
        section = {field: chance.choice(values)}
        complaint = Configuration({}).change({name: section} if name else section)
        assert complaint is None or field in complaint or name in complaint


def test_keys_of_the_clients_own_are_not_the_servers_concern():
    """If it fails, an extension of another version makes the server complain."""
    assert Configuration({}).change({"client": {"new": 1}, "trace": {"server": "off"}}) is None


def test_half_a_surrogate_in_a_setting_becomes_a_replacement_character():
    """If it fails, a strange name of a file ends the handshake, or a thread."""
    configuration = Configuration({})
    options = {
        "model": "a\ud800",
        "private_globs": ["\udc00b"],
        "remote": {"model": "\ud83d\ude00"},
    }
    assert configuration.initialize(options) is None
    settings = configuration.settings
    assert (settings.model, settings.private_globs) == ("a\ufffd", ("\ufffdb",))
    assert settings.remote.model == "\U0001f600"


def test_settings_beyond_any_number_of_settings_are_not_read():
    """If it fails, a client that sends a million keys freezes the handshake."""
    started = time.process_time()
    many = {f"no_such_{i}": i for i in range(200_000)}
    assert "no_such_0" in Configuration({}).change(many)
    assert time.process_time() - started < 3
