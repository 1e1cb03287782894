"""Ghost text in a real VS Code: shown, accepted whole and in parts, cycled, dismissed."""

import pytest
from code_server import wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

HEAD = "def mul(a, b):"
BODY = "    total = a * b\n    if total:\n        return total\n    return None"
SHOWN = "total = a * b\n    if total:\n        return total\n    return None"


def show_block(window, model, name):
    """Shows a suggestion of several lines, by ending the line of a function's head."""
    model.rules = [(HEAD + "\n", BODY + "\n")]
    window.open_file(HEAD, name)
    window.press("Enter")
    window.wait_for_ghost(SHOWN)


def test_tab_accepts_a_line_that_appears_while_typing(window, model):
    """The product in one test: if it fails, nobody gets completions."""
    model.rules = [("x = compute_", "everything(1)")]
    window.open_file("", "line.py")
    window.type("x = compute_")
    window.wait_for_ghost("everything(1)")
    window.press("Tab")
    window.wait_for_no_ghost()
    window.wait_for_text("x = compute_everything(1)")


def test_one_undo_removes_an_accepted_block(window, model):
    """If it fails, a user who accepts a block by mistake has to undo it piece by piece."""
    show_block(window, model, "block.py")
    window.press("Tab")
    window.wait_for_text(f"{HEAD}\n{BODY}")
    window.press("Control+z")
    window.wait_for_text(f"{HEAD}\n    ")


def test_words_and_lines_are_accepted_one_at_a_time(window, model):
    """If it fails, a suggestion that begins well can only be accepted with its wrong end."""
    show_block(window, model, "parts.py")
    window.press("Control+ArrowRight")
    window.wait_for_ghost(SHOWN.removeprefix("total"))
    window.wait_for_text(f"{HEAD}\n    total")
    window.press("Control+ArrowDown")
    window.wait_for_ghost(SHOWN.removeprefix("total = a * b\n"))
    window.wait_for_text(f"{HEAD}\n    total = a * b\n")
    window.press("Control+z")
    window.wait_for_text(f"{HEAD}\n    total")


def test_accepting_the_last_word_ends_the_suggestion(window, model):
    """If it fails, an accepted suggestion seems to continue."""
    model.rules = [("y = first", "_second")]
    window.open_file("", "last.py")
    window.type("y = first")
    window.wait_for_ghost("_second")
    window.press("Control+ArrowRight")
    window.wait_for_no_ghost()
    window.wait_for_text("y = first_second")


def test_typing_a_suggestion_keeps_it_without_flicker(window, model):
    """If it fails, ghost text flickers at every key, or the model is run again in vain."""
    model.rules = [("z = al", "pha + beta")]
    window.open_file("", "typed.py")
    window.type("z = al")
    window.wait_for_ghost("pha + beta")
    n_requests = model.n_requests
    window.record_ghosts()
    for typed, key in enumerate("pha + b", 1):
        window.type(key)
        window.wait_for_ghost("pha + beta"[typed:])
        window.page.wait_for_timeout(80)
    seen = window.stop_recording_ghosts()
    assert seen == ["pha + beta"[n:] for n in range(8)]
    assert model.n_requests == n_requests
    window.press("Tab")
    window.wait_for_text("z = alpha + beta")


def test_a_different_key_brings_another_suggestion(window, model):
    """If it fails, the first suggestion stays although the user types something else."""
    model.rules = [("q = one", ".real"), ("q = one.im", "ag")]
    window.open_file("", "other.py")
    window.type("q = one")
    window.wait_for_ghost(".real")
    window.type(".im")
    window.wait_for_ghost("ag")


def test_a_request_brings_alternatives(window, model):
    """If it fails, a user who wants another suggestion has to write it."""
    model.rules = [("w = pick(", "first"), ("w = pick(", "second")]
    window.open_file("w = pick(|)", "cycle.py")
    window.press("Alt+\\")
    window.wait_for_ghost("first")
    window.press("Alt+]")
    window.wait_for_ghost("second")
    window.press("Alt+]")
    window.wait_for_ghost("first")
    window.press("Alt+[")
    window.wait_for_ghost("second")
    window.press("Tab")
    window.wait_for_text("w = pick(second)")


def test_escape_dismisses_until_the_next_key(window, model):
    """If it fails, a dismissed suggestion comes back, or none ever does."""
    model.rules = [("v = ", "later"), ("v = n", "ow")]
    window.open_file("", "dismissed.py")
    window.type("v = ")
    window.wait_for_ghost("later")
    window.press("Escape")
    window.wait_for_no_ghost(for_s=0.3)
    window.type("n")
    window.wait_for_ghost("ow")


def test_keys_keep_their_meaning_without_ghost_text(window, model):
    """If it fails, installing the extension takes keys away."""
    window.open_file("one two\n|", "keys.py")
    window.press("Tab")
    window.wait_for_text("one two\n    ")
    window.press("Control+Home", "Control+ArrowRight")
    wait_until(lambda: window.cursor == (0, 3), "the cursor after a word")


def test_tab_belongs_to_an_open_intellisense_menu(window, model):
    """If it fails, Tab accepts ghost text where the user selects from the menu."""
    window.change_setting("editor.wordBasedSuggestions", "currentDocument")
    model.rules = [("alpha_", "ghost_written_text")]
    window.open_file("alpha_from_menu = 1\n|", "menu.py")
    window.type("alpha_")
    window.wait_for_ghost("ghost_written_text")
    window.press("Control+Space")
    window.page.wait_for_selector(".suggest-widget.visible .monaco-list-row.focused")
    window.press("Tab")
    window.wait_for_text("alpha_from_menu = 1\nalpha_from_menu")


def test_ghost_text_continues_the_selected_menu_item(window, model):
    """If it fails, ghost text and IntelliSense's menu contradict each other."""
    window.change_setting("editor.wordBasedSuggestions", "currentDocument")
    model.rules = [("bet = gamma_ray", ".length")]
    window.open_file("gamma_ray = 1\nbet = |", "selected.py")
    window.type("gamma_")
    window.press("Control+Space")
    window.page.wait_for_selector(".suggest-widget.visible .monaco-list-row.focused")
    window.wait_for_ghost("ray.length")
