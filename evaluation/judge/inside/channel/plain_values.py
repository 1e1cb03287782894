"""Plain values as JSON and back: all that crosses between a program under test and its examiner.

Every value is tagged by its exact type, so that ``1``, ``1.0`` and ``True``, or a list and a tuple,
remain distinct. An instance of a subclass becomes one of its plain base, so that no method of the
program's (``__eq__``, say) reaches the examiner. Decoding bounds everything that a hostile program
could blow up: digits, exponents, depth.
"""

import sys
from collections.abc import Iterator
from typing import Any

from evaluation.judge.inside.channel.library_values import put_together, take_apart

MAX_DEPTH = 200
MAX_ITEMS = 100_000  # taken from an iterator
MAX_HEX_DIGITS = 8_000_000
_MAX_EXACT_INT = 2**53  # beyond it some JSON readers round
_PLAIN = frozenset({type(None), bool, str, float})  # JSON represents them as they are


class UnencodableError(Exception):
    """The value does not consist of plain data."""


class OpaqueIterator:
    """Stands for an iterator or generator, whose items were taken when it crossed."""

    def __init__(self, name: str, items: list[Any]) -> None:
        self._name = name
        self._items = items
        self._n_taken = 0

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        if self._n_taken >= len(self._items):
            raise StopIteration
        self._n_taken += 1
        return self._items[self._n_taken - 1]

    def __repr__(self) -> str:
        return f"<{self._name}>"

    def take_apart(self) -> tuple[str, list[Any]]:
        """Returns its name and the items that are left, which it keeps."""
        return self._name, self._items[self._n_taken :]


class Foreign:
    """Stands for an object that cannot cross: true, and equal to nothing."""

    def __init__(self, name: str) -> None:
        self._name = name

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        return False

    def __repr__(self) -> str:
        return f"<{self._name} object>"


_VIEWS: dict[str, Any] = {  # from their items
    "dict_items": lambda items: dict(items).items(),
    "dict_keys": lambda items: dict.fromkeys(items).keys(),
    "dict_values": lambda items: dict(enumerate(items)).values(),
}
_ITERATOR_MODULES = frozenset({"itertools", "_collections"})
_MAX_NAME_CHARS = 100
_HEAP_TYPE = 1 << 9  # in a type's flags: it was made at run time, by a program for example
_BASES: dict[type, Any] = {
    bool: bool,
    int: lambda v: int.__add__(v, 0),
    float: lambda v: float.__add__(v, 0.0),
    str: str.__str__,
    tuple: lambda v: tuple(tuple.__iter__(v)),
    list: lambda v: list(list.__iter__(v)),
    dict: lambda v: dict(dict.items(v)),
    set: lambda v: set(set.__iter__(v)),
    frozenset: lambda v: frozenset(frozenset.__iter__(v)),
    bytes: lambda v: bytes.__add__(v, b""),
}


def encode(value: Any, depth: int = 0) -> Any:
    """Returns a value as JSON data.

    Raises:
        UnencodableError: It holds something other than plain data, or is nested too deeply.
    """
    if depth > MAX_DEPTH:
        raise UnencodableError("a value nested too deeply")
    kind = type(value)
    if kind in _PLAIN:
        return value  # JSON writes floats so that they are read back to the bit
    if kind is int:
        return value if -_MAX_EXACT_INT < value < _MAX_EXACT_INT else {"i": hex(value)}
    if kind is list:
        return _encode_items(value, depth + 1)
    if kind in _ENCODERS:
        return _ENCODERS[kind](value, depth + 1)
    if kind is type(...):
        return {"e": 0}
    taken = take_apart(value)
    if taken is not None:
        return {"l": [taken[0], [encode(part, depth + 1) for part in taken[1]]]}
    for base, plain in _BASES.items():
        if isinstance(value, base):
            return encode(plain(value), depth)
    if kind is OpaqueIterator:
        name, items = value.take_apart()
        return {"o": name, "v": _encode_items(items, depth + 1)}
    if _is_iterable(kind, value):
        items = [encode(x, depth + 1) for _, x in zip(range(MAX_ITEMS), value, strict=False)]
        return {"o": kind.__name__.removeprefix("o"), "v": items}
    raise UnencodableError(kind.__name__)


def _is_iterable(kind: type, value: Any) -> bool:
    """Returns whether a value is a dict's view, or an iterator of a type that is Python's own."""
    module = kind.__module__
    if module == "builtins" and not kind.__flags__ & _HEAP_TYPE:
        is_view = kind.__name__.removeprefix("o") in _VIEWS  # an ordered dict's begin with an o
        return is_view or (hasattr(kind, "__next__") and iter(value) is value)
    if module not in _ITERATOR_MODULES or not hasattr(kind, "__next__"):
        return False
    return getattr(sys.modules.get(module), kind.__name__, None) is kind and iter(value) is value


def _encode_items(value: Any, depth: int) -> list[Any]:
    kinds = set(map(type, value))
    is_small = kinds == {int} and -_MAX_EXACT_INT < min(value) <= max(value) < _MAX_EXACT_INT
    if is_small or kinds <= _PLAIN:
        return list(value)
    return [encode(item, depth) for item in value]


_ENCODERS: dict[type, Any] = {
    complex: lambda v, _: {"c": [v.real.hex(), v.imag.hex()]},
    bytes: lambda v, _: {"b": v.hex()},
    tuple: lambda v, d: {"t": _encode_items(v, d)},
    set: lambda v, d: {"s": _encode_items(v, d)},
    frozenset: lambda v, d: {"z": _encode_items(v, d)},
    dict: lambda v, d: {"d": [[encode(k, d), encode(x, d)] for k, x in v.items()]},
}


def decode(data: Any, depth: int = 0) -> Any:
    """Returns the value that :func:`encode` turned into this JSON data, which may be forged.

    Raises:
        ValueError: It is malformed, or out of bounds.
    """
    if depth > MAX_DEPTH:
        raise ValueError("nested too deeply")
    if data is None or isinstance(data, (bool, str, int, float)):
        return data
    if isinstance(data, list):
        if {dict, list}.isdisjoint(map(type, data)):
            return list(data)
        return [decode(item, depth + 1) for item in data]
    if set(data) == {"o", "v"}:
        data = {"o": [data["o"], data["v"]]}
    if len(data) != 1:
        raise ValueError("not exactly one tag")
    ((tag, content),) = data.items()
    if tag not in _DECODERS:
        raise ValueError(f"unknown tag {tag!r}")
    try:
        return _DECODERS[tag](content, depth + 1)
    except (TypeError, AttributeError, ArithmeticError, LookupError, ImportError) as error:
        raise ValueError(str(error)) from error


def _decode_integer(text: str) -> int:
    if len(text) > MAX_HEX_DIGITS:
        raise ValueError("too many digits")
    return int(text, 16)


def _decode_library_value(content: Any, depth: int) -> Any:
    name, parts = content
    return put_together(str(name), [decode(part, depth) for part in parts])


def _decode_iterable(content: Any, depth: int) -> Any:
    name, data = content
    items = [decode(item, depth) for item in data]
    if name in _VIEWS:
        return _VIEWS[name](items)
    return OpaqueIterator(str(name)[:_MAX_NAME_CHARS], items)


_DECODERS: dict[str, Any] = {
    "i": lambda c, _: _decode_integer(c),
    "c": lambda c, _: complex(float.fromhex(c[0]), float.fromhex(c[1])),
    "b": lambda c, _: bytes.fromhex(c),
    "t": lambda c, d: tuple(decode(item, d) for item in c),
    "s": lambda c, d: {decode(item, d) for item in c},
    "z": lambda c, d: frozenset(decode(item, d) for item in c),
    "d": lambda c, d: {decode(k, d): decode(v, d) for k, v in c},
    "e": lambda _c, _: ...,
    "l": _decode_library_value,
    "o": _decode_iterable,
}
