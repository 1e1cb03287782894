"""On and off, how much and how far: each for whom it is meant, told in the status bar, and live."""

import re

import pytest
from code_server import until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]


def gives(window, model, name):
    """Sees to it that something is suggested in a new file of this name."""
    window.open("", name)
    model.rules = [("here = ", "something")]
    window.type("here = ")
    window.sees("something")
    window.is_ready()


def gives_nothing(window, model, name):
    """Sees to it that nothing is suggested, and that nothing is asked of the model."""
    window.open("", name)
    model.rules = [("here = ", "something")]
    n_asked = model.n_asked
    window.type("here = ")
    window.sees_no_ghost(for_s=0.4)
    assert model.n_asked == n_asked


def test_off_everywhere_and_on_again(window, model):
    """If it fails, a user cannot be rid of ghost text without uninstalling."""
    window.run("parrotlet.toggle")
    gives_nothing(window, model, "off.py")
    window.is_status("Parrotlet is off everywhere")
    window.run("parrotlet.toggle")
    gives(window, model, "on.py")


def test_off_for_this_workspace_leaves_the_others_on(window, model):
    window.run("parrotlet.toggleWorkspace")
    gives_nothing(window, model, "workspace.py")
    window.is_status("Parrotlet is off for this workspace")
    inspected = window.api(
        "return vscode.workspace.getConfiguration('parrotlet').inspect('client.enabled')"
    )
    assert inspected["workspaceValue"] is False
    assert inspected.get("globalValue") is None
    window.run("parrotlet.toggle")  # whoever turns it on means it here too
    gives(window, model, "here.py")


def test_off_for_a_language_leaves_the_others_on(window, model):
    server = window.server_pid
    window.set("parrotlet.client.languages", ["python", "ruby"])
    until(lambda: window.server_pid not in {None, server}, "a server that knows the language")
    window.is_ready()
    gives(window, model, "also.rb")
    window.run("parrotlet.toggleLanguage")
    window.is_status("Parrotlet is off for the language ruby")
    gives_nothing(window, model, "off.rb")
    gives(window, model, "still.py")


def test_off_by_vscodes_own_settings_for_a_language(window, model):
    """If it fails, "[python]": {"parrotlet.client.enabled": false} does nothing."""
    window.set("[python]", {"parrotlet.client.enabled": False})
    gives_nothing(window, model, "of_language.py")
    window.is_status("Parrotlet is off for the language python")
    window.set("[python]", None)
    gives(window, model, "of_language_again.py")


def test_off_for_a_file_leaves_the_others_on(window, model):
    path = window.open("", "only[this].py")
    window.run("parrotlet.toggleFile")
    gives_nothing(window, model, path.name)
    assert window.status.startswith("Parrotlet is off for files that match ")
    gives(window, model, "only_that.py")
    window.open("", path.name)
    window.run("parrotlet.toggleFile")
    gives(window, model, path.name)


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
    """If it fails, ghost text appears where a team has banned it, or is missing elsewhere."""
    window.set("parrotlet.client.excludedFiles", [glob])
    (gives_nothing if is_off else gives)(window, model, name)


def test_a_workspace_adds_to_the_users_globs_and_takes_none_away(window, model):
    """If it fails, whoever wrote a project undoes what its user has excluded."""
    window.set("parrotlet.client.excludedFiles", ["**/private_*.py"])
    window.set("parrotlet.client.excludedFiles", ["**/made_*.py"], where="Workspace")
    gives_nothing(window, model, "private_one.py")
    gives_nothing(window, model, "made_one.py")


def test_snooze_is_quiet_unless_asked_and_ends(window, model):
    window.start("parrotlet.snooze")
    window.picks("15 minutes")
    until(lambda: "snoozed until" in window.status, lambda: window.status)
    gives_nothing(window, model, "snoozing.py")
    window.press("Alt+\\")
    window.sees("something")
    window.run("parrotlet.wake")
    gives(window, model, "awake.py")


def test_only_on_request(window, model):
    """If it fails, a user who wants ghost text on demand gets it all the time."""
    window.run("parrotlet.toggleAutomatic")
    gives_nothing(window, model, "asked.py")
    window.press("Alt+\\")
    window.sees("something")
    window.run("parrotlet.toggleAutomatic")
    gives(window, model, "unasked.py")


def test_one_line_or_several(window, model):
    """If it fails, a user who wants single lines gets whole blocks."""
    model.rules = [("def both():\n", "    a = 1\n    return a\n")]
    window.start("parrotlet.chooseExtent")
    window.picks("One line at most")
    window.page.wait_for_timeout(400)
    window.open("def both():|", "line_only.py")
    window.press("Enter")
    window.sees("a = 1")
    window.press("Escape")
    window.start("parrotlet.chooseExtent")
    window.picks("Auto (default)")
    window.page.wait_for_timeout(400)
    window.open("def both():|", "block_too.py")
    window.press("Enter")
    window.sees("a = 1\n    return a")


def test_how_eager(window):
    window.start("parrotlet.chooseEagerness")
    window.picks("Quiet")
    chosen = "return vscode.workspace.getConfiguration('parrotlet').get('suggestion.eagerness')"
    until(lambda: window.api(chosen) == "quiet", lambda: window.api(chosen))


def test_the_menu_behind_the_status_bar_has_every_action(window, model):
    """If it fails, users have to know the names of commands."""
    window.open("", "menu.py")
    window.page.locator("#parrotlet\\.parrotlet\\.parrotlet\\.status a").click()
    rows = window.page.locator(".quick-input-list")
    rows.get_by_text("Why is nothing shown?").wait_for()
    window.picks("Suggest only on request")
    automatic = "return vscode.workspace.getConfiguration('parrotlet').get('client.automatic')"
    until(lambda: window.api(automatic) is False, "the setting")
    gives_nothing(window, model, "from_menu.py")


def test_what_is_off_says_so_when_asked(window):
    """If it fails, a user presses a key and nothing happens, for no reason."""
    window.open("plain text\n", "notes.txt")
    window.run("parrotlet.ask")
    window.says(re.compile("Parrotlet is off for the language plaintext"))
