"""What crosses between a program and its examiner comes out as it went in, or not at all."""

import array
import collections
import datetime as dt
import decimal
import fractions
import itertools
import json
import pathlib
import uuid

import numpy as np
import pytest

from evaluation.judge.inside.channel.plain_values import UnencodableError, decode, encode

VALUES = [
    *(
        None,
        True,
        0,
        2**80,
        -(2**53),
        1.5,
        float("inf"),
        "\ud800",
        b"\xff",
        bytearray(b"a"),
        1j,
        ...,
    ),
    *((1, [2]), {1, 2}, frozenset({1}), {1: [2], (3,): {}}, range(9, 1, -2)),
    *(decimal.Decimal("1.50"), fractions.Fraction(3, 4), uuid.UUID(int=5)),
    *(collections.Counter("aab"), collections.OrderedDict(a=1), collections.deque([1, 2], 3)),
    *(collections.defaultdict(list, {1: [2]}), collections.defaultdict(None, {})),
    *(dt.date(2024, 2, 29), dt.time(1, 2, fold=1), dt.timedelta(-1, 5, 7)),
    *(dt.datetime(2024, 1, 1), dt.datetime(2024, 1, 1, tzinfo=dt.UTC)),  # noqa: DTZ001
    *(pathlib.PurePosixPath("/a/b"), pathlib.PureWindowsPath("C:/a"), array.array("d", [1.0])),
    *(np.bool_("x"), np.int8(-5), np.float32(1.5), np.str_("aé"), np.datetime64("2024-01-01")),
    *(np.array([[1, 2], [3, 4]]), np.array(["a", "bc"]), np.array(3.0), np.zeros((0, 3))),
]


def cross(value):
    return decode(json.loads(json.dumps(encode(value))))


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_values_come_out_as_they_went_in(value):
    """If it fails, a right answer is scored as wrong, or a wrong one as right."""
    result = cross(value)
    assert type(result) is type(value)
    assert np.array_equal(result, value) if isinstance(value, np.ndarray) else result == value
    assert repr(result) == repr(value)


class OwnInt(int):
    def __eq__(self, other):
        return True

    __hash__ = int.__hash__


class OwnArray(np.ndarray):
    pass


class Liar:
    __module__ = "decimal"
    __qualname__ = "Decimal"


def test_nothing_of_a_programs_own_types_crosses():
    """If it fails, a program's own ``__eq__`` decides whether its answer is right."""
    assert type(cross(OwnInt(3))) is int
    assert type(cross(collections.defaultdict(lambda: 0))) is dict
    forbidden = [
        Liar(),
        object(),
        len,
        lambda: 0,
        Liar,
        np.array([None]),
        np.zeros(1).view(OwnArray),
    ]
    forbidden += [np.zeros(1, dtype="i4,i4"), [object()]]
    for value in forbidden:
        with pytest.raises(UnencodableError):
            encode(value)


def test_iterators_stay_iterators():
    result = cross(x * x for x in range(3))
    assert next(result) == 0
    assert list(result) == [1, 4]
    assert list(result) == []
    assert list(cross({1: 2}.items())) == [(1, 2)]


ITERATORS = {
    "a chain": lambda: itertools.chain([1], [2, 3]),
    "a slice": lambda: itertools.islice(itertools.count(1), 3),
    "one of two": lambda: itertools.tee([1, 2, 3])[0],
    "a map": lambda: map(int, "123"),
    "a zip": lambda: zip([1], [2], strict=True),
    "an iterator of bytes": lambda: iter(b"ab"),
    "one with an end": lambda: iter([3, 2, 1].pop, 3),
    "a reversed deque": lambda: reversed(collections.deque([1, 2])),
    "an iterator of an ordered dict": lambda: iter(collections.OrderedDict(a=1)),
    "combinations": lambda: itertools.combinations([1, 2, 3], 2),
}


@pytest.mark.parametrize("name", ITERATORS)
def test_pythons_own_iterators_cross_in_both_directions(name):
    """If it fails, a right answer is scored as wrong because of how it iterates."""
    expected = list(ITERATORS[name]())
    crossed = cross(ITERATORS[name]())
    assert iter(crossed) is crossed
    assert list(cross(crossed)) == expected
    assert next(crossed) == expected[0]
    assert list(cross(crossed)) == expected[1:]  # it is not used up by crossing
    assert list(crossed) == expected[1:]
    assert list(cross(crossed)) == []


def test_groups_cross_as_they_come():
    crossed = cross(itertools.groupby("aab"))
    assert [(key, list(group)) for key, group in crossed] == [("a", ["a", "a"]), ("b", ["b"])]


class Counting:
    """An iterator without end."""

    def __iter__(self):
        return self

    def __next__(self):
        return 1


def test_a_programs_own_iterators_do_not_cross():
    """If it fails, code of a program's own decides what the examiner sees."""
    alike = type("list_iterator", (Counting,), {"__module__": "builtins"})
    namesake = type("chain", (Counting,), {"__module__": "itertools"})
    derived = type("Map", (map,), {})
    for value in (Counting(), alike(), namesake(), derived(int, "1")):
        with pytest.raises(UnencodableError):
            encode(value)


@pytest.mark.parametrize("kind", [dict, collections.OrderedDict])
def test_views_of_a_dict_stay_views(kind):
    value = kind({(1,): [2], "a": [3]})
    assert cross(value.items()) == value.items()
    assert cross(value.keys()) == value.keys()
    assert list(cross(cross(value.values()))) == [[2], [3]]


FORGED = [
    {"o": "dict_items", "v": [1]},
    {"o": "dict_keys", "v": [[]]},
    {"o": [], "v": [1]},
    {"o": "map", "v": 1},
    {"o": 1},
    {"l": ["os.system", ["true"]]},
    {"l": ["builtins.bytearray", [10**12]]},
    {"l": ["fractions.Fraction", ["1e999999999", 1]]},
    {"l": ["decimal.Decimal", ["1e999999999"]]},
    {"l": ["datetime.date", [{"b": "07e8011d"}]]},
    {"l": ["datetime.datetime", [[{"b": "07e8010101010100000a"}], None, 0]]},
    {"l": ["collections.defaultdict", ["eval", []]]},
    {"l": ["collections.deque", [[], -1]]},
    {"l": ["collections.Counter", [[1]]]},
    {"l": ["uuid.UUID", [-1]]},
    {"l": ["array.array", ["Z", []]]},
    {"l": ["ndarray", ["|O", [1], {"b": "00" * 8}]]},
    {"l": ["ndarray", ["<i8", [10**9, 10**9], {"b": ""}]]},
    {"l": ["ndarray", ["|S0", [10**12], {"b": ""}]]},
    {"l": ["ndarray", ["<i8", [-1], {"b": ""}]]},
    {"l": ["ndarray", ["<i8", ["1"], {"b": "00" * 8}]]},
    {"l": ["ndarray", ["<i8"]]},
    {"l": 7},
    {"l": []},
]


@pytest.mark.parametrize("data", FORGED, ids=str)
def test_forged_values_are_refused(data):
    """If it fails, a program crashes its examiner, or exhausts it."""
    with pytest.raises(ValueError):  # noqa: PT011 - whatever the message
        decode(data)
