"""Values of the standard library and of NumPy that cross between processes as they are.

Each crosses as the name of its type and plain parts, and only an exact type does: an instance of a
subclass becomes one of its plain base, or does not cross. A sender looks only at modules that it
has imported; a reader imports what it needs. What a reader is given may be forged: every part is
bounded or refused.
"""

import importlib
import math
import re
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

MAX_EXPONENT = 5_000
MAX_ARRAY_DIMENSIONS = 32
_NUMPY = "numpy"
_ARRAY = "ndarray"
_DTYPE = re.compile(
    r"[<>|=][biufcSUmM]\d{1,9}(\[\d{0,6}[a-zA-Z]{1,7}\])?"
)  # no objects, no records
_FACTORIES: dict[str, Any] = {kind.__name__: kind for kind in (dict, float, int, list, set, str)}


class _Kind(NamedTuple):
    """How values of one type are taken apart, and put together by the type itself."""

    take_apart: Callable[[Any], tuple[Any, ...]]
    parts: tuple[Any, ...]  # the types of the parts
    put_together: Callable[..., Any]  # called with the type and the parts


def _put(kind: Any, *parts: Any) -> Any:
    return kind(*parts)


def _put_items(kind: Any, items: Any) -> Any:
    return kind(dict(items))


def _put_decimal(kind: Any, text: str) -> Any:
    value = kind(text)
    exponent = value.as_tuple().exponent
    if isinstance(exponent, int) and abs(exponent) > MAX_EXPONENT:
        raise ValueError("exponent out of bounds")
    return value


def _take_moment(value: Any) -> tuple[Any, ...]:
    names = ("year", "month", "day", "hour", "minute", "second", "microsecond")
    parts = [getattr(value, name) for name in names if hasattr(value, name)]
    zone = value.tzinfo
    if zone is not None and type(zone).__name__ != "timezone":
        raise TypeError("a time zone")
    offset = None if zone is None else zone.utcoffset(None)
    return (parts, None if offset is None else [offset.days, offset.seconds], value.fold)


def _put_moment(kind: Any, parts: list[int], offset: list[int] | None, fold: int) -> Any:
    import datetime as dt  # noqa: PLC0415 - few programs use it

    if not all(isinstance(part, int) for part in parts):
        raise TypeError("not a moment")
    zone = offset if offset is None else dt.timezone(dt.timedelta(*offset))
    return kind(*parts, tzinfo=zone, fold=fold)


def _take_defaultdict(value: Any) -> tuple[Any, ...]:
    factory = value.default_factory
    names = [name for name, known in _FACTORIES.items() if known is factory]
    if factory is not None and not names:
        raise TypeError("a default factory")
    return (names[0] if names else None, list(value.items()))


def _put_defaultdict(kind: Any, name: str | None, items: Any) -> Any:
    return kind(None if name is None else _FACTORIES[name], items)


def _put_uuid(kind: Any, number: int) -> Any:
    return kind(int=number)


_ITEMS = _Kind(lambda v: (list(v.items()),), (list,), _put_items)
_MOMENT = _Kind(_take_moment, (list, list | None, int), _put_moment)
_PATH = _Kind(lambda v: (str(v),), (str,), _put)
_KINDS = {
    "array.array": _Kind(lambda v: (v.typecode, v.tolist()), (str, list | str), _put),
    "builtins.bytearray": _Kind(lambda v: (bytes(v),), (bytes,), _put),
    "builtins.range": _Kind(lambda v: (v.start, v.stop, v.step), (int, int, int), _put),
    "collections.Counter": _ITEMS,
    "collections.OrderedDict": _ITEMS,
    "collections.defaultdict": _Kind(_take_defaultdict, (str | None, list), _put_defaultdict),
    "collections.deque": _Kind(lambda v: (list(v), v.maxlen), (list, int | None), _put),
    "datetime.date": _Kind(lambda v: (v.year, v.month, v.day), (int, int, int), _put),
    "datetime.datetime": _MOMENT,
    "datetime.time": _MOMENT,
    "datetime.timedelta": _Kind(
        lambda v: (v.days, v.seconds, v.microseconds), (int, int, int), _put
    ),
    "decimal.Decimal": _Kind(lambda v: (str(v),), (str,), _put_decimal),
    "fractions.Fraction": _Kind(lambda v: (v.numerator, v.denominator), (int, int), _put),
    "pathlib.PosixPath": _PATH,
    "pathlib.PurePosixPath": _PATH,
    "pathlib.PureWindowsPath": _PATH,
    "uuid.UUID": _Kind(lambda v: (v.int,), (int,), _put_uuid),
}
_ARRAY_PARTS = (str, list, bytes)


def take_apart(value: Any) -> tuple[str, tuple[Any, ...]] | None:
    """Returns a value's type, by name, and its parts; None if it is none of these types."""
    kind = type(value)
    module = getattr(kind, "__module__", None)
    name = f"{module}.{getattr(kind, '__qualname__', None)}"
    numpy = sys.modules.get(_NUMPY)
    if numpy is not None and (kind is numpy.ndarray or isinstance(value, numpy.generic)):
        return _take_array_apart(value, is_array=kind is numpy.ndarray)
    if name not in _KINDS or getattr(sys.modules.get(str(module)), kind.__name__, None) is not kind:
        return None
    try:
        return name, _KINDS[name].take_apart(value)
    except TypeError:  # it holds something of another kind
        return None


def put_together(name: str, parts: list[Any]) -> Any:
    """Returns the value of which :func:`take_apart` returned name and parts.

    Raises:
        ValueError: They are malformed, or out of bounds.
    """
    is_array = name in {_NUMPY, _ARRAY}
    if not is_array and name not in _KINDS:
        raise ValueError(f"unknown type {name!r}")
    expected = _ARRAY_PARTS if is_array else _KINDS[name].parts
    if len(parts) != len(expected) or not all(map(isinstance, parts, expected)):
        raise ValueError(f"not the parts of a {name}")
    if is_array:
        return _put_array_together(*parts, is_array=name == _ARRAY)
    module, _, kind = name.rpartition(".")
    return _KINDS[name].put_together(getattr(importlib.import_module(module), kind), *parts)


def _take_array_apart(value: Any, *, is_array: bool) -> tuple[str, tuple[Any, ...]] | None:
    dtype = value.dtype.str
    if not _DTYPE.fullmatch(dtype):
        return None
    return _ARRAY if is_array else _NUMPY, (dtype, list(value.shape), value.tobytes())


def _put_array_together(dtype: str, shape: list[int], data: bytes, *, is_array: bool) -> Any:
    numpy = importlib.import_module(_NUMPY)
    if (
        not _DTYPE.fullmatch(dtype)
        or len(shape) > MAX_ARRAY_DIMENSIONS
        or min(shape, default=0) < 0
    ):
        raise ValueError("no array that may cross")
    n_items = math.prod(shape)
    kind = numpy.dtype(dtype)
    if n_items * kind.itemsize != len(data) or (kind.itemsize == 0 and n_items > 1):
        raise ValueError("not as many items as the array's shape says")
    array = numpy.ndarray(tuple(shape), kind, bytearray(data))
    return array if is_array else array[()]
