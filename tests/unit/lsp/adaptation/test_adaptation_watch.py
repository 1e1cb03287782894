"""What editors show of an adaptation: the real protocol layer, and a run's files."""

import asyncio
import re

import pytest
from adaptation_editor import Editor
from doubles.adaptation_double import BROUGHT, RUNNING, AdaptationDouble

from server.adaptation.adaptation_state import Outcome, RunState
from server.adaptation.adapted_models import AdaptedModel
from server.worker.status import State

USED = ("base", "adapted")
CHOSEN = (
    "The model adapted to keystone is chosen. It suggests while keystone is the only project open,"
    " unless your settings name another model."
)


@pytest.fixture
def project(tmp_path):
    folder = tmp_path / "keystone"
    folder.mkdir()
    return folder


@pytest.fixture
def adaptation(project, tmp_path):
    return AdaptationDouble(project, tmp_path / "data")


async def test_a_run_is_shown_paused_and_ended_and_its_model_is_switched_to(project, adaptation):
    """If it fails, an adaptation runs unseen, or its result is never used."""
    editor = await Editor().open(project)
    adaptation.write()
    heard = await editor.hear(state="running")
    assert heard["status"] == "Adapting 42%, 9 min left"
    assert heard["title"] == "Training on this repository: 42%, about 9 minutes left."
    assert [one["title"] for one in heard["actions"]] == ["Pause Adaptation", "Cancel Adaptation…"]

    pause, cancel = heard["actions"]
    assert await editor.ask(pause["command"], pause["argument"]) == {}
    assert adaptation.control == "pause"
    assert cancel["question"]["message"] == 'Cancel the adaptation to "keystone"?'
    assert "discarded" in cancel["question"]["detail"]
    assert {one["description"] for one in heard["actions"]} == {"keystone"}
    adaptation.write(state=RunState.PAUSED, reason="paused by you")
    heard = await editor.hear(state="paused")
    assert heard["status"] == "Adapting 42%, paused by you"
    assert heard["actions"][0]["title"] == "Resume Adaptation"
    health = dict((await editor.ask("parrotlet.health"))["report"])
    assert health["Adaptation"] == RUNNING

    artifact = adaptation.finish()
    heard = await editor.notice(BROUGHT)
    assert heard["message"] == f"{BROUGHT} Suggestions come from the adapted model now."
    (report,) = heard["actions"]
    page = await editor.ask(report["command"], report["argument"])
    assert page["page"] == adaptation.state.page
    assert editor.models[-1] == str(artifact)
    health = dict((await editor.ask("parrotlet.health"))["report"])
    assert re.fullmatch(
        rf"to keystone on \d{{4}}-\d\d-\d\d. {re.escape(BROUGHT)}", health["Adapted"]
    )
    editor.session.service.status.set(State.READY)
    status = await editor.wait_for(lambda one: one.get("method") == "parrotlet/status")
    assert status["params"]["model"] == "bundled, adapted to this workspace"
    assert editor.session.errors == []


async def test_a_result_without_gain_is_announced_and_changes_nothing(project, adaptation):
    """If it fails, users are given a model that is no better, or never learn that it is not."""
    editor = await Editor().open(project)
    adaptation.write()
    await editor.hear(state="running")
    adaptation.finish(Outcome.NO_BETTER)
    assert (await editor.notice(BROUGHT))["message"] == BROUGHT
    assert set(editor.models) == {""}


async def test_what_ended_while_no_editor_was_open_is_announced_once(project, adaptation):
    """If it fails, who closes the editor over lunch never learns what the adaptation brought."""
    artifact = adaptation.finish()
    editor = await Editor().open(project)
    assert (await editor.notice(BROUGHT))["actions"]
    assert editor.models == [str(artifact)]
    await editor.wait_for(lambda _: (adaptation.folder / "announced").exists())
    other = await Editor().open(project)
    await asyncio.sleep(0.1)
    answers = await other.session.answers()
    assert [one for one in answers if one.get("method") == "parrotlet/adaptation"] == []
    assert other.models == [str(artifact)]


async def test_an_interrupted_run_that_the_user_had_paused_is_offered(project, adaptation):
    """If it fails, a paused adaptation is forgotten by the first reboot."""
    adaptation.write(state=RunState.PAUSED, pid_started=1.0)
    (adaptation.folder / "control").write_text("pause")
    editor = await Editor().open(project)
    notice = await editor.notice("The adaptation to keystone was interrupted at 42%.")
    assert [one["title"] for one in notice["actions"]] == [
        "Resume Adaptation",
        "Cancel Adaptation…",
    ]
    cancel = notice["actions"][1]
    assert await editor.ask(cancel["command"], cancel["argument"]) == {}
    await editor.hear(state="cancelled")


async def test_a_failure_is_shown_as_one_sentence(project, adaptation):
    """If it fails, an adaptation that cannot work vanishes without a word."""
    editor = await Editor().open(project)
    adaptation.write()
    await editor.hear(state="running")
    reason = "the disk is full; free 200 MiB and adapt again"
    adaptation.write(state=RunState.FAILED, reason=reason)
    notice = await editor.notice(reason)
    assert notice["is_problem"]
    assert notice["message"] == f"{reason}."


async def test_the_menu_asks_before_it_starts_and_lists_what_there_is(project, tmp_path):
    """If it fails, training starts by a slip of the finger, or says something else than it does."""
    editor = await Editor().open(project)
    menu = await editor.ask("parrotlet.adaptation", {"uri": (project / "a.py").as_uri()})
    (adapt,) = menu["actions"]
    assert adapt["question"]["message"] == 'Adapt the model to "keystone"?'
    detail = adapt["question"]["detail"]
    assert "about 20 minutes, at low priority. Nothing leaves this machine." in detail
    AdaptationDouble(project, tmp_path / "data").finish()
    menu = await editor.ask("parrotlet.adaptation")
    assert [one["title"] for one in menu["actions"]] == [
        "Adapt Again…",
        "Use Base Model",
        "Show Adaptation Report",
        "Remove Adapted Model…",
    ]
    assert "is trained further" in menu["actions"][0]["question"]["detail"]


async def test_models_are_listed_switched_and_removed(project, tmp_path):
    """If it fails, users cannot get rid of what was made of their code."""
    editor = await Editor().open(project)
    empty = await editor.ask("parrotlet.adaptedModels")
    assert empty["actions"] == []
    assert empty["message"].startswith("There are no adapted models yet.")
    artifact = AdaptationDouble(project, tmp_path / "data").finish()
    (entry,) = (await editor.ask("parrotlet.adaptedModels"))["actions"]
    assert (entry["title"], entry["detail"]) == ("keystone", BROUGHT)
    menu = await editor.ask(entry["command"], entry["argument"])
    base, _report, remove = menu["actions"]
    await editor.wait_for(lambda _: editor.models[-1] == str(artifact))
    answer = await editor.ask(base["command"], base["argument"])
    assert answer["message"] == "Suggestions in keystone come from the base model now."
    await editor.wait_for(lambda _: editor.models[-1] == "")
    assert "MiB) are deleted" in remove["question"]["detail"]
    answer = await editor.ask(remove["command"], remove["argument"])
    assert answer["message"] == "Removed the model adapted to keystone."
    assert not artifact.exists()


async def test_with_another_project_open_the_base_model_suggests_and_that_is_said(
    project, adaptation, tmp_path
):
    """If it fails, passages of one project are suggested in another, or nobody learns why the
    adapted model is not in use."""
    artifact = adaptation.finish()
    editor = await Editor().open(project)
    await editor.notice("Suggestions come from the adapted model now.")
    other = tmp_path / "arch"
    other.mkdir()
    folder = {"uri": other.as_uri(), "name": "arch"}
    method = "workspace/didChangeWorkspaceFolders"
    await editor.send(method=method, params={"event": {"added": [folder], "removed": []}})
    await editor.wait_for(lambda _: editor.models == [str(artifact), ""])
    await editor.wait_for(lambda _: editor.session.server.adaptation_watch.runs.withheld)
    health = await editor.ask("parrotlet.health")
    assert health["adapted"].startswith("to keystone, but not in use while several projects are")
    editor.session.service.status.set(State.READY)
    status = await editor.wait_for(lambda one: one.get("method") == "parrotlet/status")
    assert status["params"]["model"] == "bundled, not adapted while several projects are open"
    arguments = {name: {"name": adaptation.model.name, "model": name} for name in USED}
    answers = [await editor.ask("parrotlet.useModel", arguments[name]) for name in USED]
    assert [answer["message"] for answer in answers] == [
        "Suggestions in keystone come from the base model now.",
        CHOSEN,
    ]
    await editor.send(method=method, params={"event": {"added": [], "removed": [folder]}})
    await editor.wait_for(lambda _: editor.models[-1] == str(artifact))
    answer = await editor.ask("parrotlet.useModel", arguments["adapted"])
    assert answer["message"] == "Suggestions in keystone come from the adapted model now."


@pytest.mark.parametrize(
    ("section", "setting"),
    [
        ({"adaptation": {"use_model": False}}, "the setting adaptation.use_model."),
        ({"remote": {"url": "http://gpu:8000"}}, "(remote.url)."),
    ],
)
async def test_a_choice_names_the_setting_against_it(project, adaptation, section, setting):
    """If it fails, users choose the adapted model again and again, and it never suggests."""
    adaptation.finish()
    editor = await Editor().open(project)
    settings = {"settings": {"parrotlet": section}}
    await editor.send(method="workspace/didChangeConfiguration", params=settings)
    argument = {"name": adaptation.model.name, "model": "adapted"}
    assert (await editor.ask("parrotlet.useModel", argument))["message"].endswith(setting)


async def test_the_status_says_whether_a_model_would_suggest_alone(project, adaptation, tmp_path):
    """If it fails, the status explains what is not so, or leaves out why no model is adapted."""
    adaptation.finish()
    model = AdaptedModel.read(adaptation.folder).update(served="base")
    other = tmp_path / "arch"
    other.mkdir()
    editor = await Editor().open(project)
    event = {"added": [{"uri": other.as_uri(), "name": "arch"}], "removed": []}
    await editor.send(method="workspace/didChangeWorkspaceFolders", params={"event": event})

    async def wait_for_status(wanted):
        def is_wanted(one):
            return one.get("method") == "parrotlet/status" and one["params"]["model"] == wanted

        del editor.messages[:]
        await editor.wait_for(is_wanted)

    for _ in range(2):
        model.update(served="adapted")
        await wait_for_status("bundled, not adapted while several projects are open")
        model.update(served="base")
        await wait_for_status("bundled")


async def test_an_end_says_that_the_model_waits_for_other_projects_to_be_closed(
    project, adaptation, tmp_path
):
    """If it fails, users look in vain for what twenty minutes have brought."""
    other = tmp_path / "arch"
    other.mkdir()
    editor = await Editor().open(project)
    folder = {"uri": other.as_uri(), "name": "arch"}
    event = {"added": [folder], "removed": []}
    await editor.send(method="workspace/didChangeWorkspaceFolders", params={"event": event})
    adaptation.write()
    await editor.hear(state="running")
    adaptation.finish()
    notice = await editor.notice(BROUGHT)
    assert notice["message"] == f"{BROUGHT} It suggests while no other project is open."
    assert set(editor.models) == {""}


@pytest.mark.parametrize(
    ("command", "argument", "words"),
    [
        ("adaptation", {"uri": "file:///elsewhere/a.py"}, "open its folder first"),
        ("adapt", {"minutes": 1e9}, "minutes"),
        ("pauseAdaptation", None, "adapt it first"),
        ("adaptationReport", {"name": "../../etc"}, "there is no adapted model"),
        ("useModel", {"name": "x", "model": "another"}, "use adapted or base"),
        ("removeModel", [5], "there is no adapted model"),
    ],
)
async def test_mistakes_are_answered_by_a_sentence(project, command, argument, words):
    """If it fails, an editor shows a traceback, or nothing."""
    editor = await Editor().open(project)
    error = (await editor.ask(f"parrotlet.{command}", argument))["error"]
    assert words in error.replace("There is", "there is")
    assert error.endswith(".")
    assert editor.session.errors == []


async def test_a_remote_server_is_no_model_to_adapt(project):
    """If it fails, users wait twenty minutes for what they do not use."""
    editor = await Editor().open(project)
    section = {"parrotlet": {"remote": {"url": "http://gpu:8000"}}}
    await editor.send(method="workspace/didChangeConfiguration", params={"settings": section})
    assert "remote.url" in (await editor.ask("parrotlet.adaptation"))["error"]


@pytest.mark.parametrize("name", ["home", "link"])
async def test_the_home_folder_is_no_project(tmp_path, monkeypatch, name):
    """If it fails, everything below the user's home folder is read and trained on."""
    (tmp_path / "home").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "home", target_is_directory=True)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    editor = await Editor().open(tmp_path / name)
    assert "is not a project" in (await editor.ask("parrotlet.adaptation"))["error"]


async def test_a_model_that_another_editor_chose_is_used_here_too(project, adaptation):
    """If it fails, two windows of a project suggest from different models."""
    artifact = adaptation.finish()
    editor = await Editor().open(project)
    await editor.notice(BROUGHT)
    AdaptedModel.read(adaptation.folder).update(served="base")
    await editor.wait_for(lambda _: editor.models == [str(artifact), ""])
