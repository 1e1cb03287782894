"""Neovims: one of each version that lasts, with one server, and ones of a test's own."""

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent / "driver"))

from nvim_editor import VERSIONS, Editor, made_anew, setup
from scripted_model import ScriptedModel


@pytest.fixture(scope="session", params=VERSIONS)
def version(request):
    """Each version of Neovim that the plugin is for."""
    return request.param


@pytest.fixture(scope="session")
def lasting_model():
    """The one model; a test takes ``model``."""
    with ScriptedModel() as model:
        yield model


@pytest.fixture
def model(lasting_model):
    """A model that says what a test tells it."""
    lasting_model.rules, lasting_model.delay_s, lasting_model.prompts = [], 0.0, []
    return lasting_model


@pytest.fixture(scope="session")
def _lasting_editor(version, lasting_model, tmp_path_factory):
    home = tmp_path_factory.mktemp(f"nvim-{version}")
    editor = Editor(version, home, setup(settings=lasting_model.settings))
    yield editor
    editor.close()


@pytest.fixture
def editor(_lasting_editor, model, tmp_path):
    """A Neovim as a user has it, with nothing open, and its server."""
    return made_anew(_lasting_editor, model, tmp_path)


@pytest.fixture
def start_editor(version, tmp_path):
    """Starts a Neovim of the test's own."""
    editors = []

    def start(config="", *, home=None, **options):
        home = home or tmp_path / f"home-{len(editors)}"
        home.mkdir(exist_ok=True)
        editors.append(Editor(version, home, config, **options))
        return editors[-1]

    yield start
    for one in editors:
        one.close()
