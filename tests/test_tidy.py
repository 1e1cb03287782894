"""The house is in order, and each of its rules finds a planted violation."""

from pathlib import Path

import pytest
from house_rules import (
    MAX_FOLDER_FILES,
    PACKAGES,
    RULES,
    decision_faults,
    folder_faults,
    import_faults,
    name_faults,
    repetition_faults,
    room_faults,
    size_faults,
    text_faults,
    tree_faults,
    word_faults,
)

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("rule", RULES)
def test_the_house_is_in_order(rule):
    assert list(rule(ROOT)) == []


@pytest.fixture
def house(tmp_path):
    """A small house in order."""
    for package in PACKAGES:
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").write_text('"""A package."""\n')
    (tmp_path / "tests").mkdir()
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'x'\ndependencies = ['torch>=2']\n")
    tree = "".join(f"{p}/\n  __init__.py  the package\n" for p in PACKAGES)
    (tmp_path / "ARCHITECTURE.md").write_text(f"## The tree\n\n```text\n{tree}```\n")
    assert [fault for rule in RULES for fault in rule(tmp_path)] == []
    return tmp_path


@pytest.mark.parametrize(
    ("rule", "file", "text", "fault"),
    [
        (import_faults, "server/a.py", "import training.prepare", "server.a imports"),
        (import_faults, "server/a.py", "from training import prepare", "server.a imports"),
        (import_faults, "evaluation/a.py", "from server.lsp import x", "evaluation.a imports"),
        (import_faults, "training/a.py", "import subprocess", "training.a imports"),
        (import_faults, "training/step/a.py", "import training.run.b", "training.step.a imports"),
        (import_faults, "server/a.py", "from pygls import x", "server.a imports"),
        (import_faults, "training/a.py", "import pickle", "training.a imports"),
        (size_faults, "server/a.py", "x = 1\n" * 401, "over 400 lines"),
        (size_faults, "server/a.py", "def f():\n" + "    x = 1\n" * 41, "f has 41 lines"),
        (import_faults, "server/engine/a.py", "import server.lsp.b", "server.engine.a imports"),
        (import_faults, "evaluation/runs/a.py", "from evaluation.passk import b", "runs.a imports"),
        (import_faults, "training/corpus/readers/a.py", "import training.corpus.build", "imports"),
        (room_faults, "server/cellar/__init__.py", '"""x"""', "server/cellar has no place"),
        (room_faults, "training/corpus/cellar.py", '"""x"""', "cellar.py has no place"),
        (word_faults, "server/sureness.py", '"""x"""', "has a name that is retired"),
        (word_faults, "server/a.py", "class Court: pass", "the name Court is retired"),
        (word_faults, "server/a.py", "async def _as_begun(): pass", "_as_begun is retired"),
        (word_faults, "server/a.py", "class A:\n def claim(self): pass", "claim is retired"),
        (word_faults, "server/a.py", "def _resolved(): pass", "_resolved is a participle"),
        (word_faults, "server/a.py", "def written(): pass", "written is a participle"),
        (name_faults, "server/utils.py", '"""x"""', "means nothing"),
        (name_faults, "training/torch.py", '"""x"""', "or a library"),
        (name_faults, "server/a.py", "x = 1", "says not what"),
        (text_faults, "server/a.py", "URL = 'https://pypi.org/simple'", "names pypi.org"),
        (text_faults, ".github/ci.yml", "run: curl https://pypi.org", "names pypi.org"),
        (tree_faults, "server/a.py", "", "lacks server/a.py"),
        (decision_faults, "DECISIONS.md", "\n## A\n**Context.** x\n", "has the parts"),
        (decision_faults, "DECISIONS.md", "\n## A\n" + "word " * 151, "has 151 words"),
    ],
)
def test_each_rule_sees_a_violation(house, rule, file, text, fault):
    """If it fails, a rule of this file holds nothing up."""
    (house / file).parent.mkdir(parents=True, exist_ok=True)
    (house / file).write_text(text)
    assert [f for f in rule(house) if fault in f]


@pytest.mark.parametrize(
    ("folder", "ending"),
    [
        ("server/a", "py"),
        ("tests/unit/a", "py"),
        ("editor-client/x", "ts"),
        ("editor-client", "lua"),
    ],
)
def test_a_crowded_folder_is_seen(house, folder, ending):
    (house / folder).mkdir(parents=True, exist_ok=True)
    for number in range(MAX_FOLDER_FILES):
        (house / folder / f"a{number}.{ending}").touch()
    assert list(folder_faults(house)) == []
    (house / folder / f"b.{ending}").touch()
    assert list(folder_faults(house)) == [f"{folder} has 13 files, over 12"]


@pytest.mark.parametrize(
    ("one", "other", "seen"),
    [
        ("server/a/x.py", "training/x.py", True),
        ("tests/unit/test_x.py", "tests/integration/test_x.py", True),
        ("server/x.py", "tests/x.py", False),
        ("server/a/config.py", "training/config.py", False),
    ],
)
def test_a_name_that_is_there_twice_is_seen(house, one, other, seen):
    for name in (one, other):
        (house / name).parent.mkdir(parents=True, exist_ok=True)
        (house / name).touch()
    assert bool(list(repetition_faults(house))) == seen


def test_what_is_no_participle_is_left_alone(house):
    text = "def embed(): pass\nclass A:\n @property\n def written(self): pass\n"
    (house / "server" / "a.py").write_text(text)
    (house / "evaluation/problems/own").mkdir(parents=True)
    (house / "evaluation/problems/own/a.py").write_text("def doubled(): pass\n")
    assert list(word_faults(house)) == []


def test_the_tree_may_not_list_what_is_gone(house):
    (house / "server" / "__init__.py").unlink()
    assert any("is not there" in fault for fault in tree_faults(house))
