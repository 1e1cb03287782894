"""Plain values as JSON and back: all that crosses between a program under test and its examiner.

Every value is tagged by its exact type, so that ``1``, ``1.0`` and ``True``, or a list and a tuple,
remain distinct. An instance of a subclass becomes one of its plain base, so that no method of the
program's (``__eq__``, say) reaches the examiner. Decoding bounds everything that a hostile program
could blow up: digits, exponents, depth.
"""

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


class Opaque:
    """Stands for a view of a dict: iterable, and equal to nothing else."""

    def __init__(self, name: str, items: list[Any]) -> None:
        self._name = name
        self._items = items

    def __iter__(self) -> Iterator[Any]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __repr__(self) -> str:
        return f"<{self._name}>"


class OpaqueIterator:
    """Stands for an iterator or generator, whose items were taken when it was returned."""

    def __init__(self, name: str, items: list[Any]) -> None:
        self._name = name
        self._items = iter(items)

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        return next(self._items)

    def __repr__(self) -> str:
        return f"<{self._name}>"


class Foreign:
    """Stands for an object that cannot cross: true, and equal to nothing."""

    def __init__(self, name: str) -> None:
        self._name = name

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        return False

    def __repr__(self) -> str:
        return f"<{self._name} object>"


_ITERATORS = frozenset(
    {
        "dict_itemiterator",
        "dict_keyiterator",
        "dict_valueiterator",
        "enumerate",
        "filter",
        "generator",
        "list_iterator",
        "list_reverseiterator",
        "map",
        "range_iterator",
        "reversed",
        "set_iterator",
        "str_ascii_iterator",
        "str_iterator",
        "tuple_iterator",
        "zip",
    }
)
_ITERABLES = _ITERATORS | {"dict_items", "dict_keys", "dict_values"}
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
    if kind.__name__ in _ITERABLES:
        items = [encode(x, depth + 1) for x, _ in zip(value, range(MAX_ITEMS), strict=False)]
        return {"o": kind.__name__, "v": items}
    raise UnencodableError(kind.__name__)


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
        return _decode_iterable(str(data["o"]), [decode(item, depth + 1) for item in data["v"]])
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


def _decode_iterable(name: str, items: list[Any]) -> Any:
    if name == "dict_keys":
        return dict.fromkeys(items).keys()
    return OpaqueIterator(name, items) if name in _ITERATORS else Opaque(name, items)


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
}
