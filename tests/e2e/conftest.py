"""What the tests of all editors share: ``scripted``, and which of them run together."""

from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.hookimpl(tryfirst=True)  # before the groups are read
def pytest_collection_modifyitems(items):
    """Keeps the tests of one editor in one process: they share one that is open."""
    for item in items:
        if item.path.parent.parent == HERE:
            item.add_marker(pytest.mark.xdist_group(item.path.parent.name))
