"""The server's settings, from everything that a client says about them.

Later ones win: the defaults, ``initializationOptions``, what the client returns for
``workspace/configuration`` or sends with ``workspace/didChangeConfiguration`` (its section
``parrotlet``), and the command line.
"""

from collections.abc import Mapping
from typing import Any

from server.settings import Settings
from training.foundation.config_schema import from_mapping, to_mapping
from training.foundation.errors import ConfigError

SECTION = "parrotlet"
_CLIENT_KEYS = {"client", "trace"}  # of the section; they are not about the server


class Configuration:
    """The settings that hold, and where they come from.

    Attributes:
        settings: What holds now.

    Args:
        overrides: From the command line, by name; None means unset.
    """

    def __init__(self, overrides: Mapping[str, str | None]) -> None:
        self._overrides = {key: value for key, value in overrides.items() if value is not None}
        self._initial: Mapping[str, Any] = {}
        self._current: Mapping[str, Any] = {}
        self.settings = self._resolve()

    def initialize(self, options: Any) -> str | None:
        """Applies ``initializationOptions``; returns what is wrong with them, if anything."""
        complaint, self._initial = _validate(options, "initializationOptions")
        self.settings = self._resolve()
        return complaint

    def change(self, section: Any) -> str | None:
        """Applies the client's section of settings, unless something is wrong; returns what."""
        complaint, current = _validate(section, "the configuration")
        if complaint is None:
            self._current = current
            self.settings = self._resolve()
        return complaint

    def _resolve(self) -> Settings:
        merged = _merge(_merge(self._initial, self._current), self._overrides)
        return from_mapping(Settings, merged, where="the command line")


def _validate(given: Any, where: str) -> tuple[str | None, Mapping[str, Any]]:
    """Returns a complaint and no settings, or no complaint and the settings."""
    if not given:
        return None, {}
    if not isinstance(given, Mapping):
        return f"{where} must be an object, got {type(given).__name__}", {}
    section = {key: value for key, value in given.items() if key not in _CLIENT_KEYS}
    try:
        from_mapping(Settings, section, where=where)
    except ConfigError as error:
        return str(error), {}
    return None, to_mapping(section)


def _merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        both = isinstance(old, Mapping) and isinstance(value, Mapping)
        merged[key] = _merge(old, value) if both else value  # type: ignore[arg-type]
    return merged
