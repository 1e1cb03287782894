"""Fixtures: a shared Neovim of each version with its server, and Neovims of a test's own.

Tests run in each version, unless they start servers or load models and no part of Neovim decides
what they prove: those are marked ``newest_neovim``, with the reason. Tests in the shared Neovims
take a tenth of a second, and call what the plugin uses of the older version.
"""

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent / "driver"))

from nvim_editor import VERSIONS, Editor, make_setup, reset_editor
from scripted_model import ScriptedModel


def pytest_configure(config):
    """Registers the mark."""
    text = "newest_neovim(reason): runs in the newest Neovim only, since no part of Neovim decides"
    config.addinivalue_line("markers", text)


def pytest_collection_modifyitems(items):
    """Leaves out what an older Neovim would only repeat."""
    items[:] = [item for item in items if not is_repetition(item)]


def is_repetition(item):
    mark = item.get_closest_marker("newest_neovim")
    if mark is None:
        return False
    (_reason,) = mark.args
    return item.callspec.params["version"] != VERSIONS[-1]


@pytest.fixture(scope="session", params=VERSIONS)
def version(request):
    """Each supported version of Neovim, the newest last."""
    return request.param


@pytest.fixture(scope="session")
def lasting_model():
    """The model of the shared Neovims; tests use ``model``."""
    with ScriptedModel() as model:
        yield model


@pytest.fixture
def model(lasting_model):
    """The scripted model, without rules."""
    lasting_model.rules, lasting_model.prompts = [], []
    lasting_model.may_respond.set()
    return lasting_model


@pytest.fixture(scope="session")
def _lasting_editor(version, lasting_model, tmp_path_factory):
    home = tmp_path_factory.mktemp(f"nvim-{version}")
    editor = Editor(version, home, make_setup(settings=lasting_model.settings))
    yield editor
    editor.close()


@pytest.fixture
def editor(_lasting_editor, model, tmp_path):
    """The shared Neovim, reset: nothing is open, and all settings are the defaults."""
    return reset_editor(_lasting_editor, model, tmp_path)


@pytest.fixture
def start_editor(version, tmp_path):
    """Starts Neovims that only this test uses."""
    editors = []

    def start(config="", *, home=None, **options):
        home = home or tmp_path / f"home-{len(editors)}"
        home.mkdir(exist_ok=True)
        editors.append(Editor(version, home, config, **options))
        return editors[-1]

    yield start
    for one in editors:
        one.close()
