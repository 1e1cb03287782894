"""Which files of a workspace are indexed, compared with what git itself lists."""

import os
import random
import struct
import subprocess

import pytest

from server.workspace.sources import tracked_files
from server.workspace.sources.tracked_files import list_python_files


def names_of(root):
    return [path.relative_to(root).as_posix() for path in list_python_files(root)]


def write(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x = 1\n")


def git(root, *arguments):
    home = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    command = ["git", "-C", str(root), "-c", "user.name=a", "-c", "user.email=a@b", *arguments]
    return subprocess.run(
        command, check=True, capture_output=True, env={**os.environ, **home}
    ).stdout


@pytest.mark.parametrize("version", [2, 3, 4])
def test_files_are_those_that_git_lists(tmp_path, version):
    """If it fails, generated and private files are learned from, or the user's own are not."""
    chance = random.Random(version)
    names = [
        "/".join(chance.choice(["a", "bb", "ccc", "pkg", "ü"]) for _ in range(chance.randint(0, 3)))
        + f"/m{i}.py"
        for i in range(120)
    ]
    write(tmp_path, *[name.lstrip("/") for name in names], "notes.txt", "stub.pyi", "vendor/v.py")
    (tmp_path / "link.py").symlink_to("stub.pyi")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    if version == 3:  # only where an entry has extended flags
        write(tmp_path, "later.py")
        git(tmp_path, "add", "-N", "later.py")
    git(tmp_path, "update-index", "--index-version", str(version))
    write(tmp_path, "untracked.py")
    listed = git(tmp_path, "ls-files", "-z", "*.py", "*.pyi").decode().split("\0")[:-1]
    expected = sorted(set(listed) - {"link.py", "vendor/v.py"})
    assert names_of(tmp_path) == sorted(expected, key=lambda name: tmp_path / name)
    assert len(expected) > 90


@pytest.fixture
def repository(tmp_path):
    """Returns a repository that tracks three files and ignores a fourth."""
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init", "-q")
    write(folder, "a.py", "part/b.py", "part/inner/c.py", "part/generated.py")
    (folder / ".gitignore").write_text("generated.py\n")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "a commit")
    return folder


TRACKED = ["a.py", "part/b.py", "part/inner/c.py"]


def test_a_folder_within_a_repository(repository, tmp_path):
    """If it fails, who opens a part of a repository has what git ignores in the memory."""
    assert names_of(repository / "part") == ["b.py", "inner/c.py"]
    (tmp_path / "link").symlink_to(repository / "part")
    assert names_of(tmp_path / "link") == ["b.py", "inner/c.py"]


def test_a_linked_work_tree(repository, tmp_path):
    linked = tmp_path / "linked"
    git(repository, "worktree", "add", "-q", str(linked))
    write(linked, "part/generated.py", "new.py")
    assert names_of(linked) == TRACKED
    assert names_of(linked / "part") == ["b.py", "inner/c.py"]


def test_a_submodule(repository, tmp_path):
    outer = tmp_path / "outer"
    outer.mkdir()
    git(outer, "init", "-q")
    allowed = ("-c", "protocol.file.allow=always")
    git(outer, *allowed, "submodule", "add", "-q", str(repository), "inside")
    write(outer / "inside", "part/generated.py")
    assert names_of(outer / "inside") == TRACKED


def test_a_project_in_a_home_folder_that_git_tracks(repository):
    write(repository, "projects/mine/d.py")
    assert names_of(repository / "projects/mine") == ["d.py"]


@pytest.mark.parametrize("version", [2, 4])
def test_a_repository_with_long_object_names(tmp_path, version):
    git(tmp_path, "init", "-q", "--object-format=sha256")
    write(tmp_path, *TRACKED)
    git(tmp_path, "add", ".")
    git(tmp_path, "update-index", "--index-version", str(version))
    write(tmp_path, "untracked.py")
    assert names_of(tmp_path) == TRACKED


def test_a_split_index_is_as_good_as_none(repository):
    git(repository, "update-index", "--split-index")
    assert "part/generated.py" in names_of(repository)


def test_names_that_a_small_index_makes_large_are_refused(repository):
    """If it fails, 60 MB of an index fill the memory."""
    entry = struct.pack(">40s20sH", struct.pack(">24xL12x", 0o100644), b"", 0)
    first = entry + b"\0" + b"a" * 4096 + b".py\0"
    data = struct.pack(">4sLL", b"DIRC", 4, 2) + first + entry + b"\0b.py\0" + bytes(20)
    (repository / ".git/index").write_bytes(data)
    assert names_of(repository) == [*TRACKED[:2], "part/generated.py", TRACKED[2]]


def test_without_git_hidden_vendored_and_built_folders_are_left_out(tmp_path):
    write(tmp_path, "a.py", "pkg/b.py", "c.txt", ".hidden/d.py", "node_modules/e.py", "build/f.py")
    write(tmp_path, "my_env/lib/g.py")
    (tmp_path / "my_env/pyvenv.cfg").touch()
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "h.py").symlink_to("a.py")
    assert names_of(tmp_path) == ["a.py", "pkg/b.py"]
    assert list_python_files(tmp_path / "nowhere") == []


def test_a_damaged_index_is_as_good_as_none(tmp_path):
    write(tmp_path, "a.py", "b.py")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", "a.py")
    index = tmp_path / ".git/index"
    whole = index.read_bytes()
    assert names_of(tmp_path) == ["a.py"]
    chance = random.Random(0)
    for _ in range(300):
        data = bytearray(whole)
        for _ in range(chance.randint(1, 4)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        index.write_bytes(data[: chance.randint(0, len(data))])
        for name in names_of(tmp_path):  # no exception; a name may be any
            assert name.endswith((".py", ".pyi"))
    index.unlink()
    os.mkfifo(index)
    assert names_of(tmp_path) == ["a.py", "b.py"]


def test_large_workspaces_are_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(tracked_files, "MAX_FILES", 3)
    write(tmp_path, *[f"m{i}.py" for i in range(6)])
    assert len(list_python_files(tmp_path)) == 3
