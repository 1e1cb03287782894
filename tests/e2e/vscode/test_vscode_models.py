"""Switching models from the menu, the bundled one being real; and being told whose text it is."""

import shutil
import sys
from pathlib import Path

import pytest
from code_server import ROOT, until
from hub_double import HubDouble
from scripted_model import ScriptedModel
from test_vscode_server import SERVER

from server.completer import Completer
from server.suggestion.request import CompletionRequest

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

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
    """What the bundled model writes behind HEAD: the same wherever it is asked."""
    request = CompletionRequest(text=HEAD, offset=len(HEAD), is_asked_for=True)
    return Completer.load(BUNDLED).complete(request).text


def settings_of_model(window):
    return window.api(
        "const found = vscode.workspace.getConfiguration('parrotlet');"
        "return [found.get('model'), found.get('remote.url'), found.get('remote.model')]"
    )


def shows(window, expected, name):
    """Sees to it that this is suggested behind HEAD, on demand."""
    window.is_ready()
    window.open(HEAD + "|", name)
    window.press("Alt+\\")
    window.sees(expected)


def copy_of_model(folder):
    folder.mkdir()
    for file in BUNDLED.iterdir():
        shutil.copy(file, folder)
    return folder


def test_bundled_then_a_folder_then_a_server_elsewhere(window, model, expected, tmp_path):
    """If it fails, a team cannot use the model that it has trained."""
    window.start("parrotlet.chooseModel")
    window.picks("Bundled")
    until(lambda: settings_of_model(window) == ["", "", ""], lambda: settings_of_model(window))
    window.page.wait_for_timeout(400)
    shows(window, expected, "bundled.py")

    folder = copy_of_model(tmp_path / "own model")
    window.start("parrotlet.chooseModel")
    window.picks("Folder…")
    window.chooses_folder(folder, "Use This Model")
    until(lambda: settings_of_model(window)[0] == str(folder), lambda: settings_of_model(window))
    window.page.wait_for_timeout(400)
    shows(window, expected, "folder.py")
    health = window.api("return await vscode.commands.executeCommand('parrotlet.health')")
    assert health["model"] == str(folder)

    with ScriptedModel([(HEAD, "nes_elsewhere(path):")]) as other:
        window.start("parrotlet.chooseModel")
        window.picks("Remote server…")
        window.answers(other.url, title="Use a Remote Server (1/2)")
        window.answers("big-model", title="Use a Remote Server (2/2)")
        wanted = [str(folder), other.url, "big-model"]
        until(lambda: settings_of_model(window) == wanted, lambda: settings_of_model(window))
        window.page.wait_for_timeout(400)
        shows(window, "nes_elsewhere(path):", "elsewhere.py")


def test_a_model_of_the_hub_is_downloaded_with_progress(window, model, expected, tmp_path):
    """If it fails, users wait before a model of the Hub and do not know what for."""
    hub = HubDouble()
    try:
        files = {file.name: file.read_bytes() for file in BUNDLED.iterdir()}
        hub.add_model("somebody/parrot", files)
        told = {k: v for k, v in hub.environment(tmp_path / "hub").items() if k.startswith("HF_")}
        environment = [f"{name}={value}" for name, value in told.items()]
        command = ["/usr/bin/env", "-u", "HF_HUB_OFFLINE", *environment, SERVER]
        window.set_server(command)
        window.watch_statuses()
        window.start("parrotlet.chooseModel")
        window.picks("Hugging Face Hub…")
        window.answers("somebody/parrot", title="Use a Model from the Hugging Face Hub")
        until(lambda: settings_of_model(window)[0], "the setting")
        window.page.wait_for_timeout(400)
        shows(window, expected, "hub.py")
        seen = window.watched_statuses()
        assert any("downloading somebody/parrot" in status for status in seen), seen
        health = window.api("return await vscode.commands.executeCommand('parrotlet.health')")
        assert health["model"] == "somebody/parrot"
    finally:
        hub.close()


def test_a_model_that_is_not_there_is_named(window, model):
    window.set("parrotlet.remote.url", "")
    window.set("parrotlet.model", "/nowhere/model")
    window.says("/nowhere/model")
    until(lambda: window.status.startswith("Parrotlet has a problem"), lambda: window.status)


def test_whose_text_is_taken_is_told(window, model):
    """If it fails, somebody's code ends up in a user's, and nobody says whose it is."""
    model.rules = [("mine = ", "yours")]
    script = str(Path(__file__).parent / "stand_ins" / "attributing_server.py")
    window.set_server([sys.executable, script])
    window.open("", "borrowed.py")
    window.type("mine = ")
    window.sees("yours")
    window.press("Tab")
    window.says("Repeats at least 60 tokens of lender/lines.py in lender (BSD-3-Clause).")
    until(
        lambda: "a suggestion that repeats lender, lender/lines.py" in window.log,
        lambda: window.log,
    )
