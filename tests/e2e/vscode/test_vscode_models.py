"""Switching and adapting models in VS Code, and the attribution of suggestions."""

import shutil
import sys
from pathlib import Path

import pytest
from code_server import ROOT, wait_until
from doubles.adaptation_double import BROUGHT, AdaptationDouble, read_own_modules, speed_up
from doubles.hub_double import HubDouble
from scripted_model import ScriptedModel
from test_vscode_server import SERVER

from server.adaptation.adaptation_state import RunState
from server.completer import Completer
from server.suggestion.request import CompletionRequest

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(500)]

BUNDLED = ROOT / "server" / "model"
HEAD = '''import os
import sys


def read_lines(path):
    """Return the lines of a file, with their line ends."""
    with open(path, encoding="utf-8") as handle:
        return handle.readlines()


def main(argv):
    """Print every line of the files that are named, and return how many lines there were."""
    count = 0
    for path in argv[1:]:
        for line in read_li'''


@pytest.fixture(scope="module")
def expected():
    """The bundled model's completion of HEAD."""
    request = CompletionRequest(text=HEAD, offset=len(HEAD), is_asked_for=True)
    return Completer.load(BUNDLED).complete(request).suggestion.text


def get_model_settings(window):
    return window.call_api(
        "const found = vscode.workspace.getConfiguration('parrotlet');"
        "return [found.get('model'), found.get('remote.url'), found.get('remote.model')]"
    )


def expect_model_output(window, expected, name):
    """Checks that a request after HEAD brings this suggestion."""
    window.wait_until_ready()
    window.open_file(HEAD + "|", name)
    window.press("Alt+\\")
    window.wait_for_ghost(expected)


def copy_model(folder):
    folder.mkdir()
    for file in BUNDLED.iterdir():
        shutil.copy(file, folder)
    return folder


def test_switching_between_bundled_folder_and_remote_models(window, model, expected, tmp_path):
    """If it fails, a team cannot use the model that it has trained."""
    window.start_command("parrotlet.chooseModel")
    window.pick("Bundled")
    wait_until(
        lambda: get_model_settings(window) == ["", "", ""], lambda: get_model_settings(window)
    )
    window.page.wait_for_timeout(400)
    expect_model_output(window, expected, "bundled.py")

    folder = copy_model(tmp_path / "own model")
    window.start_command("parrotlet.chooseModel")
    window.pick("Folder…")
    window.choose_folder(folder, "Use This Model")
    wait_until(
        lambda: get_model_settings(window)[0] == str(folder), lambda: get_model_settings(window)
    )
    window.page.wait_for_timeout(400)
    expect_model_output(window, expected, "folder.py")
    health = window.call_api("return await vscode.commands.executeCommand('parrotlet.health')")
    assert health["model"] == str(folder)

    with ScriptedModel([(HEAD, "nes_elsewhere(path):")]) as other:
        window.start_command("parrotlet.chooseModel")
        window.pick("Remote server…")
        window.fill_input(other.url, title="Use a Remote Server (1/2)")
        window.fill_input("big-model", title="Use a Remote Server (2/2)")
        wanted = [str(folder), other.url, "big-model"]
        wait_until(lambda: get_model_settings(window) == wanted, lambda: get_model_settings(window))
        window.page.wait_for_timeout(400)
        expect_model_output(window, "nes_elsewhere(path):", "elsewhere.py")

        window.change_setting("parrotlet.remote.tokenizer", "/nowhere/big-model")
        window.start_command("parrotlet.chooseModel")
        window.pick("Remote server…")
        window.fill_input(model.url, title="Use a Remote Server (1/2)")
        window.fill_input("small-model", title="Use a Remote Server (2/2)")
        window.pick("Reset the Tokenizer")
        wanted = [str(folder), model.url, "small-model"]
        wait_until(lambda: get_model_settings(window) == wanted, lambda: get_model_settings(window))
        found = "return vscode.workspace.getConfiguration('parrotlet').get('remote.tokenizer')"
        assert window.call_api(found) == ""


def test_a_hub_model_is_downloaded_with_progress(window, model, expected, tmp_path):
    """If it fails, users wait for a model from the Hub and do not know why."""
    hub = HubDouble()
    try:
        files = {file.name: file.read_bytes() for file in BUNDLED.iterdir()}
        hub.add_model("somebody/parrot", files)
        told = {k: v for k, v in hub.environment(tmp_path / "hub").items() if k.startswith("HF_")}
        environment = [f"{name}={value}" for name, value in told.items()]
        command = ["/usr/bin/env", "-u", "HF_HUB_OFFLINE", *environment, SERVER]
        window.change_server(command)
        window.record_statuses()
        window.start_command("parrotlet.chooseModel")
        window.pick("Hugging Face Hub…")
        window.fill_input("somebody/parrot", title="Use a Model from the Hugging Face Hub")
        wait_until(lambda: get_model_settings(window)[0], "the setting")
        window.page.wait_for_timeout(400)
        expect_model_output(window, expected, "hub.py")
        seen = window.stop_recording_statuses()
        assert any("downloading somebody/parrot" in status for status in seen), seen
        health = window.call_api("return await vscode.commands.executeCommand('parrotlet.health')")
        assert health["model"] == "somebody/parrot"
    finally:
        hub.close()


def test_a_missing_model_is_reported(window, model):
    """If it fails, a wrong path ends suggestions without a word."""
    window.change_setting("parrotlet.remote.url", "")
    window.change_setting("parrotlet.model", "/nowhere/model")
    window.wait_for_notification("/nowhere/model")
    wait_until(lambda: window.status.startswith("Parrotlet has a problem"), lambda: window.status)


def test_the_source_of_accepted_text_is_named_once(window, model):
    """If it fails, somebody's code ends up in a user's file, and nobody says whose it is: at once,
    since who accepts word by word may not accept the last one."""
    model.rules = [("mine = ", "yours + ours")]
    script = str(Path(__file__).parent / "stand_ins" / "attributing_server.py")
    window.change_server([sys.executable, script])
    window.open_file("", "borrowed.py")
    window.type("mine = ")
    window.wait_for_ghost("yours + ours")
    window.press("Control+ArrowRight")
    window.wait_for_notification(
        "Repeats at least 60 tokens of lender/lines.py in lender (BSD-3-Clause)."
    )
    window.wait_for_ghost(" + ours")
    window.press("Tab")
    window.wait_for_text("mine = yours + ours")
    logged = "a suggestion that repeats lender, lender/lines.py"
    wait_until(lambda: logged in window.log, lambda: window.log)
    assert window.log.count(logged) == 1


def use_local_model(window):
    """Uses a model that can be adapted, where nothing was adapted before."""
    shutil.rmtree(window.home / "data" / "parrotlet" / "models", ignore_errors=True)
    window.change_setting("parrotlet.remote.url", "")
    window.wait_until_ready()


def get_adaptation_item(window):
    """Returns the status bar's item about the adaptation, whether it is shown or not."""
    return window.page.locator("#parrotlet\\.parrotlet\\.parrotlet\\.adaptation")


def wait_for_adaptation(window, text):
    item = get_adaptation_item(window)

    def is_shown():
        return text in (item.text_content() if item.count() else "")

    wait_until(is_shown, f"{text!r} in the status bar")
    return item


def test_an_adaptation_is_followed_steered_and_switched_to(window, model, expected):
    """If it fails, users wait for an adaptation that they can neither see nor stop."""
    use_local_model(window)
    window.open_file(HEAD + "|", "meanwhile.py")
    window.start_command("parrotlet.adaptModel")
    asked = window.answer_dialog(None)
    assert "about 20 minutes, at low priority. Nothing leaves this machine." in asked

    adaptation = AdaptationDouble(window.folder, window.home / "data")
    adaptation.write()
    item = wait_for_adaptation(window, "Adapting 42%, 9 min left")
    window.press("Alt+\\")
    window.wait_for_ghost(expected)  # suggestions come meanwhile
    window.press("Escape")
    window.run_command("parrotlet.pauseAdapting")
    wait_until(lambda: adaptation.control == "pause", "the adaptation to be paused")
    adaptation.write(state=RunState.PAUSED, reason="paused by you")
    item = wait_for_adaptation(window, "Adapting 42%, paused by you")
    item.click()
    window.pick("Resume Adaptation")
    wait_until(lambda: adaptation.control == "run", "the adaptation to be resumed")
    window.start_command("parrotlet.cancelAdapting")
    assert "is discarded" in window.answer_dialog("Cancel Adaptation")
    wait_until(lambda: adaptation.control == "cancel", "the adaptation to be cancelled")

    adaptation.finish(artifact=BUNDLED)
    notice = window.wait_for_notification(BROUGHT)
    assert "Suggestions come from the adapted model now." in notice.inner_text()
    notice.get_by_text("Show Adaptation Report").click()
    window.wait_for_page("What it brought")
    wait_until(lambda: get_adaptation_item(window).count() == 0, "no item in the status bar")
    window.wait_until_ready()
    health = window.call_api("return await vscode.commands.executeCommand('parrotlet.health')")
    assert BROUGHT in health["adapted"]

    window.start_command("parrotlet.manageModels")
    window.pick(window.folder.name)
    window.pick("Use Base Model")
    window.wait_for_notification("come from the base model now.")
    window.start_command("parrotlet.manageModels")
    window.pick(window.folder.name)
    window.pick("Remove Adapted Model…")
    assert "are deleted" in window.answer_dialog("Remove")
    wait_until(lambda: not adaptation.folder.exists(), "the model to be removed")


@pytest.mark.first_hour
def test_the_adaptation_to_the_active_files_folder_is_steered(open_folders, model, tmp_path):
    """If it fails, pausing or cancelling one project's adaptation hits another's."""
    window = open_folders("shop", "blog")
    files, adaptations = {}, {}
    for name in ("shop", "blog"):
        files[name] = tmp_path / name / f"{name}_file.py"
        files[name].touch()
        adaptations[name] = AdaptationDouble(tmp_path / name, window.home / "data")
        adaptations[name].write()
    shop, blog = adaptations["shop"], adaptations["blog"]
    window.show_file(files["blog"], 0)
    wait_for_adaptation(window, "Adapting 42%, 9 min left")
    window.page.wait_for_timeout(2500)  # both are reported by then

    window.run_command("parrotlet.pauseAdapting")
    wait_until(lambda: blog.control == "pause", "the adaptation to be paused")
    assert shop.control == ""
    window.start_command("parrotlet.cancelAdapting")
    assert 'Cancel the adaptation to "blog"?' in window.answer_dialog(None)

    blog.write(state=RunState.PAUSED, reason="paused by you")
    shop.write(done=0.6)
    wait_for_adaptation(window, "Adapting 60%").click()  # the running one, of another folder
    assert ["shop" in choice for choice in window.choices] == [True, True]
    window.pick("Pause Adaptation")
    wait_until(lambda: shop.control == "pause", "the adaptation to be paused")

    window.show_file(files["shop"], 0)  # which runs, and cannot be resumed: the other is offered
    window.start_command("parrotlet.resumeAdapting")
    assert ["blog" in choice for choice in window.choices] == [True]
    window.pick("Resume Adaptation")
    wait_until(lambda: blog.control == "run", "the adaptation to be resumed")
    for adaptation in adaptations.values():
        shutil.rmtree(adaptation.folder)


def test_a_model_is_adapted_to_the_repository_and_switched_to(
    window, model, tiny_artifact, known_module
):
    """If it fails, twenty minutes of training change nothing in VS Code."""
    for name, text in read_own_modules().items():
        (window.folder / name).write_text(text, encoding="utf-8")
    for name, value in {"minutes": 0.4, "pauseWhileTyping": False, "pauseOnBattery": False}.items():
        window.change_setting(f"parrotlet.adaptation.{name}", value)
    window.change_setting("parrotlet.model", str(tiny_artifact))
    use_local_model(window)
    known = known_module[: known_module.index("return math.")]
    window.open_file(f"{known}|", "circle.py")
    window.start_command("parrotlet.menu")
    window.pick("Adapt model to this workspace…")
    window.answer_dialog("Adapt")
    window.wait_for_notification(f"Parrotlet adapts its model to {window.folder.name}")
    wait_for_adaptation(window, "Adapting 0%")
    window.type("return m")
    wait_until(lambda: window.ghost, "ghost text meanwhile")
    item, progress = get_adaptation_item(window), set()

    def has_ended():
        speed_up(window.home / "data")
        texts = item.all_text_contents()  # at once: the item may go at any moment
        progress.add(texts[0] if texts else None)
        return None in progress

    wait_until(has_ended, lambda: f"the end, after {progress}", deadline_s=360)
    assert len(progress) > 3, progress
    notice = window.wait_for_notification("Suggestions come from the adapted model now.")
    assert "fewer bits" in notice.inner_text()
    window.wait_until_ready()
    health = window.call_api("return await vscode.commands.executeCommand('parrotlet.health')")
    assert health["adapted"].startswith(f"to {window.folder.name} on ")
    window.open_file(f"{known}|", "other.py")
    window.type("return m")
    wait_until(lambda: window.ghost, "ghost text of the adapted model")


def test_what_cannot_be_adapted_is_said_in_a_sentence(window, model):
    """If it fails, a user of a remote server waits for an adaptation that changes nothing."""
    window.open_file("", "remote.py")
    window.run_command("parrotlet.adaptModel")
    window.wait_for_notification("remove that setting first")
