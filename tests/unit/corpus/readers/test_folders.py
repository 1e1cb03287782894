"""Folders: what cannot be read is said, and no tree is too deep."""

import os
import sys

import pytest

from training.corpus.config import CorpusConfig, SourcesConfig
from training.corpus.readers.corpus_source import CorpusSource
from training.corpus.readers.folders import walk_python_files
from training.corpus.readers.package_metadata import list_metadata_files
from training.corpus.readers.source_contents import open_source

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="limits of Linux")


def open_folder(folder, **sources):
    config = CorpusConfig(out="x", licences=("MIT",), sources=SourcesConfig(**sources))
    return open_source(CorpusSource(name="p", path=folder), config)


def make_deep(folder, name, n_levels):
    """Makes folders in each other with one file innermost; too long a path for one call."""
    handle = os.open(folder, os.O_RDONLY)
    for _ in range(n_levels):
        os.mkdir(name, dir_fd=handle)
        inner = os.open(name, os.O_RDONLY, dir_fd=handle)
        os.close(handle)
        handle = inner
    os.close(os.open("a.py", os.O_WRONLY | os.O_CREAT, dir_fd=handle))
    os.close(handle)


def remove_deep(folder, name):
    """Removes what :func:`make_deep` made, which pytest cannot."""
    handle = os.open(folder, os.O_RDONLY)
    os.rename(name, "old", src_dir_fd=handle, dst_dir_fd=handle)
    while True:
        try:
            os.rename(f"old/{name}", "next", src_dir_fd=handle, dst_dir_fd=handle)
        except FileNotFoundError:
            break
        os.rmdir("old", dir_fd=handle)
        os.rename("next", "old", src_dir_fd=handle, dst_dir_fd=handle)
    os.unlink("old/a.py", dir_fd=handle)
    os.rmdir("old", dir_fd=handle)
    os.close(handle)


@linux_only
def test_a_subfolder_that_cannot_be_read_is_said(tmp_path):
    """If it fails, half a project is missing from the corpus and nobody knows."""
    (tmp_path / "a.py").write_text("x = 1\n")
    make_deep(tmp_path, "d" * 200, 30)  # beyond the longest path: even root cannot list it
    contents = open_folder(tmp_path)
    problems = [file.problem for file in contents.files]
    (warning,) = contents.warnings
    remove_deep(tmp_path, "d" * 200)
    assert problems == [None, "unreadable"]
    assert "1 files or folders cannot be read (" in warning
    assert str(tmp_path) in warning


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="root may read all")
def test_a_subfolder_without_permission_is_said(tmp_path):
    (tmp_path / "closed").mkdir(mode=0)
    assert [file.path for file in open_folder(tmp_path).files] == ["closed/"]


@pytest.mark.parametrize("is_linked", [False, True])
def test_a_repository_within_a_folder_is_left_out_and_said(tmp_path, is_linked):
    """If it fails, a submodule or clone is trained on under another project's licence."""
    for name in ("a.py", "libs/other/b.py", "libs/other/in/c.py", "libs/d.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x = 1\n")
    (tmp_path / ".git").mkdir()
    git = tmp_path / "libs/other/.git"
    git.write_text("gitdir: elsewhere\n") if is_linked else git.mkdir()
    contents = open_folder(tmp_path)
    assert {file.path: file.problem for file in contents.files} == {
        "a.py": None,
        "libs/d.py": None,
        "libs/other/": "repository of its own",
    }
    (warning,) = contents.warnings
    assert "1 subfolders are repositories of their own (libs/other/)" in warning
    assert "sources.git or sources.folders" in warning
    everything = open_folder(tmp_path, nested_repositories=True)
    assert len([file for file in everything.files if file.data]) == 4
    assert not everything.warnings


@linux_only
def test_a_deep_tree_is_read(tmp_path):
    """If it fails, a tree deeper than Python's stack ends the command in a traceback."""
    make_deep(tmp_path, "d", 1050)
    found = list(walk_python_files(tmp_path))
    remove_deep(tmp_path, "d")
    assert len(found) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="no pipes in folders")
def test_only_regular_files_are_read(tmp_path):
    os.mkfifo(tmp_path / "pipe.py")
    (tmp_path / "zero.py").symlink_to("/dev/zero")
    (tmp_path / "folder.py").mkdir()
    (tmp_path / "a.py").write_text("x = 1\n")
    assert [path.name for path in walk_python_files(tmp_path)] == ["a.py"]


@pytest.mark.skipif(sys.platform == "win32", reason="no pipes in folders")
def test_only_regular_files_say_what_a_folder_is(tmp_path):
    """If it fails, hashing a corpus' inputs waits for ever for a pipe called LICENSE."""
    os.mkfifo(tmp_path / "LICENSE")
    (tmp_path / "LICENSES").mkdir()
    (tmp_path / "COPYING").symlink_to("/dev/zero")
    (tmp_path / "PKG-INFO").write_text("Name: p\n")
    assert [path.name for path in list_metadata_files(tmp_path)] == ["PKG-INFO"]


def test_the_order_is_that_of_the_names(tmp_path):
    """If it fails, the corpus depends on the file system."""
    for name in ("b.py", "a/z.py", "a/b/c.py", "c/a.py", "a.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).touch()
    found = [path.relative_to(tmp_path).as_posix() for path in walk_python_files(tmp_path)]
    assert found == ["a.py", "b.py", "a/z.py", "a/b/c.py", "c/a.py"]
