"""Problems in HumanEval's format of every kind that tests may ask for, with right and wrong answers.

Each is a prompt, its own solution, a solution that is wrong, a test of ``f``, and where the test
must run: apart from the program, or beside it in one process where values cannot cross.
"""

from typing import NamedTuple

APART, BESIDE = "split", "in-process"


class Kind(NamedTuple):
    """One problem."""

    prompt: str
    right: str
    wrong: str
    test: str  # the body of check(candidate)
    mode: str


DEF = "def f({}):\n"


def simple(arguments, right, wrong, test, mode=APART, head=""):
    """Returns a problem whose solutions are one expression each."""
    prompt = head + DEF.format(arguments)
    return Kind(prompt, f"    return {right}\n", f"    return {wrong}\n", test, mode)


STACK = "class f:\n    def __init__(self):\n        self.items = []\n"
POINT = "from dataclasses import dataclass\n@dataclass\nclass Point:\n    x: int\n    y: int\n\n"
COLOUR = "import enum\nclass Colour(enum.Enum):\n    RED = 1\n    BLUE = 2\n\n"
TUPLE = "from collections import namedtuple\nPair = namedtuple('Pair', 'a b')\n"

CLASSES = {
    "a class": Kind(
        STACK,
        "    def push(self, x):\n        self.items.append(x)\n    def pop(self):\n"
        "        return self.items.pop()\n",
        "    def push(self, x):\n        self.items.append(x)\n    def pop(self):\n"
        "        return self.items.pop(0)\n",
        "s = candidate()\ns.push(3)\ns.push(4)\nassert s.pop() == 4\nassert s.pop() == 3",
        BESIDE,
    ),
    "inheritance": Kind(
        "class Shape:\n    def area(self):\n        return 0\n\nclass f(Shape):\n"
        "    def __init__(self, side):\n        self.side = side\n",
        "    def area(self):\n        return self.side ** 2\n",
        "    pass\n",
        "assert candidate(3).area() == 9\nassert isinstance(candidate(1), candidate.__mro__[1])",
        BESIDE,
    ),
    "operators": Kind(
        "class f:\n    def __init__(self, x):\n        self.x = x\n"
        "    def __eq__(self, other):\n        return self.x == other.x\n",
        "    def __add__(self, other):\n        return f(self.x + other.x)\n",
        "    def __add__(self, other):\n        return f(self.x - other.x)\n",
        "assert candidate(1) + candidate(2) == candidate(3)",
        BESIDE,
    ),
    "a property": Kind(
        "class f:\n    def __init__(self, c):\n        self.c = c\n    @property\n",
        "    def kelvin(self):\n        return self.c + 273\n",
        "    def kelvin(self):\n        return self.c - 273\n",
        "t = candidate(10)\nassert t.kelvin == 283\nt.c = 0\nassert t.kelvin == 273",
        BESIDE,
    ),
    "a dataclass": simple(
        "p",
        "Point(p.x + 3, p.y)",
        "p",
        "assert candidate(Point(1, 2)) == Point(4, 2)",
        BESIDE,
        POINT,
    ),
    "an enum": simple(
        "c",
        "Colour.BLUE if c is Colour.RED else Colour.RED",
        "c",
        "assert candidate(Colour.RED) is Colour.BLUE",
        BESIDE,
        COLOUR,
    ),
    "a named tuple": simple(
        "a", "Pair(a, a + 1)", "Pair(a + 1, a)", "p = candidate(1)\nassert p.b == 2", BESIDE, TUPLE
    ),
    "a named tuple as a tuple": simple(
        "a", "Pair(a, a + 1)", "Pair(a, a)", "assert candidate(1) == (1, 2)", APART, TUPLE
    ),
    "a context manager": Kind(
        "import contextlib\n@contextlib.contextmanager\ndef f(log):\n",
        "    log.append('in')\n    yield len(log)\n    log.append('out')\n",
        "    log.append('in')\n    yield len(log)\n",
        "log = []\nwith candidate(log) as n:\n    assert n == 1\nassert log == ['in', 'out']",
        BESIDE,
    ),
    "a type": simple("x", "type(x)", "str", "assert candidate(1) is int", BESIDE),
    "text of a class of its own": simple(
        "x",
        "Shout(x)",
        "x",
        "s = candidate('a')\nassert s == 'a'\nassert s.loud() == 'A!'",
        BESIDE,
        "class Shout(str):\n    def loud(self):\n        return self.upper() + '!'\n\n",
    ),
}

FUNCTIONS = {
    "a function returned": simple(
        "n", "lambda x: x + n", "lambda x: x - n", "assert candidate(2)(3) == 5", BESIDE
    ),
    "a function passed": simple(
        "g, x", "g(g(x))", "g(x)", "assert candidate(lambda v: v + 3, 1) == 7", BESIDE
    ),
    "a builtin passed": simple(
        "g, xs", "[g(x) for x in xs]", "xs", "assert candidate(len, ['a', 'bc']) == [1, 2]", BESIDE
    ),
    "an object passed that is refused": Kind(
        DEF.format("xs"),
        "    if not all(isinstance(x, int) for x in xs):\n        raise TypeError\n    return sum(xs)\n",
        "    return sum(x for x in xs if isinstance(x, int))\n",
        "assert candidate([1, 2]) == 3\ntry:\n    candidate([object()])\nexcept Exception:\n"
        "    pass\nelse:\n    assert False",
        BESIDE,
    ),
    "a large text passed that is refused": Kind(
        DEF.format("s"),
        "    if len(s) > 1000:\n        raise ValueError\n    return len(s)\n",
        "    return min(1000, len(s))\n",
        "assert candidate('ab') == 2\ntry:\n    candidate('x' * (33 << 20))\nexcept Exception:\n"
        "    pass\nelse:\n    assert False",
        BESIDE,
    ),
    "a decorator": Kind(
        DEF.format("g"),
        "    def h(*a):\n        return 2 * g(*a)\n    return h\n",
        "    return g\n",
        "@candidate\ndef one(x):\n    return x\nassert one(4) == 8",
        BESIDE,
    ),
    "a partial": simple(
        "n",
        "functools.partial(pow, 2, n)",
        "functools.partial(pow, 3, n)",
        "assert candidate(3)() == 8",
        BESIDE,
        "import functools\n",
    ),
    "a closure that counts": Kind(
        "def f():\n",
        "    n = 0\n    def step():\n        nonlocal n\n        n += 1\n        return n\n    return step\n",
        "    return lambda: 1\n",
        "step = candidate()\nassert [step(), step()] == [1, 2]",
        BESIDE,
    ),
    "its name": simple(
        "x", "x", "x + 1", "assert candidate.__name__ == 'f'\nassert candidate(1) == 1"
    ),
    "a recursion": simple(
        "n",
        "1 if n < 2 else n * f(n - 1)",
        "1 if n < 2 else n + f(n - 1)",
        "assert candidate(25) == 15511210043330985984000000",
    ),
    "a coroutine": Kind(
        "import asyncio\nasync def f(x):\n    await asyncio.sleep(0)\n",
        "    return x\n",
        "    return None\n",
        "import asyncio\nassert asyncio.run(candidate(3)) == 3",
        BESIDE,
    ),
    "an asynchronous generator": Kind(
        "async def f(n):\n",
        "    for i in range(n):\n        yield i\n",
        "    for i in range(n):\n        yield 0\n",
        "import asyncio\nasync def collect():\n    return [x async for x in candidate(3)]\n"
        "assert asyncio.run(collect()) == [0, 1, 2]",
        BESIDE,
    ),
}

ITERATORS = {
    "a generator": Kind(
        DEF.format("n"),
        "    for i in range(n):\n        yield i\n",
        "    for i in range(n):\n        yield n\n",
        "g = candidate(3)\nassert next(g) == 0\nassert list(g) == [1, 2]",
        APART,
    ),
    "an endless generator": Kind(
        DEF.format("start"),
        "    while True:\n        yield start\n        start += 2\n",
        "    while True:\n        yield start\n        start += 1\n",
        "import itertools\nassert list(itertools.islice(candidate(4), 3)) == [4, 6, 8]",
        APART,
    ),
    "a generator that is sent to": Kind(
        "def f():\n    total = 0\n    while True:\n",
        "        total += yield total\n",
        "        total = yield total\n",
        "g = candidate()\nnext(g)\nassert g.send(2) == 2\nassert g.send(3) == 5",
        BESIDE,
    ),
    "an iterator": simple(
        "xs", "iter(sorted(xs))", "iter(xs)", "it = candidate([2, 1])\nassert next(it) == 1"
    ),
    "a map": simple("xs", "map(abs, xs)", "map(int, xs)", "assert list(candidate([-1])) == [1]"),
    "a range": simple("n", "range(0, n, 2)", "range(n)", "assert candidate(6) == range(0, 6, 2)"),
    "a chain": simple(
        "xss",
        "itertools.chain(*xss)",
        "iter(xss)",
        "assert list(candidate([[1], [2]])) == [1, 2]",
        APART,
        "import itertools\n",
    ),
    "groups": simple(
        "s",
        "itertools.groupby(s)",
        "itertools.groupby(sorted(s))",
        "assert [(k, list(g)) for k, g in candidate('aba')] == [('a', ['a']), ('b', ['b']),"
        " ('a', ['a'])]",
        APART,
        "import itertools\n",
    ),
    "an iterator of a deque": simple(
        "xs",
        "iter(collections.deque(xs, maxlen=2))",
        "iter(collections.deque(xs))",
        "assert list(candidate([1, 2, 3])) == [2, 3]",
        APART,
        "import collections\n",
    ),
    "an iterator passed": simple(
        "xs", "sum(xs)", "len(list(xs))", "assert candidate(iter([3, 4])) == 7"
    ),
    "a generator passed by name": simple(
        "xs, ys",
        "xs + list(ys)",
        "xs",
        "assert candidate([1], ys=(y for y in (2, 3))) == [1, 2, 3]",
    ),
    "an iterator in a list": simple(
        "its",
        "[next(i) for i in its]",
        "[]",
        "assert candidate([iter('ab'), iter('cd')]) == ['a', 'c']",
    ),
    "an iterator that is used again": simple(
        "it",
        "next(it)",
        "max(it)",
        "i = iter([1, 2])\nassert candidate(i) == 1\nassert next(i) == 2",
        BESIDE,
    ),
    "an iterator of a class of its own": simple(
        "n",
        "Up(n)",
        "Up(n + 1)",
        "assert list(candidate(2)) == [0, 1]",
        BESIDE,
        "class Up:\n    def __init__(self, n):\n        self.n, self.i = n, -1\n"
        "    def __iter__(self):\n        return self\n    def __next__(self):\n        self.i += 1\n"
        "        if self.i >= self.n:\n            raise StopIteration\n        return self.i\n\n",
    ),
    "the values of a dict passed": simple(
        "xs", "sorted(xs)", "list(xs)", "assert candidate({1: 4, 2: 3}.values()) == [3, 4]"
    ),
    "the items of a dict": simple(
        "d", "d.items()", "d.keys()", "assert candidate({1: 2}) == {1: 2}.items()"
    ),
    "the keys of a dict": simple("d", "d.keys()", "[]", "assert list(candidate({1: 2})) == [1]"),
}
