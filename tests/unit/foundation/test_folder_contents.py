"""No command removes what it did not write."""

import os
from pathlib import Path

import pytest

from training.foundation.atomic_files import (
    FolderContents,
    check_replaceable,
    write_directory_atomically,
)
from training.foundation.errors import ConfigError
from training.foundation.parallel.worker_pool import work_folder

OURS = FolderContents(mark="mark.json", files=frozenset({"mark.json", "train/*.parquet"}))


def make(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.mkdir() if name.endswith("/") else path.write_text(name)
    return folder


def snapshot(folder):
    return {p: p.is_dir() or p.read_bytes() for p in sorted(folder.rglob("*"))}


def replace(folder):
    with write_directory_atomically(folder, OURS, key="paths.out") as aside:
        (aside / "mark.json").write_text("new")


@pytest.mark.parametrize(
    ("names", "named"),
    [
        (["letter.txt"], "letter.txt"),
        (["mark.json", "letter.txt"], "letter.txt"),
        (["mark.json", ".git/config"], ".git"),
        (["mark.json", "train/a.parquet", "train/notes.txt"], "train/notes.txt"),
        (["mark.json", "train/deep/a.parquet/b"], "train/deep"),
        (["mark.json", "mark.json.d/"], "mark.json.d"),
        (["train/a.parquet"], "no mark.json"),
        ([".hidden"], ".hidden"),
    ],
)
def test_a_folder_with_anything_else_is_refused_and_left_alone(tmp_path, names, named):
    """If it fails, a mistyped path costs somebody a home folder."""
    folder = make(tmp_path / "out", *names)
    before = snapshot(tmp_path)
    for attempt in (replace, lambda path: check_replaceable(path, OURS, key="paths.out")):
        with pytest.raises(ConfigError, match=r"paths\.out is .* and would be replaced") as caught:
            attempt(folder)
        assert f"({named})" in str(caught.value)
        assert snapshot(tmp_path) == before


def test_no_folder_is_entered_that_is_not_ours(tmp_path, monkeypatch):
    """If it fails, the root of a file system is walked before it is refused."""
    entered = []
    scandir = os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: entered.append(path) or scandir(path))
    folder = make(tmp_path / "out", "home/deep/er/file", "usr/lib/file")
    assert OURS.find_foreign(folder) in {folder / "home", folder / "usr"}
    assert entered == [folder]
    for root in ("/", "/proc", "/sys"):
        with pytest.raises(ConfigError, match="choose a new or empty folder"):
            check_replaceable(Path(root), OURS, key="paths.out")


def test_a_file_in_the_place_of_a_folder_is_refused(tmp_path):
    make(tmp_path, "out")
    with pytest.raises(ConfigError, match="a file"):
        replace(tmp_path / "out")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    replace(tmp_path / "link")
    assert (tmp_path / "nowhere" / "mark.json").read_text() == "new"


@pytest.mark.parametrize("names", [[], ["mark.json"], ["mark.json", "train/a.parquet"]])
def test_what_the_command_wrote_itself_is_replaced(tmp_path, names):
    folder = make(tmp_path / "out", *names)
    folder.mkdir(exist_ok=True)
    replace(folder)
    assert snapshot(tmp_path) == {folder: True, folder / "mark.json": b"new"}


def test_a_link_to_a_folder_stays_a_link(tmp_path):
    """If it fails, a run that was moved to a larger disk silently moves back."""
    real = make(tmp_path / "disk" / "out", "mark.json")
    (tmp_path / "out").symlink_to(real)
    replace(tmp_path / "out")
    assert (tmp_path / "out").is_symlink()
    assert (real / "mark.json").read_text() == "new"


def test_what_appears_while_the_command_works_is_kept(tmp_path):
    folder = make(tmp_path / "out", "mark.json")
    writing = write_directory_atomically(folder, OURS)
    (writing.__enter__() / "mark.json").write_text("new")
    make(folder, "thesis.txt")
    with pytest.raises(ConfigError, match="thesis"):
        writing.__exit__(None, None, None)
    assert snapshot(tmp_path).keys() == {folder, folder / "mark.json", folder / "thesis.txt"}


def test_only_our_own_work_folder_is_reused_or_emptied(tmp_path):
    work = work_folder(tmp_path / "out", "a")
    make(work, "part")
    assert work_folder(tmp_path / "out", "a") == work
    assert (work / "part").is_file()
    assert not (work_folder(tmp_path / "out", "b") / "part").exists()
    for names in (["letter"], ["inputs/letter"]):
        foreign = make(tmp_path / f".{names[0][:3]}.work", *names)
        with pytest.raises(ConfigError, match="something else"):
            work_folder(Path(tmp_path / names[0][:3]), "a")
        assert (foreign / names[0]).read_text() == names[0]
