"""The server's life as users of VS Code see it: slow, dead, gone, restarted, and what it tells."""

import os
import re
import signal
import sys
from pathlib import Path

import psutil
import pytest
from code_server import until
from scripted_model import ScriptedModel

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

SERVER = str(Path(sys.executable).parent / "parrotlet-server")


def works(window, model, name):
    model.rules = [("alive = ", "and_well")]
    window.open("", name)
    window.type("alive = ")
    window.sees("and_well")


def test_a_server_that_is_killed_comes_back_and_says_so(window, model):
    """If it fails, ghost text ends for good when the system is short of memory."""
    works(window, model, "before.py")
    dead = window.server_pid
    os.kill(dead, signal.SIGKILL)
    window.says("The Parrotlet server was terminated by SIGKILL. It is being restarted.")
    until(lambda: window.server_pid not in {None, dead}, "another server")
    window.is_ready()
    works(window, model, "after.py")


def test_a_server_that_always_dies_is_left_alone_until_the_user_says_so(window, model):
    """If it fails, a broken installation keeps a processor busy and the user in the dark."""
    window.set("parrotlet.client.server", ["/bin/sh", "-c", "echo it is broken >&2; exit 7"])
    notice = window.says("the server exited with code 7 (it is broken), 4 times within 3 minutes")
    assert window.status.startswith("Parrotlet has a problem: the server exited with code 7")
    assert window.server_pid is None
    window.set("parrotlet.client.server", None)
    window.is_ready()
    works(window, model, "mended.py")
    assert notice.get_by_role("button", name="Restart").count() == 1


def test_the_restart_button_restarts(window, model, tmp_path):
    flag = tmp_path / "broken"
    flag.touch()
    script = f'test -e "{flag}" && exit 1; exec "{SERVER}" "$@"'
    window.set("parrotlet.client.server", ["/bin/sh", "-c", script, "parrotlet-server"])
    notice = window.says("the server exited with code 1, 4 times")
    flag.unlink()
    notice.get_by_role("button", name="Restart").click()
    window.is_ready()
    works(window, model, "button.py")


def test_a_server_that_never_answers_can_be_replaced(window, model):
    """If it fails, only restarting VS Code helps against a server that hangs."""
    window.set("parrotlet.client.server", ["/bin/sh", "-c", "exec sleep 600"])
    window.is_status("Parrotlet is starting")
    until(lambda: "exec sleep 600" in window.log, lambda: window.log)
    window.set("parrotlet.client.server", None)
    window.is_ready()
    works(window, model, "replaced.py")


def test_a_command_that_cannot_be_run_is_named(window, model):
    """If it fails, a typing mistake in the settings looks like a broken extension."""
    window.set("parrotlet.client.server", ["/nowhere/parrotlet-server"])
    window.says("'/nowhere/parrotlet-server' in the setting parrotlet.client.server")
    assert window.status.startswith("Parrotlet has a problem: '/nowhere/parrotlet-server'")
    window.run("parrotlet.whyNothing")
    assert "correct the setting" in window.page_says("Why is nothing")


def test_many_wishes_to_restart_start_one_server(window, model):
    """If it fails, impatient users end up with several models in memory."""
    before = window.server_pid
    for _ in range(5):
        window.start("parrotlet.restartServer")
    until(lambda: window.server_pid not in {None, before}, "another server")
    window.is_ready()
    window.page.wait_for_timeout(1500)  # the last of them may still be starting
    window.is_ready()
    works(window, model, "once.py")
    assert len(window.servers) == 1
    assert not psutil.pid_exists(before)


def test_a_slow_model_hinders_no_typing(window, model):
    """If it fails, typing stutters with a slow model."""
    model.delay_s = 1.0
    model.rules = [("slowly = but_", "surely")]
    window.open("", "slow.py")
    window.type("slowly = but_")
    until(lambda: window.text == "slowly = but_", "the text", deadline_s=0.9)
    window.sees("surely")
    window.press("Tab")
    window.holds("slowly = but_surely")


def test_an_answer_that_comes_late_is_not_shown(window, model):
    """If it fails, ghost text does not fit what stands before it."""
    model.delay_s = 0.5
    model.rules = [("late = ", "stale_answer"), ("late = new", "est_answer")]
    window.open("", "late.py")
    window.watch_ghosts()
    window.type("late = ")
    until(lambda: model.prompts and model.prompts[-1] == "late =", lambda: model.prompts[-3:])
    window.type("new")
    window.sees("est_answer")
    assert window.watched_ghosts() == ["", "est_answer"]


def test_settings_hold_at_once_without_a_restart(window, model):
    """If it fails, users restart VS Code after every change of a setting."""
    works(window, model, "one.py")
    server = window.server_pid
    with ScriptedModel([("other = ", "voice")]) as other:
        window.set("parrotlet.remote.url", other.url)
        window.open("", "two.py")
        window.type("other = ")
        window.sees("voice")
        assert window.server_pid == server
        window.set("parrotlet.remote.url", model.url)


def test_a_wrong_setting_is_named_and_the_old_ones_hold(window, model):
    """If it fails, users look for a setting that VS Code does not show."""
    window.set("parrotlet.remote.timeoutSeconds", -1)
    notice = window.says("Parrotlet did not change its settings")
    assert "parrotlet.remote.timeoutSeconds must be at least 0.1" in notice.inner_text()
    works(window, model, "kept.py")


def test_the_log_is_one_command_away(window):
    """If it fails, nobody can report a bug."""
    window.run("parrotlet.showLog")
    shown = until(lambda: window.log, "the log")
    assert f"starting {SERVER} --log-level info" in shown
    assert re.search(r"\[info\] server\.worker\.supervisor: ready after [\d.]+ s", shown)


def test_what_is_shown_and_taken_is_counted_once(window, model):
    """If it fails, the statistics tell what did not happen."""
    figures = "return await vscode.commands.executeCommand('parrotlet.statistics')"
    before = window.api(figures)
    model.rules = [("def f():\n", "    first = 1\n    return first\n"), ("gone = ", "away")]
    window.open("def f():|", "counted.py")
    window.press("Enter")
    window.sees("first = 1\n    return first")
    window.type("fir")  # of what is shown: the same suggestion goes on
    window.sees("st = 1\n    return first")
    window.press("Control+ArrowRight")
    window.holds("def f():\n    first")
    window.press("Control+ArrowDown")
    window.holds("def f():\n    first = 1\n")
    window.sees("    return first")
    window.press("Tab")  # indents, as VS Code has it: typed as suggested
    window.sees("return first")
    window.press("Tab")
    window.holds("def f():\n    first = 1\n    return first")
    window.open("", "dismissed.py")
    window.type("gone = ")
    window.sees("away")
    window.press("Escape")
    after = until(lambda: differs(window.api(figures), before), "the figures")
    assert {name: after[name] - before[name] for name in ("shown", "accepted", "rejected")} == {
        "shown": 2,
        "accepted": 3,
        "rejected": 1,
    }
    for how in ("word", "line", "whole"):
        assert after["accepted_by"][how] - before["accepted_by"][how] == 1
    taken = len("st"), len(" = 1\n"), len("return first")
    assert after["characters_saved"] - before["characters_saved"] == sum(taken) - len(taken)


def differs(after, before):
    return after if after["rejected"] != before["rejected"] else None


def test_statistics_are_shown(window, model):
    works(window, model, "for_statistics.py")
    window.run("parrotlet.showStatistics")
    told = window.page_says("Statistics")
    assert "Statistics stay on this machine." in told
    assert re.search(r"Shown\s+\d+", told)


def test_why_nothing_is_shown_is_told(window, model):
    """If it fails, users guess."""
    model.rules = []
    window.open("", "why.py")
    window.type("nothing = ")
    until(lambda: model.prompts and model.prompts[-1] == "nothing =", "the request")
    window.run("parrotlet.whyNothing")
    told = window.page_says("Why is nothing shown?")
    assert "The model had nothing to suggest" in told
    assert "Parrotlet is on for this file" in told
    assert SERVER in told
    window.clicks_on_page("Show All Actions…")
    window.page.locator(".quick-input-list").get_by_text("Why is nothing shown?").wait_for()
    window.press("Escape")
    window.run("parrotlet.toggle")
    window.is_status("Parrotlet is off everywhere")
    window.run("parrotlet.whyNothing")
    until(
        lambda: "Parrotlet is off everywhere." in window.page_says("Why is nothing shown?"),
        lambda: window.page_says("Why is nothing shown?"),
    )


def test_asking_in_vain_tells_why(window, model):
    window.open("vain = |", "vain.py")
    window.press("Alt+\\")
    window.page.locator(".statusbar-item", has_text="The model had nothing to suggest").wait_for()
