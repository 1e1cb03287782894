"""Which files ``.gitignore`` excludes: as git says, and in time linear in pattern and path."""

import random
import time
from pathlib import Path

import pytest
from doubles.repository_maker import git

from training.corpus.readers.folders import walk_python_files
from training.corpus.readers.git_repository.ignore_rules import IgnoreRules, parse_rules
from training.foundation.errors import CorpusError

PIECES = [
    *("*", "**", "?", "a", "b", "ab", "/", "/", "[ab]", "[!a]", "[^b]", "[a-c]", "[c-a]", "[]a]"),
    *(
        "[[:alpha:]]",
        "[[:digit:]]",
        "\\*",
        "\\",
        "!",
        "#",
        " ",
        "\\ ",
        ".py",
        "**/",
        "/**",
        "[",
        "]",
    ),
    *("-", "[a-]", "é", "\r", "[\\]]", "****"),
]
NAMES = ["a", "b", "ab", "abc", "a.py", "*", " a", "a ", "[", "]", "é", "1", "-", "c", "#", "!a"]


def is_ignored(rules, root, path, *, is_folder):
    folders = ["/".join(path.split("/")[:n]) for n in range(1, path.count("/") + 1)]
    return any(rules.ignores(root / f, is_folder=True) for f in folders) or rules.ignores(
        root / path, is_folder=is_folder
    )


def test_fuzz_the_verdicts_are_gits(tmp_path):
    """If it fails, what a project leaves out is trained on, or its own code is not."""
    chance = random.Random(0)
    n_ignored = 0
    for number in range(40):
        root = tmp_path / str(number)
        root.mkdir()
        git(root, "init", "-q")
        lines = ["".join(chance.choices(PIECES, k=chance.randint(1, 6))) for _ in range(3)]
        (root / ".gitignore").write_bytes("\n".join(lines).encode())
        drawn = {"/".join(chance.choices(NAMES, k=chance.randint(1, 4))) for _ in range(30)}
        for path in drawn:
            (root / path).mkdir(parents=True, exist_ok=True) if chance.random() < 0.9 else None
        asked = "\0".join(sorted(drawn)).encode()
        said = git(root, "check-ignore", "--no-index", "-vnz", "--stdin", data=asked).split("\0")
        rules = IgnoreRules(root)
        for at in range(0, len(said) - 3, 4):
            rule, path = said[at + 2], said[at + 3]
            wanted = rule != "" and not rule.startswith("!")
            n_ignored += wanted
            is_folder = (root / path).is_dir()
            assert is_ignored(rules, root, path, is_folder=is_folder) == wanted, (lines, path)
    assert n_ignored > 50


def make_repository_with_rules(root):
    for path in ("src/a.py", "src/gen.py", "src/b_tmp.py", "src/keep_tmp.py", "src/own.py"):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text("x = 1\n")
    for path in ("src/scratch.py", "src/in/scratch.py", "src/scratch_of_all.py"):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text("x = 1\n")
    for path in ("src/private/c.py", "src/in/gen.py", "src/in/private/d.py", "src/in/e.py"):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text("x = 1\n")
    git(root, "init", "-q")
    (root / ".gitignore").write_text("/src/gen.py\n*_tmp.py\nprivate/\nown.py\n")
    (root / "src/.gitignore").write_text("!keep_tmp.py\n!own.py\n!scratch_of_all.py\n")
    (root / ".git/info").mkdir(exist_ok=True)
    (root / ".git/info/exclude").write_text("scratch*.py\n")


@pytest.mark.parametrize("named", ["src", "src/in", "link", "relative", "."])
def test_a_folder_inside_a_repository_follows_the_rules_of_the_repository(
    tmp_path, monkeypatch, named
):
    """If it fails, files that git ignores are trained on when a subfolder is named."""
    root = tmp_path / "app"
    root.mkdir()
    make_repository_with_rules(root)
    folder = root / named
    if named == "link":
        folder = tmp_path / "link"
        folder.symlink_to(root / "src")
    elif named == "relative":
        monkeypatch.chdir(root / "src")
        folder = Path("in")
    said = git(folder, "ls-files", "-coz", "--exclude-standard", "--", "*.py").split("\0")[:-1]
    found = [file.relative_to(folder).as_posix() for file in walk_python_files(folder)]
    assert sorted(found) == sorted(said)
    assert said


def test_what_a_clone_excludes_for_itself_is_excluded_in_its_linked_work_trees(tmp_path):
    """If it fails, files that their owner keeps out of git are trained on."""
    root = tmp_path / "app"
    root.mkdir()
    make_repository_with_rules(root)
    git(root, "add", "src/b_tmp.py", "-f")
    git(root, "commit", "-qm", "A first file")
    git(root, "worktree", "add", "-q", "../linked")
    linked = tmp_path / "linked"
    (linked / "scratch.py").write_text("x = 1\n")
    assert [file.name for file in walk_python_files(linked)] == ["b_tmp.py"]
    (linked / ".git").write_text("gitdir: /nowhere\n")
    assert [file.name for file in walk_python_files(linked)] == ["scratch.py", "b_tmp.py"]


@pytest.mark.parametrize("line", ["*", "/data/", "data", "/data/*"])
def test_a_named_folder_that_is_ignored_itself_is_read_by_its_own_rules(tmp_path, line):
    """If it fails, a folder of downloaded code below a repository cannot be trained on."""
    folder = tmp_path / "data/code"
    folder.mkdir(parents=True)
    (tmp_path / ".git").mkdir()
    (tmp_path / ".gitignore").write_text(f"{line}\n")
    for name in ("a.py", "b.py"):
        (folder / name).write_text("x = 1\n")
    (folder / ".gitignore").write_text("b.py\n")
    assert [file.name for file in walk_python_files(folder)] == ["a.py"]


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("*a" * 11 + "b", "a" * 250),
        ("*a" * 3000 + "b", "a" * 250),
        ("[ab]*" * 3000, "a" * 250 + "c"),
        ("**/a/" * 2000 + "b", "a/" * 100 + "c"),
        ("?*" * 3000, "a" * 250),
        ("*" * 60_000 + "b", "a" * 250),
        ("[" * 60_000, "[" * 250),
        ("[a-" * 20_000 + "]", "b"),
    ],
)
def test_many_stars_take_no_time(line, name):
    """If it fails, one line of a stranger's .gitignore keeps a corpus busy for ever."""
    started = time.process_time()
    for rule in parse_rules(line.encode()):
        for _ in range(10):
            assert not rule.matches(name.split("/"), is_folder=False)
    assert time.process_time() - started < 10  # without a bound, hours


def test_a_gitignore_that_cannot_be_used_is_not_passed_over(tmp_path):
    """If it fails, files that a project leaves out on purpose are trained on."""
    (tmp_path / "a.py").write_text("x = 1\n")
    (tmp_path / ".gitignore").write_bytes(b"#" * (1 << 20))
    with pytest.raises(CorpusError, match=r"\.gitignore cannot be used"):
        list(walk_python_files(tmp_path))


def test_bytes_of_any_encoding_leave_the_other_lines_valid(tmp_path):
    for name in ("a.py", "b.py", "\udce9t\udce9.py"):
        (tmp_path / name).write_text("x = 1\n")
    (tmp_path / ".gitignore").write_bytes(b"\xff\xfe*.pyc\nb.py\n\xe9t\xe9.py\n")
    assert [file.name for file in walk_python_files(tmp_path)] == ["a.py"]


def test_a_link_is_no_gitignore(tmp_path):
    (tmp_path / "rules").write_text("*.py\n")
    (tmp_path / "p").mkdir()
    (tmp_path / "p/.gitignore").symlink_to(tmp_path / "rules")
    (tmp_path / "p/a.py").write_text("x = 1\n")
    assert list(walk_python_files(Path(tmp_path / "p"))) == [tmp_path / "p/a.py"]
