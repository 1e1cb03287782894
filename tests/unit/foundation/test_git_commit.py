"""Which commit of the project is recorded, whatever kind of checkout it runs from."""

import pytest
from doubles.repository_maker import git, make_repository

from training.foundation.git_commit import read_commit


@pytest.fixture
def checkout(tmp_path):
    """Returns a checkout with one commit."""
    return make_repository(tmp_path / "project", {"module.py": "x = 1\n"})


def head(folder):
    """Returns what git says."""
    return git(folder, "rev-parse", "HEAD")


def test_the_commit_of_a_branch(checkout):
    assert read_commit(checkout) == head(checkout)


def test_the_commit_of_a_packed_branch(checkout):
    git(checkout, "pack-refs", "--all")
    assert read_commit(checkout) == head(checkout)


def test_the_commit_of_a_detached_head(checkout):
    git(checkout, "checkout", "--quiet", "--detach")
    assert read_commit(checkout) == head(checkout)


@pytest.mark.parametrize("options", [["-b", "other"], ["--detach"]])
def test_the_commit_of_a_linked_work_tree(checkout, tmp_path, options):
    linked = tmp_path / "linked"
    git(checkout, "worktree", "add", "--quiet", *options, str(linked))
    git(linked, "commit", "-q", "--allow-empty", "-m", "another")
    assert read_commit(linked) == head(linked) != head(checkout)


def test_a_project_installed_within_a_repository_does_not_have_its_commit(checkout):
    installed = checkout / ".venv" / "site-packages"
    installed.mkdir(parents=True)
    assert read_commit(installed) == "unknown"


@pytest.mark.parametrize(
    "content", [b"gitdir: /nowhere\n", b"gitdir: .\n", b"x" * 5000, b"gitdir: \0\n", b"\xff\xfe"]
)
def test_a_damaged_pointer_is_an_unknown_commit(tmp_path, content):
    (tmp_path / ".git").write_bytes(content)
    assert read_commit(tmp_path) == "unknown"
