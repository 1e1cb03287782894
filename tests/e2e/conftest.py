"""Which of the editors' tests run in one process."""

import re

import pytest

OWN_EDITORS = ("test_vscode_install.py",)  # its tests open editors of their own, which takes long
NVIM_VERSION = re.compile(r"\[(\d+\.\d+)")


@pytest.hookimpl(optionalhook=True)  # pytest-xdist's
def pytest_xdist_make_scheduler(config, log):
    """Runs the tests of one editor in one process, because they share an open editor.

    Group marks (``--dist loadgroup``) would be simpler, but pytest-xdist 3.8 stores them in an
    attribute that pytest 9.2 no longer reads.
    """
    from xdist.scheduler import LoadScopeScheduling

    class ByFolder(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            file, _, test = nodeid.partition("::")
            folder, _, name = file.rpartition("/")
            version = NVIM_VERSION.search(test)
            if folder.endswith("/nvim") and version:  # each version has an editor
                return f"{folder}/{version[1]}"
            return file if name in OWN_EDITORS else folder

    return ByFolder(config, log)
