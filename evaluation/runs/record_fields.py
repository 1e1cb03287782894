"""Checks the values of records in a run's folder, which may be damaged or a stranger's."""

from collections.abc import Mapping
from math import isfinite
from typing import Any, TypeVar, cast

T = TypeVar("T")
_MAX_SHOWN_CHARS = 60


def get_field(record: Mapping[str, Any], key: str, kind: type[T]) -> T:
    """Returns a record's value, if it is of the right type; a whole number is a float, too.

    Raises:
        KeyError: The record has no such key.
        TypeError: The value is of another type, or a number that is not finite.
    """
    value: Any = record[key]
    if kind is float and type(value) is int:
        value = float(value)
    is_right = isinstance(value, kind) and (kind is bool or not isinstance(value, bool))
    if not is_right or (isinstance(value, float) and not isfinite(value)):
        raise TypeError(f"'{key}' is {shorten(repr(value))}, expected {kind.__name__}")
    return cast("T", value)


def get_optional_field(record: Mapping[str, Any], key: str, kind: type[T]) -> T | None:
    """Returns the same, or None if the record has no such key or its value is null.

    Raises:
        TypeError: As for :func:`get_field`.
    """
    return None if record.get(key) is None else get_field(record, key, kind)


def get_texts(record: Mapping[str, Any], key: str) -> tuple[str, ...]:
    """Returns a record's list of texts; empty if it has no such key.

    Raises:
        TypeError: It is something else.
    """
    values = get_optional_field(record, key, list) or []
    if not all(isinstance(value, str) for value in values):
        raise TypeError(f"'{key}' is {shorten(repr(values))}, expected a list of texts")
    return tuple(values)


def get_counts(record: Mapping[str, Any], key: str) -> dict[str, int]:
    """Returns a record's object of whole numbers.

    Raises:
        KeyError: The record has no such key.
        TypeError: It is something else.
    """
    counts = get_field(record, key, dict)
    return {name: get_field(counts, name, int) for name in counts}


def shorten(text: str) -> str:
    """Returns the beginning of a text, for messages."""
    is_long = len(text) > _MAX_SHOWN_CHARS
    return f"{text[:_MAX_SHOWN_CHARS]}..." if is_long else text
