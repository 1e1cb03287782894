"""Strict reading of plain data (TOML, JSON, dotted overrides) into frozen dataclasses.

Used for training configs, the artifact's manifest and the server's settings, so an unknown key is
refused everywhere with the same message. It deliberately converts nothing but int to float, list to
tuple and str to Path: any other wrong type is an error.
"""

import dataclasses
import difflib
import tomllib
import types
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from training.foundation.errors import ConfigError

T = TypeVar("T")


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
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(f"cannot read the config {path}: {reason}") from error
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
    except tomllib.TOMLDecodeError:
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
        return float(value)
    if hint is Path and isinstance(value, str):
        return Path(value)
    accepted = isinstance(value, hint) if isinstance(hint, type) else False
    if not accepted or (isinstance(value, bool) and hint is not bool):
        expected = getattr(hint, "__name__", str(hint))
        raise ConfigError(f"{where} is {_describe(value)}, expected {expected}")
    return value


def _describe(value: Any) -> str:
    return f"{value!r} ({type(value).__name__})"


def _suggest_keys(key: str, known: Mapping[str, Any]) -> str:
    close = difflib.get_close_matches(key, known, n=2, cutoff=0.5)
    if close:
        return f"; did you mean {' or '.join(repr(c) for c in close)}?"
    return f"; known keys are {', '.join(sorted(known))}"
