"""The server's life in VS Code: slow, killed, missing, restarted; log, statistics, explanation."""

import os
import re
import signal
import sys
from pathlib import Path

import psutil
import pytest
from code_server import wait_until
from scripted_model import ScriptedModel

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

SERVER = str(Path(sys.executable).parent / "parrotlet-server")


def expect_suggestion(window, model, name):
    model.rules = [("alive = ", "and_well")]
    window.open_file("", name)
    window.type("alive = ")
    window.wait_for_ghost("and_well")


def test_a_killed_server_restarts(window, model):
    """If it fails, ghost text ends for good when the system is short of memory."""
    expect_suggestion(window, model, "before.py")
    dead = window.server_pid
    os.kill(dead, signal.SIGKILL)
    window.wait_for_notification(
        "The Parrotlet server was terminated by SIGKILL. It is being restarted."
    )
    wait_until(lambda: window.server_pid not in {None, dead}, "another server")
    window.wait_until_ready()
    expect_suggestion(window, model, "after.py")


def test_a_server_that_keeps_crashing_is_not_restarted(window, model):
    """If it fails, a broken installation keeps a processor busy and the user in the dark."""
    window.change_setting(
        "parrotlet.client.server", ["/bin/sh", "-c", "echo it is broken >&2; exit 7"]
    )
    notice = window.wait_for_notification(
        "the server exited with code 7 (it is broken), 4 times within 3 minutes"
    )
    assert window.status.startswith("Parrotlet has a problem: the server exited with code 7")
    assert window.server_pid is None
    window.change_setting("parrotlet.client.server", None)
    window.wait_until_ready()
    expect_suggestion(window, model, "fixed.py")
    notice.get_by_role("button", name="Restart").wait_for()  # drawn after the text


def test_the_restart_button_restarts(window, model, tmp_path):
    """If it fails, the button of the error message does nothing."""
    flag = tmp_path / "broken"
    flag.touch()
    script = f'test -e "{flag}" && exit 1; exec "{SERVER}" "$@"'
    window.change_setting("parrotlet.client.server", ["/bin/sh", "-c", script, "parrotlet-server"])
    notice = window.wait_for_notification("the server exited with code 1, 4 times")
    flag.unlink()
    notice.get_by_role("button", name="Restart").click()
    window.wait_until_ready()
    expect_suggestion(window, model, "button.py")


def test_a_hanging_server_can_be_replaced(window, model):
    """If it fails, only restarting VS Code helps against a server that hangs."""
    window.change_setting("parrotlet.client.server", ["/bin/sh", "-c", "exec sleep 600"])
    window.wait_for_status("Parrotlet is starting")
    wait_until(lambda: "exec sleep 600" in window.log, lambda: window.log)
    window.change_setting("parrotlet.client.server", None)
    window.wait_until_ready()
    expect_suggestion(window, model, "replaced.py")


def test_a_wrong_server_setting_is_named(window, model):
    """If it fails, a typing mistake in the settings looks like a broken extension."""
    window.change_setting("parrotlet.client.server", ["/nowhere/parrotlet-server"])
    window.wait_for_notification(
        "'/nowhere/parrotlet-server' in the setting parrotlet.client.server"
    )
    assert window.status.startswith("Parrotlet has a problem: '/nowhere/parrotlet-server'")
    window.run_command("parrotlet.whyNothing")
    assert "correct the setting" in window.wait_for_page("Why is nothing")


def test_repeated_restarts_start_one_server(window, model):
    """If it fails, impatient users end up with several models in memory."""
    before = window.server_pid
    for _ in range(5):
        window.start_command("parrotlet.restartServer")
    wait_until(lambda: window.server_pid not in {None, before}, "another server")
    window.wait_until_ready()
    window.page.wait_for_timeout(1500)  # the last one may still be starting
    window.wait_until_ready()
    expect_suggestion(window, model, "once.py")
    assert len(window.servers) == 1
    assert not psutil.pid_exists(before)


def test_a_slow_model_does_not_slow_down_typing(window, model):
    """If it fails, typing stutters with a slow model."""
    model.may_respond.clear()
    model.rules = [("slowly = but_", "surely")]
    window.open_file("", "slow.py")
    window.type("slowly = but_")
    window.wait_for_text("slowly = but_")
    model.may_respond.set()
    window.wait_for_ghost("surely")
    window.press("Tab")
    window.wait_for_text("slowly = but_surely")


def test_a_late_response_is_not_shown(window, model):
    """If it fails, ghost text does not fit the text before it."""
    model.may_respond.clear()
    model.rules = [("late = ", "stale_answer"), ("late = new", "est_answer")]
    window.open_file("", "late.py")
    window.record_ghosts()
    window.type("late = ")
    wait_until(lambda: model.prompts and model.prompts[-1] == "late =", lambda: model.prompts[-3:])
    window.type("new")
    window.wait_for_text("late = new")
    model.may_respond.set()
    window.wait_for_ghost("est_answer")
    assert window.stop_recording_ghosts() == ["", "est_answer"]


def test_settings_apply_without_a_restart(window, model):
    """If it fails, users restart VS Code after every change of a setting."""
    expect_suggestion(window, model, "one.py")
    server = window.server_pid
    with ScriptedModel([("other = ", "voice")]) as other:
        window.change_setting("parrotlet.remote.url", other.url)
        window.open_file("", "two.py")
        window.type("other = ")
        window.wait_for_ghost("voice")
        assert window.server_pid == server
        window.change_setting("parrotlet.remote.url", model.url)


def test_a_wrong_setting_is_named_and_ignored(window, model):
    """If it fails, users search for a setting that VS Code does not show."""
    window.change_setting("parrotlet.remote.timeoutSeconds", -1)
    notice = window.wait_for_notification("Parrotlet did not change this setting")
    assert "parrotlet.remote.timeoutSeconds is -1, expected 0.1 to 600" in notice.inner_text()
    expect_suggestion(window, model, "kept.py")


def test_the_log_opens(window):
    """If it fails, nobody can report a bug."""
    window.run_command("parrotlet.showLog")
    shown = wait_until(lambda: window.log, "the log")
    assert f"starting {SERVER} --log-level info" in shown
    assert re.search(r"\[info\] server\.worker\.process\.supervisor: ready after [\d.]+ s", shown)


def test_shown_and_accepted_suggestions_are_counted_once(window, model):
    """If it fails, the statistics show what did not happen."""
    figures = "return await vscode.commands.executeCommand('parrotlet.statistics')"
    before = window.call_api(figures)
    model.rules = [("def f():\n", "    first = 1\n    return first\n"), ("gone = ", "away")]
    window.open_file("def f():|", "counted.py")
    window.press("Enter")
    window.wait_for_ghost("first = 1\n    return first")
    window.type("fir")  # the start of the suggestion, which continues
    window.wait_for_ghost("st = 1\n    return first")
    window.press("Control+ArrowRight")
    window.wait_for_text("def f():\n    first")
    window.press("Control+ArrowDown")
    window.wait_for_text("def f():\n    first = 1\n")
    window.wait_for_ghost("    return first")
    window.press("Tab")  # VS Code indents, which is part of the suggestion
    window.wait_for_ghost("return first")
    window.press("Tab")
    window.wait_for_text("def f():\n    first = 1\n    return first")
    window.open_file("", "dismissed.py")
    window.type("gone = ")
    window.wait_for_ghost("away")
    window.press("Escape")
    after = wait_until(lambda: return_if_changed(window.call_api(figures), before), "the figures")
    assert {name: after[name] - before[name] for name in ("shown", "accepted", "rejected")} == {
        "shown": 2,
        "accepted": 3,
        "rejected": 1,
    }
    for how in ("word", "line", "whole"):
        assert after["accepted_by"][how] - before["accepted_by"][how] == 1
    taken = len("st"), len(" = 1\n"), len("return first")
    assert after["characters_saved"] - before["characters_saved"] == sum(taken) - len(taken)


def return_if_changed(after, before):
    return after if after["rejected"] != before["rejected"] else None


def test_statistics_are_shown_on_a_page(window, model):
    """If it fails, users cannot see how many suggestions they accept."""
    expect_suggestion(window, model, "for_statistics.py")
    window.run_command("parrotlet.showStatistics")
    told = window.wait_for_page("Statistics")
    assert "Statistics stay on this machine." in told
    assert re.search(r"Shown\s+\d+", told)


def test_the_page_explains_why_nothing_is_shown(window, model):
    """If it fails, users have to guess."""
    model.rules = []
    window.open_file("", "why.py")
    window.type("nothing = ")
    wait_until(lambda: model.prompts and model.prompts[-1] == "nothing =", "the request")
    window.run_command("parrotlet.whyNothing")
    told = window.wait_for_page("Why is nothing shown?")
    assert "The model had nothing to suggest" in told
    assert "Parrotlet is on for this file" in told
    assert SERVER in told
    window.click_on_page("Show All Actions…")
    window.page.locator(".quick-input-list").get_by_text("Why is nothing shown?").wait_for()
    window.press("Escape")
    window.run_command("parrotlet.toggle")
    window.wait_for_status("Parrotlet is off everywhere")
    window.run_command("parrotlet.whyNothing")
    wait_until(
        lambda: "Parrotlet is off everywhere." in window.wait_for_page("Why is nothing shown?"),
        lambda: window.wait_for_page("Why is nothing shown?"),
    )


def test_a_request_without_a_result_says_why(window, model):
    """If it fails, requesting a suggestion does nothing and says nothing."""
    window.open_file("vain = |", "vain.py")
    window.press("Alt+\\")
    window.page.locator(".statusbar-item", has_text="The model had nothing to suggest").wait_for()
