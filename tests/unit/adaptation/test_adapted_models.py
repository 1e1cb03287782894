"""Whose an adapted model is, and which of several serves."""

import errno
import json
import os
import shutil
import subprocess
import sys

import pytest
from doubles.repository_maker import git, make_repository

from parrotlet.adaptation.models_command import main as models
from server.adaptation.adaptation_state import AdaptationState, RunState, find_start_time
from server.adaptation.adaptations import Adaptation
from server.adaptation.adapted_models import (
    RESULT_FILE,
    AdaptedModel,
    ModelChoice,
    choose_model,
    choose_model_for,
    create_model,
    find_model,
    find_model_for,
    list_models,
    remove_model,
)
from server.lsp.adaptation.workspace_runs import read_runs
from server.settings import AdaptationSettings, RemoteSettings, Settings
from training.foundation.errors import ConfigError


@pytest.fixture(autouse=True)
def data_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    return tmp_path / "data" / "parrotlet"


def adapt(folder, **changes):
    """Makes a finished adapted model of a folder, without a model in it."""
    model = create_model(folder, changes.pop("base", ""))
    (model.folder / "artifacts" / "0001").mkdir(parents=True)
    return model.update(version="0001", **changes)


def first_commit(folder):
    return git(folder, "rev-list", "--max-parents=0", "HEAD")


@pytest.fixture
def repository(tmp_path):
    return make_repository(tmp_path / "project", {"a/b.py": "x = 1\n"}, {"c.py": "y = 2\n"})


@pytest.mark.parametrize("packed", [False, True])
def test_a_model_stays_with_a_repository_that_is_moved_or_cloned(tmp_path, repository, packed):
    """If it fails, whoever moves a folder loses what was learned from it."""
    model = adapt(repository, root_commit=first_commit(repository))
    if packed:
        git(repository, "gc", "-q")
    git(tmp_path, "clone", "-q", str(repository), "cloned")
    git(repository, "worktree", "add", "-q", str(tmp_path / "tree"))
    for name in ("project", "cloned", "tree"):
        assert find_model_for([tmp_path / name], Settings()) == model.artifact
    shutil.move(repository, tmp_path / "moved")
    assert find_model_for([tmp_path / "moved" / "a"], Settings()) == model.artifact
    assert not (tmp_path / "project").exists()


def test_another_repository_at_the_same_path_has_no_model(tmp_path, repository):
    """If it fails, a project gets suggestions in the style of the one that was there before."""
    adapt(repository, root_commit=first_commit(repository))
    shutil.rmtree(repository)
    make_repository(repository, {"other.py": "z = 3\n"})
    assert find_model_for([repository], Settings()) is None


def test_another_repository_at_the_same_path_gets_a_model_of_its_own(tmp_path, repository):
    """If it fails, the first project's model is lost, and the second can be given its code."""
    model = adapt(repository, root_commit=first_commit(repository))
    shutil.move(repository, tmp_path / "moved")
    make_repository(repository, {"other.py": "z = 3\n"})
    other = create_model(repository, "")
    assert (other.name, other.versions) != (model.name, model.versions)
    assert other.versions == []
    other.update(root_commit=first_commit(repository))
    assert create_model(repository, "").name == other.name
    assert find_model_for([tmp_path / "moved"], Settings()) == model.artifact
    assert {found.name for found in list_models()} == {model.name, other.name}


def test_of_several_models_the_nearest_serves(tmp_path, repository):
    root = first_commit(repository)
    whole = adapt(repository, root_commit=root)
    part = adapt(repository / "a", root_commit=root, subfolder="a")
    assert whole.name != part.name
    assert find_model(repository / "a") == part
    assert find_model(repository) == whole


def test_a_folder_without_git_is_known_by_its_path(tmp_path):
    folder = tmp_path / "plain"
    (folder / "inside").mkdir(parents=True)
    model = adapt(folder)
    assert find_model(folder / "inside") == model
    assert find_model(tmp_path) is None


@pytest.mark.parametrize("kind", ["long", "loop", "gone", "forbidden"])
def test_a_folder_that_cannot_be_looked_at_has_no_model(tmp_path, monkeypatch, kind):
    """If it fails, the server starts for ever where one folder of a workspace is a dead mount."""
    good = tmp_path / "good"
    good.mkdir()
    model = adapt(good)
    bad = tmp_path / ("a" * 300 if kind == "long" else "bad")
    if kind == "loop":
        bad.symlink_to(bad)
    number = {"gone": errno.ENOTCONN, "forbidden": errno.EACCES}.get(kind)
    stat = os.stat

    def fail_in_bad(path, *arguments, **options):
        if number is not None and str(path).startswith(str(bad)):
            raise OSError(number, os.strerror(number), str(path))
        return stat(path, *arguments, **options)

    monkeypatch.setattr(os, "stat", fail_in_bad)
    assert find_model(bad) is None
    assert find_model_for([bad], Settings()) is None
    assert find_model_for([bad, good], Settings()) == model.artifact
    assert read_runs([bad, good], Settings()).artifact == model.artifact


def test_an_adapted_model_serves_only_in_place_of_the_one_it_was_made_from(tmp_path):
    """If it fails, the choice of another model in the settings has no effect."""
    folder = tmp_path / "plain"
    folder.mkdir()
    model = adapt(folder)
    assert find_model_for([folder], Settings()) == model.artifact
    assert find_model_for([folder], Settings(model="owner/name")) is None
    off = AdaptationSettings(use_model=False)
    assert find_model_for([folder], Settings(adaptation=off)) is None
    remote = RemoteSettings(url="http://gpu:8000")
    assert find_model_for([folder], Settings(remote=remote)) is None
    choose_model(model.name, "base")
    assert find_model_for([folder], Settings()) is None
    choose_model(model.name, "adapted")
    assert find_model_for([folder], Settings()) == model.artifact


def test_a_model_serves_only_where_all_folders_are_its_own(tmp_path, repository):
    """If it fails, passages of one project are suggested in another that is open beside it."""
    model = adapt(repository, root_commit=first_commit(repository))
    other, library = tmp_path / "other", tmp_path / "lib" / "python3.12" / "site-packages" / "p"
    for folder in (other, library):
        folder.mkdir(parents=True)
    alone = ModelChoice(model=model)
    for roots in ([repository], [repository, repository / "a"], [library, repository]):
        assert choose_model_for(roots, Settings()) == alone
    withheld = ModelChoice(withheld=(model,))
    assert choose_model_for([repository, other], Settings()) == withheld
    assert choose_model_for([other, repository], Settings()) == withheld
    assert find_model_for([repository, other], Settings()) is None
    others = adapt(other)
    both = ModelChoice(withheld=(model, others))
    assert choose_model_for([repository, other], Settings()) == both
    choose_model(model.name, "base")
    assert choose_model_for([repository, other], Settings()) == ModelChoice(withheld=(others,))
    choose_model(others.name, "base")
    assert choose_model_for([repository, other], Settings()) == ModelChoice()
    assert choose_model_for([], Settings()) == ModelChoice()


@pytest.mark.parametrize(
    "library",
    [
        "usr/lib/python3.12/json",
        "pyenv/versions/3.13.1/lib/python3.13t/asyncio",
        "pypy/lib/pypy3.11/json",
        "Programs/Python/Python312/Lib",
        "WindowsApps/PythonSoftwareFoundation.Python.3.12_3.12.2800.0_x64__qbz/Lib/json",
        "uv/python/cpython-3.12.3-windows-x86_64-none/Lib/json",
        "nvim/mason/pyright/dist/typeshed-fallback/stdlib",
    ],
)
def test_to_look_into_the_standard_library_changes_no_model(tmp_path, library):
    """If it fails, following one definition turns the adapted model off for the session."""
    project = tmp_path / "project"
    project.mkdir()
    (tmp_path / library).mkdir(parents=True)
    alone = ModelChoice(model=adapt(project))
    assert choose_model_for([project, tmp_path / library], Settings()) == alone


@pytest.mark.parametrize("name", ["cpython/Lib", "python/Lib", "lib", "pythonlib"])
def test_a_project_with_a_librarys_name_is_a_project(tmp_path, name):
    """If it fails, one project's passages are suggested in another that is called so."""
    project = tmp_path / "project"
    project.mkdir()
    (tmp_path / name).mkdir(parents=True)
    withheld = ModelChoice(withheld=(adapt(project),))
    assert choose_model_for([project, tmp_path / name], Settings()) == withheld


def test_a_folder_that_is_gone_is_no_other_project(tmp_path):
    """If it fails, removing a work tree turns the model off while the editor is open."""
    project, gone = tmp_path / "project", tmp_path / "gone"
    project.mkdir()
    alone = ModelChoice(model=adapt(project))
    for roots in ([project, gone], [gone, project]):
        assert choose_model_for(roots, Settings()) == alone
    gone.mkdir()
    assert choose_model_for([project, gone], Settings()).withheld


def test_a_model_that_is_being_made_does_not_serve(tmp_path):
    create_model(tmp_path, "")
    assert find_model_for([tmp_path], Settings()) is None


def test_removing_a_model_removes_all_of_it(tmp_path, data_folder):
    """If it fails, code of a repository stays on the disk after its model was removed."""
    model = adapt(tmp_path)
    (model.folder / "work").mkdir()
    (model.folder / "work" / "documents").write_text("secret")
    remove_model(model.name)
    assert list((data_folder / "models").iterdir()) == []
    with pytest.raises(ConfigError, match="there are: none"):
        remove_model(model.name)


@pytest.mark.parametrize("state", [RunState.FINISHED, RunState.RUNNING])
def test_removing_a_model_ends_only_an_adaptation_that_still_runs(tmp_path, state):
    """If it fails, removing a finished model kills a process, or one goes on training in vain."""
    model = adapt(tmp_path)
    with subprocess.Popen([sys.executable, "-S", "-c", "input()"], stdin=subprocess.PIPE) as child:
        started = find_start_time(child.pid)
        AdaptationState(
            name=model.name, folder="/w", state=state, pid=child.pid, pid_started=started
        ).write(model.folder)
        remove_model(model.name)
        is_left = child.poll() is None
        child.kill()
    assert is_left == (state is RunState.FINISHED)
    assert not model.folder.exists()


def test_models_are_listed_while_an_adaptation_removes_its_files(tmp_path, monkeypatch, capsys):
    """If it fails, `parrotlet models` and the menus end in an error while a model is adapted."""
    model = adapt(tmp_path)
    file = model.folder / ".state.json.x1"
    file.write_bytes(b"x" * 100)
    kept = model.n_bytes - 100
    monkeypatch.setattr(os, "stat", forget(file, os.stat, n_found=1))
    monkeypatch.setattr(os, "lstat", forget(file, os.lstat, n_found=0))
    assert model.n_bytes == kept
    assert models(["list"]) == 0
    assert model.name in capsys.readouterr().out


def forget(file, call, *, n_found):
    """Returns a call that finds a file so many times only."""
    seen = []

    def answer(path, *arguments, **options):
        if str(path) == str(file):
            seen.append(path)
            if len(seen) > n_found:
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
        return call(path, *arguments, **options)

    return answer


def test_a_choice_that_is_made_during_an_adaptation_counts(tmp_path):
    """If it fails, whoever switches to the base model meanwhile gets the adapted one again."""
    running = adapt(tmp_path)
    choose_model(running.name, "base")
    running.update(root_commit="ab" * 20)
    found = AdaptedModel.read(running.folder).record
    assert (found.served, found.root_commit) == ("base", "ab" * 20)


def test_a_full_disk_does_not_turn_an_adapted_model_off(tmp_path, monkeypatch):
    """If it fails, the model is switched twice when an editor starts, and nothing says why."""
    model = adapt(tmp_path)
    AdaptationState(name=model.name, folder=str(tmp_path)).write(model.folder)

    def fail(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "log.txt")

    monkeypatch.setattr(Adaptation, "launch", fail)
    found = read_runs([tmp_path], Settings(), [tmp_path])
    assert found.artifact == model.artifact
    assert "No space left on device" in found.runs[0].error


def test_only_the_user_can_read_the_models(tmp_path, data_folder):
    model = create_model(tmp_path, "")
    for folder in (data_folder / "models", model.folder):
        assert folder.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("text", ["", "[]", '{"path": 3}', '{"path": "/", "format": 9}', "\0"])
def test_a_damaged_record_is_as_if_it_were_not_there(tmp_path, text):
    """If it fails, one damaged file ends all suggestions."""
    model = adapt(tmp_path)
    (model.folder / "workspace.json").write_text(text)
    assert list_models() == []
    assert AdaptedModel.read(model.folder) is None
    assert find_model_for([tmp_path], Settings()) is None


@pytest.mark.parametrize(
    "index", [b"", b"\xfftOc\0\0\0\x02", b"\xfftOc\0\0\0\x02" + b"\xff" * 1024]
)
def test_a_damaged_repository_has_no_model(tmp_path, repository, index):
    adapt(repository, root_commit="ab" * 20)
    pack = repository / ".git" / "objects" / "pack"
    pack.mkdir(exist_ok=True)
    (pack / "pack-1.idx").write_bytes(index)
    assert find_model_for([repository], Settings()) is None


@pytest.mark.parametrize(("share", "said"), [(0.65, True), (1.0, False), (None, False)])
def test_comparing_says_how_much_of_the_change_is_kept(tmp_path, capsys, share, said):
    model = adapt(tmp_path)
    result = {} if share is None else {"trained_share": share}
    (model.folder / RESULT_FILE).write_text(json.dumps(result))
    assert models(["compare", model.name]) == 0
    output = capsys.readouterr().out
    assert ("change of the weights kept" in output) == said
    assert ("65%" in output) == said


def test_to_choose_a_model_needs_no_restart(tmp_path, capsys):
    """If it fails, users restart their editor for what it has done already."""
    model = adapt(tmp_path)
    assert models(["use", model.name, "base"]) == 0
    assert "base; open editors use it within seconds" in capsys.readouterr().out
    assert find_model_for([tmp_path], Settings()) is None


def test_what_the_user_chooses_while_an_adaptation_works_stays(tmp_path):
    """If it fails, an adaptation turns a model on that was turned off meanwhile."""
    working = adapt(tmp_path)
    models(["use", working.name, "base"])
    working.update(root_commit="1" * 40)
    assert AdaptedModel.read(working.folder).record.served == "base"


def test_without_a_place_for_data_there_are_no_models(tmp_path, monkeypatch):
    monkeypatch.delenv("XDG_DATA_HOME")
    monkeypatch.setenv("HOME", "")
    assert list_models() == []
    assert find_model_for([tmp_path], Settings()) is None
