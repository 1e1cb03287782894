"""Where nobody knows the home folder, commands that need it say so and others do without it."""

import os
from pathlib import Path

import pytest

from parrotlet.editor_clients import find_nvim_packages
from server.user_folders import find_data_folder
from training.corpus.fetching.pip_config import read_pip_config
from training.foundation.errors import PrerequisiteError


@pytest.mark.skipif(os.name == "nt", reason="Windows knows the folder without HOME")
def test_an_empty_home_is_not_the_root(monkeypatch):
    """If it fails, the plugin or the statistics are written to the root of the file system."""
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.setenv("HOME", "")
    assert find_data_folder() is None
    with pytest.raises(PrerequisiteError, match="set HOME"):
        find_nvim_packages()
    monkeypatch.setenv("XDG_DATA_HOME", "/data")
    assert find_nvim_packages() == Path("/data/nvim/site/pack")
    monkeypatch.delenv("XDG_DATA_HOME")
    monkeypatch.setenv("HOME", "/home/me")
    assert find_nvim_packages() == Path("/home/me/.local/share/nvim/site/pack")


@pytest.mark.skipif(os.name == "nt", reason="Windows knows the folder without HOME")
def test_a_user_without_a_home_is_told_so(monkeypatch):
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.delenv("HOME")
    monkeypatch.setattr("pwd.getpwuid", lambda _: (_ for _ in ()).throw(KeyError("no such user")))
    with pytest.raises(PrerequisiteError, match="set HOME"):
        find_nvim_packages()
    assert find_data_folder() is None
    read_pip_config()
