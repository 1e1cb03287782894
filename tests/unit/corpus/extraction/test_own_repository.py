"""What a corpus of one's own repository leaves out, and what its history says."""

import argparse
import random

import pytest
from doubles.repository_maker import MIT, TEXT, git, make_repository

from training.corpus.config import CorpusConfig, SourcesConfig
from training.corpus.extraction.source_list import list_sources
from training.corpus.readers.git_repository.commit_history import (
    find_first_commit,
    list_changes,
)
from training.corpus.readers.git_repository.commit_reader import resolve_commit
from training.corpus.readers.source_contents import open_source
from training.corpus.readers.source_file import PRIVATE
from training.corpus.selection.heldout_split import hold_out
from training.foundation.command_parser import path_glob
from training.foundation.config_schema import from_mapping
from training.foundation.errors import ConfigError


def open_repository(folder, **sources):
    config = CorpusConfig(
        out="out", licences=("MIT",), sources=SourcesConfig(git=(str(folder),), **sources)
    )
    return open_source(list_sources(config)[0], config)


def test_a_new_repository_that_was_never_packed_is_read(tmp_path):
    """If it fails, a repository of over a megabyte is taken for a bomb until git packs it."""
    chance = random.Random(0)
    files = {
        f"m{n}.py": "\n".join(f"v{chance.random()} = {chance.random()}" for _ in range(3000))
        for n in range(15)
    }
    repository = make_repository(tmp_path / "new", {**files, "LICENSE": MIT})
    contents = open_repository(repository)
    assert contents.beyond_limits is None
    assert len(contents.files) == 15


def test_private_files_are_dropped_by_name_and_nothing_of_them_is_kept(tmp_path):
    files = {"a.py": TEXT, "db/secrets.py": TEXT, "own/keys.py": TEXT, "LICENSE": MIT}
    repository = make_repository(tmp_path / "p", files)
    contents = open_repository(repository, private_globs=("own/*",))
    private = {file.path for file in contents.files if file.problem == PRIVATE}
    assert private == {"db/secrets.py", "own/keys.py"}
    assert all(not file.data for file in contents.files if file.problem == PRIVATE)
    assert len([file for file in open_repository(repository).files if file.data]) == 3


def test_a_private_glob_that_cannot_be_read_is_refused():
    """If it fails, a mistyped glob has private files in the corpus."""
    with pytest.raises(ConfigError, match=r"sources: private_globs: the pattern '\.\./x'"):
        from_mapping(CorpusConfig, {"out": "x", "sources": {"private_globs": ["../x"]}}, where="c")
    with pytest.raises(argparse.ArgumentTypeError, match="the pattern '!x'"):
        path_glob("!x")
    assert path_glob("src/**/x") == "src/**/x"


def test_one_folder_of_a_repository_can_be_read(tmp_path):
    files = {"a.py": TEXT, "api/b.py": TEXT, "api2/c.py": TEXT, "LICENSE": MIT}
    contents = open_repository(make_repository(tmp_path / "p", files), git_folder="api")
    assert [file.path for file in contents.files] == ["api/b.py"]


def test_documents_that_are_named_are_held_out():
    """If it fails, a model is measured on what it has learned by heart."""
    config = CorpusConfig(out="x", licences=("MIT",), heldout_files=("b.py",), heldout_share=0.0)
    found = hold_out(config, ["p", "p"], ["1", "2"], [100, 100], [None, "b.py"])
    assert found.is_heldout == [False, True]


@pytest.mark.parametrize("packed", [False, True])
def test_a_history_is_followed_to_its_first_commit(tmp_path, packed):
    repository = make_repository(
        tmp_path / "p",
        {"a.py": "a = 1\n", "x/b.py": "b = 1\n"},
        {"x/b.py": "b = 2\n"},
        {"x/y/c.py": "c = 1\n", "a.py": None},
    )
    if packed:
        git(repository, "gc", "-q")
    head = resolve_commit(repository, "HEAD")
    assert find_first_commit(repository, head) == git(
        repository, "rev-list", "--max-parents=0", head
    )
    assert [change.paths for change in list_changes(repository, head, 10)] == [
        ("x/y/c.py",),
        ("x/b.py",),
    ]
    assert len(list_changes(repository, head, 1)) == 1
    git(tmp_path, "clone", "-q", "--depth", "2", f"file://{repository}", "shallow")
    shallow = tmp_path / "shallow"
    border = git(repository, "rev-parse", "HEAD~1")
    assert find_first_commit(shallow, head) == border
