"""One clone for all tests of a process: what installs into it takes minutes."""

import shutil

import pytest
from stranger import Stranger


@pytest.fixture(scope="session")
def stranger(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stranger")
    yield Stranger(folder)
    shutil.rmtree(folder, ignore_errors=True)
