"""Turning suggestions off and on in VS Code, and choosing their length and eagerness."""

import re

import pytest
from code_server import wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]


def expect_suggestion(window, model, name):
    """Checks that suggestions appear in a new file with this name."""
    window.open_file("", name)
    model.rules = [("here = ", "something")]
    window.type("here = ")
    window.wait_for_ghost("something")
    window.wait_until_ready()


def expect_no_suggestion(window, model, name):
    """Checks that nothing is suggested, and that the model is not called."""
    window.open_file("", name)
    model.rules = [("here = ", "something")]
    n_requests = model.n_requests
    window.type("here = ")
    window.wait_for_no_ghost(for_s=0.4)
    assert model.n_requests == n_requests


def inspect(window, name):
    """Returns a setting's values at each level."""
    body = "return vscode.workspace.getConfiguration('parrotlet').inspect(given.name)"
    return window.call_api(body, name=name)


def test_turning_suggestions_off_everywhere(window, model):
    """If it fails, a user cannot get rid of ghost text without uninstalling."""
    window.run_command("parrotlet.toggle")
    expect_no_suggestion(window, model, "off.py")
    window.wait_for_status("Parrotlet is off everywhere")
    window.run_command("parrotlet.toggle")
    expect_suggestion(window, model, "on.py")


def test_turning_suggestions_off_for_the_workspace(window, model):
    """If it fails, turning off one workspace turns off others, or none."""
    window.run_command("parrotlet.toggleWorkspace")
    expect_no_suggestion(window, model, "workspace.py")
    window.wait_for_status("Parrotlet is off for this workspace")
    levels = inspect(window, "client.enabled")
    assert levels["workspaceValue"] is False
    assert levels.get("globalValue") is None
    window.run_command("parrotlet.toggle")  # turning it on everywhere includes this workspace
    expect_suggestion(window, model, "here.py")


def test_turning_suggestions_off_for_a_language(window, model):
    """If it fails, turning off one language turns off others, or none."""
    server = window.server_pid
    window.change_setting("parrotlet.client.languages", ["python", "ruby"])
    wait_until(lambda: window.server_pid not in {None, server}, "a server that knows the language")
    window.wait_until_ready()
    expect_suggestion(window, model, "also.rb")
    window.run_command("parrotlet.toggleLanguage")
    window.wait_for_status("Parrotlet is off for the language ruby")
    expect_no_suggestion(window, model, "off.rb")
    expect_suggestion(window, model, "still.py")


def test_language_specific_settings_apply(window, model):
    """If it fails, "[python]": {"parrotlet.client.enabled": false} does nothing."""
    window.change_setting("[python]", {"parrotlet.client.enabled": False})
    expect_no_suggestion(window, model, "of_language.py")
    window.wait_for_status("Parrotlet is off for the language python")
    window.change_setting("[python]", None)
    expect_suggestion(window, model, "of_language_again.py")


@pytest.mark.parametrize("where", ["Global", "Workspace"])
@pytest.mark.parametrize("command", ["toggle", "toggleWorkspace", "toggleLanguage"])
def test_a_language_that_is_off_is_turned_on(window, model, command, where):
    """If it fails, turning suggestions on turns them off everywhere else, or does nothing."""
    window.change_setting("[python]", {"parrotlet.client.enabled": False}, where=where)
    expect_no_suggestion(window, model, "of_language.py")
    window.run_command(f"parrotlet.{command}")
    expect_suggestion(window, model, "of_language_again.py")
    levels = inspect(window, "client.enabled")
    assert False not in {levels.get("globalValue"), levels.get("workspaceValue")}


def test_the_menu_says_what_its_entries_do_in_this_editor(window):
    """If it fails, "Turn on" turns off."""
    window.change_setting("[python]", {"parrotlet.client.enabled": False})
    window.open_file("", "labels.py")
    window.start_command("parrotlet.menu")
    choices = window.choices
    window.press("Escape")
    for label in ("everywhere", "for this workspace", "for the language python"):
        assert any(f"Turn on {label}" in choice for choice in choices), choices
    assert any("Turn off for this file" in choice for choice in choices)


@pytest.mark.parametrize("where", ["Global", "Workspace"])
def test_turning_off_everywhere_includes_languages(window, model, where):
    """If it fails, "Turn off everywhere" leaves ghost text where a language's setting allows it."""
    window.change_setting("[python]", {"parrotlet.client.enabled": True}, where=where)
    window.open_file("", "language.py")
    window.run_command("parrotlet.toggle")
    expect_no_suggestion(window, model, "off_with_language.py")
    window.wait_for_status("Parrotlet is off everywhere")


@pytest.mark.parametrize(
    ("name", "value", "where"),
    [
        ("parrotlet.client.automatic", False, "Workspace"),
        ("[python]", {"parrotlet.client.automatic": False}, "Global"),
        ("[python]", {"parrotlet.client.automatic": False}, "Workspace"),
    ],
)
def test_automatic_suggestions_are_switched_where_they_are_set(window, model, name, value, where):
    """If it fails, "Suggest while typing" changes other workspaces and languages, not this one."""
    window.change_setting(name, value, where=where)
    expect_no_suggestion(window, model, "on_request_here.py")
    window.run_command("parrotlet.toggleAutomatic")
    expect_suggestion(window, model, "automatic_here.py")
    assert inspect(window, "client.automatic").get("globalValue") is None


def test_a_language_is_switched_where_the_languages_are_set(window, model):
    """If it fails, "Turn off for the language" turns it off in every workspace but this one."""
    window.change_setting("parrotlet.client.languages", ["python"], where="Workspace")
    window.open_file("", "languages.py")
    window.run_command("parrotlet.toggleLanguage")
    expect_no_suggestion(window, model, "language_off.py")
    levels = inspect(window, "client.languages")
    assert (levels["workspaceValue"], levels.get("globalValue")) == ([], None)
    window.run_command("parrotlet.toggleLanguage")
    expect_suggestion(window, model, "language_on.py")


def test_turning_suggestions_off_for_a_file(window, model):
    """If it fails, turning off one file turns off others, or none."""
    path = window.open_file("", "only[this].py")
    window.run_command("parrotlet.toggleFile")
    expect_no_suggestion(window, model, path.name)
    assert window.status.startswith("Parrotlet is off for files that match ")
    expect_suggestion(window, model, "only_that.py")
    window.show_file(path, len("here = "))
    window.run_command("parrotlet.toggleFile")
    model.rules = [("here = there = ", "something")]
    window.type("there = ")
    window.wait_for_ghost("something")


def test_turning_suggestions_off_for_an_unsaved_file(window, model):
    """If it fails, all later unsaved files of the same name have no suggestions either."""
    model.rules = [("here = ", "something")]

    def open_unsaved():
        window.run_command("parrotlet.newFile")
        name = window.call_api("return vscode.window.activeTextEditor.document.fileName")
        window.wait_for_focus(name)
        return name

    first = open_unsaved()
    window.run_command("parrotlet.toggleFile")
    window.wait_for_status("Parrotlet is off for this unsaved file")
    window.type("here = ")
    window.wait_for_no_ghost(for_s=0.4)
    assert inspect(window, "client.excludedFiles").get("globalValue") is None
    second = open_unsaved()
    window.type("here = ")
    window.wait_for_ghost("something")
    assert second != first

    window.run_command("workbench.action.revertAndCloseActiveEditor")
    window.wait_for_status("Parrotlet is off for this unsaved file")
    window.run_command("parrotlet.toggleFile")
    window.wait_until_ready()
    window.run_command("parrotlet.toggleFile")
    window.run_command("workbench.action.revertAndCloseActiveEditor")
    assert open_unsaved() == first
    window.type("here = ")
    window.wait_for_ghost("something")


@pytest.mark.parametrize(
    ("glob", "name", "is_off"),
    [
        ("**/migrations/*.py", "app/migrations/one.py", True),
        ("**/migrations/*.py", "app/one.py", False),
        ("generated_*.py", "deep/generated_a.py", True),
        ("generated_*.py", "deep/not_generated.py", False),
    ],
)
def test_globs_exclude_files(window, model, glob, name, is_off):
    """If it fails, ghost text appears where a team has banned it, or is missing in other files."""
    window.change_setting("parrotlet.client.excludedFiles", [glob])
    (expect_no_suggestion if is_off else expect_suggestion)(window, model, name)


@pytest.mark.parametrize("setting", ["parrotlet.client.excludedFiles", "parrotlet.privateGlobs"])
def test_a_workspace_cannot_remove_the_users_globs(window, model, setting):
    """If it fails, the author of a project undoes what its user has excluded, or keeps private."""
    window.change_setting(setting, ["**/private_*.py"])
    window.change_setting(setting, ["**/made_*.py"], where="Workspace")
    expect_no_suggestion(window, model, "private_one.py")
    expect_no_suggestion(window, model, "made_one.py")


def test_snooze_pauses_automatic_suggestions_only(window, model):
    """If it fails, a snooze does nothing, blocks requests, or never ends."""
    window.start_command("parrotlet.snooze")
    window.pick("15 minutes")
    wait_until(lambda: "snoozed until" in window.status, lambda: window.status)
    expect_no_suggestion(window, model, "snoozing.py")
    window.press("Alt+\\")
    window.wait_for_ghost("something")
    window.run_command("parrotlet.wake")
    expect_suggestion(window, model, "awake.py")


def test_suggestions_only_on_request(window, model):
    """If it fails, a user who wants ghost text on request gets it all the time."""
    window.run_command("parrotlet.toggleAutomatic")
    expect_no_suggestion(window, model, "on_request.py")
    window.press("Alt+\\")
    window.wait_for_ghost("something")
    window.run_command("parrotlet.toggleAutomatic")
    expect_suggestion(window, model, "automatic.py")


def test_choosing_the_suggestion_length(window, model):
    """If it fails, a user who wants single lines gets whole blocks."""
    model.rules = [("def both():\n", "    a = 1\n    return a\n")]
    window.start_command("parrotlet.chooseExtent")
    window.pick("One line at most")
    window.page.wait_for_timeout(400)
    window.open_file("def both():|", "line_only.py")
    window.press("Enter")
    window.wait_for_ghost("a = 1")
    window.press("Escape")
    window.start_command("parrotlet.chooseExtent")
    window.pick("Auto (default)")
    window.page.wait_for_timeout(400)
    window.open_file("def both():|", "block_too.py")
    window.press("Enter")
    window.wait_for_ghost("a = 1\n    return a")


def test_choosing_the_eagerness(window):
    """If it fails, the picker changes nothing."""
    window.start_command("parrotlet.chooseEagerness")
    window.pick("Quiet")
    chosen = "return vscode.workspace.getConfiguration('parrotlet').get('suggestion.eagerness')"
    wait_until(lambda: window.call_api(chosen) == "quiet", lambda: window.call_api(chosen))


def test_the_status_bar_opens_the_action_menu(window, model):
    """If it fails, users have to know the names of commands."""
    window.open_file("", "menu.py")
    window.page.locator("#parrotlet\\.parrotlet\\.parrotlet\\.status a").click()
    rows = window.page.locator(".quick-input-list")
    rows.get_by_text("Why is nothing shown?").wait_for()
    window.pick("Suggest only on request")
    automatic = "return vscode.workspace.getConfiguration('parrotlet').get('client.automatic')"
    wait_until(lambda: window.call_api(automatic) is False, "the setting")
    expect_no_suggestion(window, model, "from_menu.py")


def test_a_request_where_suggestions_are_off_says_so(window):
    """If it fails, a user presses a key and nothing happens, for no apparent reason."""
    window.open_file("plain text\n", "notes.txt")
    window.run_command("parrotlet.ask")
    window.wait_for_notification(re.compile("Parrotlet is off for the language plaintext"))
