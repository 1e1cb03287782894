"""The server's settings, from everything that a client says about them.

Later ones win: the defaults, ``initializationOptions``, what the client returns for
``workspace/configuration`` or sends with ``workspace/didChangeConfiguration`` (its section
``parrotlet``), and the command line. A client may say that it always sends all settings that are
set: then each of its messages replaces the ones before, and what it leaves out is unset.
"""

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from server.settings import Settings
from server.settings_schema import list_settings
from training.foundation.config_schema import from_mapping
from training.foundation.errors import ConfigError
from training.foundation.foreign_text import replace_surrogates

SECTION = "parrotlet"
_MAX_VALUES = 1000  # of one section; there are not so many settings
_CLIENT_KEYS = {"client", "trace"}  # of the section; they are not about the server
_GROUPS = {setting.name.partition(".")[0] for setting in list_settings() if "." in setting.name}


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
        self._is_replaced = False  # by each section
        self.settings = self._resolve()

    def initialize(self, options: Any, *, sends_all: bool = False) -> str | None:
        """Applies ``initializationOptions``; returns what is wrong with them, if anything.

        Args:
            options: What the client sent.
            sends_all: Whether its later sections hold all that is set, and so replace the options.
        """
        complaint, taken = _take_valid(options, "initializationOptions", before={})
        self._is_replaced = sends_all
        self._initial, self._current = ({}, taken) if sends_all else (taken, {})
        self.settings = self._resolve()
        return complaint

    def change(self, section: Any) -> str | None:
        """Applies the client's section of settings; returns what is wrong with it, if anything.

        A setting with a wrong value keeps its previous one; all others apply. From a client that
        sends all settings, null is no answer and changes nothing.
        """
        if section is None and self._is_replaced:
            return None
        complaint, self._current = _take_valid(section, "the configuration", before=self._current)
        self.settings = self._resolve()
        return complaint

    def _resolve(self) -> Settings:
        merged = _merge(_merge(self._initial, self._current), self._overrides)
        return from_mapping(Settings, merged, where="the command line")


def _take_valid(
    given: Any, where: str, *, before: Mapping[str, Any]
) -> tuple[str | None, Mapping[str, Any]]:
    """Returns the first complaint and the settings that hold: one mistake spoils no other setting.

    Args:
        given: What the client sent; null means unset, wherever it stands.
        where: What the complaint calls it.
        before: Where a setting with a wrong value gets its value from.
    """
    if not given:
        return None, {}
    if not isinstance(given, Mapping):
        return f"{where} must be an object, got {type(given).__name__}", before
    complaint: str | None = None
    taken: dict[str, Any] = {}
    for path, value in islice(_list_values(given), _MAX_VALUES):
        value = _make_well_formed(value)  # noqa: PLW2901 - in whatever way it was written
        error = _find_error(path, value, where)
        if error is not None:
            complaint = complaint or error
            value = _look_up(before, path)  # noqa: PLW2901 - the value that holds
        if value is not None:
            taken = _merge(taken, _nest(path, value))
    return complaint, taken


def _list_values(section: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yields each setting with the keys that lead to it; leaves out the client's own keys."""
    for key, value in section.items():
        if key in _CLIENT_KEYS or value is None:
            continue
        if key in _GROUPS and isinstance(value, Mapping):
            yield from (((key, name), inner) for name, inner in value.items() if inner is not None)
        else:
            yield (key,), value


def _make_well_formed(value: Any) -> Any:
    """Returns a setting's value without halves of surrogate pairs, which no file name may have."""
    if isinstance(value, list):
        return [_make_well_formed(inner) if isinstance(inner, str) else inner for inner in value]
    return replace_surrogates(value) if isinstance(value, str) else value


def _find_error(path: tuple[str, ...], value: Any, where: str) -> str | None:
    try:
        from_mapping(Settings, _nest(path, value), where=where)
    except ConfigError as error:
        return str(error)
    return None


def _nest(path: tuple[str, ...], value: Any) -> dict[str, Any]:
    for key in reversed(path):
        value = {key: value}
    return value  # type: ignore[no-any-return]


def _look_up(settings: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    value: Any = settings
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def _merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        both = isinstance(old, Mapping) and isinstance(value, Mapping)
        merged[key] = _merge(old, value) if both else value  # type: ignore[arg-type]
    return merged
