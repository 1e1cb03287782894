"""Strict reading of plain data (TOML, JSON, dotted overrides) into frozen dataclasses.

Used for training configs, the artifact's manifest and the server's settings, so an unknown key is
refused everywhere with the same message. It deliberately converts nothing but int to float, list to
tuple and str to Path: any other wrong type is an error.
"""

import dataclasses
import difflib
import re
import tomllib
import types
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from training.foundation.errors import ConfigError
from training.foundation.foreign_text import read_bounded, render_json

T = TypeVar("T")
MAX_CONFIG_BYTES = 1 << 20
_MAX_SHOWN_CHARS = 80  # of a wrong value
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_RANGE = "range"  # in a field's metadata


@dataclasses.dataclass(frozen=True)
class Range:
    """The least and the greatest value of a number; both are allowed."""

    least: float
    most: float

    def __contains__(self, value: float) -> bool:
        return self.least <= value <= self.most

    def __str__(self) -> str:
        return f"{_show_number(self.least)} to {_show_number(self.most)}"


def number_field(default: Any = dataclasses.MISSING, *, least: float, most: float) -> Any:
    """Returns the field of a number with its range; None and no default are possible."""
    return dataclasses.field(default=default, metadata=range_metadata(least, most))


def range_metadata(least: float, most: float) -> dict[str, Range]:
    """Returns the metadata of :func:`number_field`, for fields that have other metadata too."""
    return {_RANGE: Range(least, most)}


def find_range(field: "dataclasses.Field[Any]") -> Range | None:
    """Returns the range of a field, or None if it is no number or has none."""
    found: Range | None = field.metadata.get(_RANGE)
    return found


class RangedConfig:
    """A base of config dataclasses: creating one checks the range of every number."""

    def __post_init__(self) -> None:
        check_ranges(self)


def check_ranges(config: Any) -> None:
    """Refuses a dataclass with a number outside its range.

    Raises:
        ValueError: Names the setting, its value and its range.
    """
    for field in dataclasses.fields(config):
        value, allowed = getattr(config, field.name), find_range(field)
        if allowed is None or value is None:
            continue
        for number in value if isinstance(value, tuple) else (value,):
            if number not in allowed:
                raise ValueError(f"{field.name} is {_show_number(number)}, expected {allowed}")


def from_mapping(cls: type[T], values: Mapping[str, Any], *, where: str) -> T:
    """Builds the dataclass ``cls`` from plain data.

    Args:
        cls: A dataclass; nested dataclasses are built from nested mappings.
        values: Keys are field names.
        where: Where the data comes from, for messages: a file name, say.

    Raises:
        ConfigError: Unknown or missing key, or a value of the wrong type.
    """
    hints = typing.get_type_hints(cls)
    fields = {f.name: f for f in dataclasses.fields(cls) if f.init}  # type: ignore[arg-type]
    for key in values:
        if key not in fields:
            raise ConfigError(f"{where}: unknown key '{key}'{_suggest_keys(key, fields)}")
    kwargs = {k: _convert(hints[k], v, where=f"{where}: {k}") for k, v in values.items()}
    for name, field in fields.items():
        has_default = (
            field.default is not dataclasses.MISSING
            or field.default_factory is not dataclasses.MISSING
        )
        if name not in kwargs and not has_default:
            raise ConfigError(f"{where}: the key '{name}' is missing; add it")
    try:
        return cls(**kwargs)
    except ValueError as error:
        raise ConfigError(f"{where}: {error}") from error


def to_mapping(value: Any) -> Any:
    """Returns ``value`` as plain data for JSON: the inverse of :func:`from_mapping`."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_mapping(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(k): to_mapping(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_mapping(v) for v in value]
    return str(value) if isinstance(value, Path) else value


def render_toml(value: Any) -> str:
    """Returns a config as TOML that :func:`load_toml` reads back; what is None is left out."""
    lines: list[str] = []
    _render_table(to_mapping(value), "", lines)
    return "\n".join(lines).lstrip("\n") + "\n"


def _render_table(table: Mapping[str, Any], name: str, lines: list[str]) -> None:
    values = {key: v for key, v in table.items() if v is not None and not _is_table(v)}
    if name and values:
        lines.append(f"\n[{name}]")
    lines += [f"{_render_key(key)} = {_render_value(value)}" for key, value in values.items()]
    for key, value in table.items():
        inside = f"{name}.{_render_key(key)}" if name else _render_key(key)
        if isinstance(value, Mapping):
            _render_table(value, inside, lines)
        elif _is_table(value):
            for item in value:
                lines.append(f"\n[[{inside}]]")
                set_here = {k: v for k, v in item.items() if v is not None}
                lines += [f"{_render_key(k)} = {_render_value(v)}" for k, v in set_here.items()]


def _render_key(key: str) -> str:
    return key if _BARE_KEY.fullmatch(key) else _render_value(key)


def _render_value(value: Any) -> str:
    """Writes JSON, which is TOML for strings, numbers, booleans and lists, except for one sign."""
    return render_json(value).replace("\x7f", "\\u007f")


def _is_table(value: Any) -> bool:
    """Says whether a value is a table, or a list of tables."""
    is_list = isinstance(value, list) and bool(value)
    return isinstance(value, Mapping) or (is_list and all(isinstance(v, Mapping) for v in value))


def load_toml(cls: type[T], path: Path, overrides: Sequence[str] = ()) -> T:
    """Reads a TOML file into ``cls``, then applies ``key.sub=value`` overrides (TOML values).

    A top-level ``extends = "other.toml"`` names a file in the same folder to use as the base.

    Raises:
        ConfigError: The file cannot be read, or :func:`from_mapping` refuses it.
    """
    values = _read_toml(path)
    apply_overrides(values, overrides)
    return from_mapping(cls, values, where=str(path))


def apply_overrides(values: dict[str, Any], overrides: Sequence[str]) -> None:
    """Sets each ``key.sub=value`` in nested plain data.

    Raises:
        ConfigError: One of them is malformed.
    """
    for override in overrides:
        _override(values, override)


def _read_toml(path: Path, depth: int = 0) -> dict[str, Any]:
    try:
        values = tomllib.loads(read_bounded(path, MAX_CONFIG_BYTES).decode().removeprefix("\ufeff"))
    except RecursionError as error:
        raise ConfigError(f"cannot read the config {path}: it is nested too deeply") from error
    except (OSError, ValueError) as error:  # also: not UTF-8, not TOML, a number of 5000 digits
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(f"cannot read the config {path}: {reason}; correct it") from error
    base = values.pop("extends", None)
    if base is None:
        return values
    max_depth = 8
    if depth >= max_depth:
        raise ConfigError(f"{path}: 'extends' forms a cycle; remove one of the links")
    return _merge(_read_toml(path.parent / str(base), depth + 1), values)


def _merge(base: dict[str, Any], top: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in top.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _merge(merged[key], value) if both else value
    return merged


def _override(values: dict[str, Any], override: str) -> None:
    key, equals, raw = override.partition("=")
    if not equals or not key:
        raise ConfigError(f"'{override}' is not of the form key=value")
    try:
        value = tomllib.loads(f"v = {raw}")["v"]
    except (ValueError, RecursionError):
        value = raw  # a bare word is a string
    *parents, last = key.split(".")
    table = values
    for parent in parents:
        table = table.setdefault(parent, {})
        if not isinstance(table, dict):
            raise ConfigError(f"'{override}': '{parent}' is not a table")
    table[last] = value


def _convert(hint: Any, value: Any, *, where: str) -> Any:
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin in {typing.Union, types.UnionType}:
        if value is None and type(None) in args:
            return None
        inner = [a for a in args if a is not type(None)]
        return _convert(inner[0], value, where=where) if len(inner) == 1 else value
    if origin is typing.Literal:
        if value not in args:
            raise ConfigError(f"{where} is {value!r}, expected one of {', '.join(map(repr, args))}")
        return value
    if dataclasses.is_dataclass(hint):
        if not isinstance(value, Mapping):
            raise ConfigError(f"{where} is {_describe(value)}, expected a table")
        return from_mapping(typing.cast("type[Any]", hint), value, where=where)
    if origin in {tuple, list} and isinstance(value, (list, tuple)):
        items = [_convert(args[0], v, where=f"{where}[{i}]") for i, v in enumerate(value)]
        return tuple(items) if origin is tuple else items
    if origin in {dict, Mapping} and isinstance(value, Mapping):
        return {str(k): _convert(args[1], v, where=f"{where}.{k}") for k, v in value.items()}
    return _scalar(hint, value, where=where)


def _scalar(hint: Any, value: Any, *, where: str) -> Any:
    if hint is Any:
        return value
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:
            raise ConfigError(f"{where} is {_describe(value)}, which is too large") from None
    if hint is Path and isinstance(value, str):
        if "\0" in value:
            raise ConfigError(f"{where} is {value!r}, expected a path without null characters")
        return Path(value)
    accepted = isinstance(value, hint) if isinstance(hint, type) else False
    if not accepted or (isinstance(value, bool) and hint is not bool):
        expected = getattr(hint, "__name__", str(hint))
        raise ConfigError(f"{where} is {_describe(value)}, expected {expected}")
    return value


def _describe(value: Any) -> str:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    shown = _show_number(value) if is_number else repr(value)
    if len(shown) > _MAX_SHOWN_CHARS:
        shown = f"{shown[:_MAX_SHOWN_CHARS]}..."
    return f"{shown} ({type(value).__name__})"


def _show_number(value: float) -> str:
    """Returns a number as it would be written in a config; of a very long one, its length."""
    if isinstance(value, int):  # Python prints no integer of 5000 digits
        is_short = value.bit_length() <= _MAX_SHOWN_CHARS
        return str(value) if is_short else f"a number of {value.bit_length()} bits"
    return f"{value:.15g}"


def _suggest_keys(key: str, known: Mapping[str, Any]) -> str:
    close = difflib.get_close_matches(key, known, n=2, cutoff=0.5)
    if close:
        return f"; did you mean {' or '.join(repr(c) for c in close)}?"
    return f"; known keys are {', '.join(sorted(known))}"
