"""Counter-tests expect something else than the tests that they are made of, and ask the same."""

import pytest

from evaluation.judge.counter_tests import make_counter_tests


def passes(test, candidate):
    namespace = {"f": candidate}
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
