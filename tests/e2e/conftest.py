"""What the tests of all editors share: ``scripted``, and which of them run together."""

import pytest


@pytest.hookimpl(optionalhook=True)  # pytest-xdist's
def pytest_xdist_make_scheduler(config, log):
    """Keeps the tests of one editor in one process: they share one that is open.

    Marks of groups (``--dist loadgroup``) would do, but are lost with pytest 9.2: pytest-xdist 3.8
    writes them into an attribute that pytest no longer reads.
    """
    from xdist.scheduler import LoadScopeScheduling

    class ByFolder(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            return nodeid.split("::")[0].rpartition("/")[0]

    return ByFolder(config, log)
