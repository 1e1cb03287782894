"""The server's settings from what a client says, at the start and while it runs.

Later ones win: the defaults, ``initializationOptions``, what the client answers to
``workspace/configuration`` or tells with ``workspace/didChangeConfiguration`` (its section
``parrotlet``), and the command line.
"""

from collections.abc import Mapping
from typing import Any

from server.settings import Settings
from training.foundation.config_schema import from_mapping, to_mapping
from training.foundation.errors import ConfigError

SECTION = "parrotlet"
_CLIENTS_OWN = {"client", "trace"}  # keys of the section that are none of the server's


class Configuration:
    """Settings and where they come from.

    Args:
        overrides: From the command line, by name; None is unset.
    """

    def __init__(self, overrides: Mapping[str, Any]) -> None:
        self._overrides = {key: value for key, value in overrides.items() if value is not None}
        self._initial: Mapping[str, Any] = {}
        self._live: Mapping[str, Any] = {}

    def initialize(self, options: Any) -> str | None:
        """Takes ``initializationOptions``; returns what is wrong with them, if anything."""
        complaint, self._initial = _checked(options, "initializationOptions")
        return complaint

    def change(self, section: Any) -> str | None:
        """Takes the client's section of settings; a wrong one leaves everything as it was."""
        complaint, live = _checked(section, "the configuration")
        if complaint is None:
            self._live = live
        return complaint

    @property
    def settings(self) -> Settings:
        """What holds now."""
        merged = _merged(_merged(self._initial, self._live), self._overrides)
        return from_mapping(Settings, merged, where="the command line")


def _checked(given: Any, where: str) -> tuple[str | None, Mapping[str, Any]]:
    """Returns a complaint and no settings, or none and the settings."""
    if isinstance(given, Mapping):
        given = {key: value for key, value in given.items() if key not in _CLIENTS_OWN}
    try:
        from_mapping(Settings, given or {}, where=where)
    except (ConfigError, TypeError, AttributeError) as error:
        found = (
            str(error)
            if isinstance(error, ConfigError)
            else f"{where} must be an object, got {type(given).__name__}"
        )
        return found, {}
    return None, to_mapping(given or {})


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        both = isinstance(old, Mapping) and isinstance(value, Mapping)
        merged[key] = _merged(old, value) if both else value  # type: ignore[arg-type]
    return merged
