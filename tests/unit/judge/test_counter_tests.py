"""Counter-tests expect something else than the tests that they are made of, and ask the same."""

import numpy as np
import pytest

from evaluation.judge.counter_tests.rewriting import make_counter_tests


def passes(test, candidate):
    namespace = {"f": candidate, "np": np}
    try:
        exec(test, namespace)
        if "check" in namespace:
            namespace["check"](candidate)
    except AssertionError:
        return False
    return True


def square(x):
    return x * x


class EqualToAll:
    def __eq__(self, other):
        return True

    __hash__ = None


TESTS = {
    "a number": "def check(candidate):\n    assert candidate(3) == 9\n",
    "a bare assertion": "assert f(3) == 9 and f(2) == 4\n",
    "a table": "def check(c):\n    for x, y in [(3, 9), (4, 16)]:\n        assert c(x) == y\n",
    "a variable": "def check(c):\n    expected = 9\n    assert c(3) == expected, 'no'\n",
    "text": "def check(c):\n    assert str(c(4)) == '16'\n",
    "text of one letter": "def check(c):\n    assert str(c(1)) == '1'\n",
    "a tolerance": "def check(c):\n    assert abs(c(1.5) - 2.25) < 1e-6\n",
}


@pytest.mark.parametrize("name", TESTS)
def test_a_right_function_fails_them(name):
    """If it fails, forged passes of such problems are not found out."""
    assert passes(TESTS[name], square)
    counter_tests = make_counter_tests(TESTS[name], "f")
    assert TESTS[name] not in counter_tests
    assert [passes(test, square) for test in counter_tests].count(False) >= 2
    assert not passes(counter_tests[0], square) or not passes(counter_tests[1], square)


def test_what_is_equal_to_all_passes_them():
    for name in ("a number", "a table", "a variable"):
        expectations = make_counter_tests(TESTS[name], "f")[0]
        assert passes(expectations, lambda x: EqualToAll())


EVALPLUS = """
def is_floats(x):
    return isinstance(x, float)
def assertion(out, exp, atol):
    exact_match = out == exp
    if atol == 0 and is_floats(exp):
        atol = 1e-6
    if not exact_match and atol != 0:
        assert type(out) == type(exp)
        assert np.allclose(out, exp, rtol=1e-07, atol=atol)
    else:
        assert exact_match
def check(candidate):
    inputs = [[3], [4]]
    results = [9, 16]
    for i, (inp, exp) in enumerate(zip(inputs, results)):
        assertion(candidate(*inp), exp, 0)
"""
TESTCASE = (
    "import unittest\nclass Tests(unittest.TestCase):\n    def runTest(self):\n"
    "        self.assertEqual(f(3), 9)\ndef check(c):\n    Tests().runTest()\n"
)
LONGER = {
    "EvalPlus": EVALPLUS,
    "a test case": TESTCASE,
    "tables side by side": "xs, ys = [3, 4], [9, 16]\n"
    "assert all(f(x) == y for x, y in zip(xs, ys))\n",
    "a table with a name": "def check(c):\n    cases = [(3, 9), (4, 16)]\n"
    "    for x, y in cases:\n        assert c(x) == y\n",
    "one of several": "def check(c):\n    assert c(3) in [8, 9]\n",
    "one of several texts": "def check(c):\n    assert c(3) in ('ab', 'ba', 9)\n",
    "two things": "def check(c):\n    y = c(3)\n    assert y is not None and y == 9\n",
}


@pytest.mark.parametrize("name", LONGER)
def test_what_is_equal_to_all_passes_them_in_longer_tests(name):
    """If it fails, such values pass where a test has several answers, tables or functions."""
    counter_test = make_counter_tests(LONGER[name], "f")[0]
    assert not passes(counter_test, square)
    assert passes(counter_test, lambda x: EqualToAll())


# Tests that have several right answers, each of them a function's.
SEVERAL: dict[str, tuple] = {
    "one of them": ("assert c(6) in (2, 3)", [lambda n: 2, lambda n: 3]),
    "one of many": ("assert c(6) in {1, 2, 3, 6}", [lambda n, m=m: m for m in (1, 2, 3, 6)]),
    "truth or falsehood": ("assert c(6) in (True, False)", [lambda n: True, lambda n: False]),
    "nothing or a number": ("assert c(6) in [None, 0, 1]", [lambda n: None, lambda n: 0]),
    "one of them, by a name": (
        "allowed = (2, 3)\n    assert c(6) in allowed",
        [lambda n: 2, lambda n: 3],
    ),
    "another one": ("assert c(6) != 6", [lambda n: 7, lambda n: 8]),
    "a bound": ("assert c(6) > 6", [lambda n: 7, lambda n: 8, lambda n: 70]),
    "a bound of a part": ("assert c(6) + 2 > 6", [lambda n: 5, lambda n: 6]),
    "two bounds": ("assert 2 < c(6) < 9", [lambda n, m=m: m for m in range(3, 9)]),
    "bounds and another one": ("x = c(6)\n    assert x > 6 and x != 6", [lambda n: 7, lambda n: 9]),
    "alternatives": ("x = c(6)\n    assert x == 2 or x == 3", [lambda n: 2, lambda n: 3]),
    "any": ("x = c(6)\n    assert any(x == y for y in [2, 3])", [lambda n: 2, lambda n: 3]),
    "a remainder": ("assert c(6) % 6 == 0", [lambda n: n, lambda n: 6 * n, lambda n: 35 * n]),
    "a remainder by a name": (
        "k = 6\n    r = c(6) % k\n    assert r == 0",
        [lambda n: n, lambda n: 6 * n, lambda n: 35 * n],
    ),
    "a valid one": (
        "def divides(x, n):\n        return n % x == 0\n    assert divides(c(6), 6)",
        [lambda n: 6, lambda n: 1],
    ),
    "an invalid one": ("x = c(6)\n    assert not x == 6", [lambda n: 7, lambda n: 8]),
    "a wide tolerance": ("assert abs(c(6) - 5.0) < 4", [lambda n: 5, lambda n: 8, lambda n: 2]),
    "a narrow tolerance": ("assert abs(c(6) - 5.0) <= 0.5", [lambda n: 5, lambda n: 5.5]),
    "close": (
        "import math\n    assert math.isclose(c(6), 100, rel_tol=0.1)",
        [lambda n: 100, lambda n: 110, lambda n: 91],
    ),
    "a length": ("x = c(3)\n    assert len(x) == 3", [lambda n: "abc", lambda n: "xyz"]),
    "a flag": ("ok = c(6) in (2, 3)\n    assert ok", [lambda n: 2, lambda n: 3]),
    "a flag of its own": ("assert c(6)", [lambda n: 1, lambda n: [2]]),
    "each in a table": (
        "for n, allowed in [(6, (2, 3)), (4, (2,))]:\n        assert c(n) in allowed",
        [lambda n: 2, lambda n: {6: 3, 4: 2}[n]],
    ),
    "what it is given": (
        "n = 6\n    assert c(n) % n == 0 and c(n) in (6, 12, 18)",
        [lambda n: n, lambda n: 2 * n],
    ),
    "by hand": (
        "x = c(6)\n    if x not in (2, 3):\n        raise AssertionError",
        [lambda n: 2, lambda n: 3],
    ),
}


@pytest.mark.parametrize("name", SEVERAL)
def test_no_right_answer_passes_them(name):
    """If it fails, a right program is called a forger because it differs from the problem's own."""
    body, answers = SEVERAL[name]
    test = f"def check(c):\n    {body}\n"
    assert all(passes(test, answer) for answer in answers)
    for counter_test in make_counter_tests(test, "f"):
        if not passes(counter_test, answers[0]):
            assert not any(passes(counter_test, answer) for answer in answers), counter_test


def test_the_questions_stay_the_same():
    test = "def check(c):\n    assert c(3, [4])(5) == 6, 'seven'\n"
    (expectations, *_) = make_counter_tests(test, "f")
    assert "c(3, [4])(5) == 7, 'seven'" in expectations


def test_what_cannot_be_parsed_or_changed_has_none():
    assert make_counter_tests("def check(:\n", "f") == ()
    assert make_counter_tests("def check(c):\n    c()\n", "f") == ()
    assert make_counter_tests("x = " + "-" * 60_000 + "1", "f") == ()


def test_a_test_nested_too_deeply_to_be_written_out_has_none():
    """If it fails, such a problem ends the whole run in a traceback."""
    assert make_counter_tests("assert f(2) == 0 +" + "-" * 1000 + "4", "f") == ()
