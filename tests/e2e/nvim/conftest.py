"""Fixtures: a shared Neovim of each version with its server, and Neovims of a test's own."""

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent / "driver"))

from nvim_editor import VERSIONS, Editor, make_setup, reset_editor
from scripted_model import ScriptedModel


@pytest.fixture(scope="session", params=VERSIONS)
def version(request):
    """Each supported version of Neovim."""
    return request.param


@pytest.fixture(scope="session")
def lasting_model():
    """The model of the shared Neovims; tests use ``model``."""
    with ScriptedModel() as model:
        yield model


@pytest.fixture
def model(lasting_model):
    """The scripted model, without rules."""
    lasting_model.rules, lasting_model.delay_s, lasting_model.prompts = [], 0.0, []
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
