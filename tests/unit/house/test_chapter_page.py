"""The page of the chapter's steps: every command, file and test that it names exists."""

import ast
import re
from pathlib import Path

import pytest

from parrotlet.commands import COMMANDS

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "training/CHAPTER.md"
ROWS = re.findall(r"^\| \d+ .*$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
STEPS = 21
TEST = re.compile(r"(test_\w+\.py)::(test_\w+)")
LAUNCH = "accelerate launch "


def find_script(words):
    """Returns the file that a launcher starts, by its path or as a module."""
    if not words.startswith("-m "):
        return words.split()[0]
    path = words.split()[1].replace(".", "/")
    return f"{path}/__main__.py" if (ROOT / path).is_dir() else f"{path}.py"


def cells(row):
    return [cell.strip() for cell in row.strip("|").split(" | ")]


@pytest.fixture(scope="module")
def tests():
    """The test functions of every file, by its name."""
    found = {}
    for path in (ROOT / "tests").rglob("test_*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        found[path.name] = {n.name for n in tree.body if isinstance(n, ast.FunctionDef)}
    return found


def test_every_step_has_its_row():
    """If it fails, a step of the chapter is forgotten, or two claim to be one."""
    assert [int(cells(row)[0]) for row in ROWS] == list(range(1, STEPS + 1))
    assert all(len(cells(row)) == 4 for row in ROWS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: cells(row)[0])
def test_a_row_names_what_there_is(row, tests):
    """If it fails, a reader types a command that does not exist, or trusts a test that is gone."""
    _, _, here, held_by = cells(row)
    spans = re.findall(r"`([^`]+)`", here)
    commands = [span.split()[1] for span in spans if span.startswith("parrotlet ")]
    launched = [span.removeprefix(LAUNCH) for span in spans if span.startswith(LAUNCH)]
    scripts = [find_script(words) for words in launched]
    files = [*re.findall(r"\]\(([^)]+)\)", here)]
    assert commands or scripts
    assert set(commands) <= COMMANDS.keys()
    assert all((ROOT / script).is_file() for script in scripts)
    assert all((PAGE.parent / file).is_file() for file in files)
    named = TEST.findall(held_by)
    assert named
    assert held_by == ", ".join(f"`{file}::{name}`" for file, name in named)
    for file, name in named:
        assert name in tests.get(file, ()), f"{file}::{name}"
