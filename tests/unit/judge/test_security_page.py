"""SECURITY.md promises nothing that no test holds."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
REFERENCE = re.compile(r"`(test_\w+\.py)::(test_\w+)`")


def list_tests(root):
    """Returns the names of all tests, with the base names of their files."""
    return {
        (path.name, node.name)
        for path in root.rglob("test_*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    }


def list_promises(page):
    """Returns the rows of the tables that name tests: what is promised, and by which it is held."""
    rows = [line.split("|")[1:-1] for line in page.splitlines() if line.startswith("| ")]
    return {row[0].strip(): REFERENCE.findall(row[-1]) for row in rows if row[0][1].isupper()}


@pytest.fixture(scope="module")
def page():
    return (ROOT / "SECURITY.md").read_text(encoding="utf-8")


def test_each_promise_names_tests_that_exist(page):
    """If it fails, a promise is not held by anything any more."""
    tests = list_tests(ROOT / "tests")
    promises = list_promises(page)
    assert len(promises) >= 20
    assert [promise for promise, named in promises.items() if not named] == []
    named = {reference for references in promises.values() for reference in references}
    assert sorted(named - tests) == []
    assert set(REFERENCE.findall(page)) == named


def test_a_promise_without_a_test_is_found():
    table = "| promise | held by |\n|---|---|\n| It holds. | `test_a.py::test_b` |\n| So. | me |\n"
    assert list_promises(table) == {"It holds.": [("test_a.py", "test_b")], "So.": []}


def test_the_page_says_how_to_report_and_what_is_not_promised(page):
    headings = re.findall(r"^## (.+)$", page, re.MULTILINE)
    assert {"Reporting a vulnerability", "Not promised"} <= set(headings)
