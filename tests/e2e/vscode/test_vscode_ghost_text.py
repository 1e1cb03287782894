"""Ghost text in a real VS Code: shown, taken whole and in parts, gone through, dismissed."""

import pytest
from code_server import until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

HEAD = "def mul(a, b):"
BODY = "    total = a * b\n    if total:\n        return total\n    return None"
SHOWN = "total = a * b\n    if total:\n        return total\n    return None"


def block(window, model, name):
    """A suggestion of several lines, which appears when the head's line is ended."""
    model.rules = [(HEAD + "\n", BODY + "\n")]
    window.open(HEAD, name)
    window.press("Enter")
    window.sees(SHOWN)


def test_a_line_appears_while_typing_and_tab_takes_it(window, model):
    """The product in one test: if it fails, nobody gets completions."""
    model.rules = [("x = compute_", "everything(1)")]
    window.open("", "line.py")
    window.type("x = compute_")
    window.sees("everything(1)")
    window.press("Tab")
    window.sees_no_ghost()
    window.holds("x = compute_everything(1)")


def test_a_block_appears_in_lines_of_its_own_and_one_undo_takes_it_back(window, model):
    """If it fails, a user who takes a block by mistake has to undo it piece by piece."""
    block(window, model, "block.py")
    window.press("Tab")
    window.holds(f"{HEAD}\n{BODY}")
    window.press("Control+z")
    window.holds(f"{HEAD}\n    ")


def test_words_and_lines_are_taken_one_at_a_time(window, model):
    """If it fails, a suggestion that begins well can only be taken with its wrong end."""
    block(window, model, "parts.py")
    window.press("Control+ArrowRight")
    window.sees(SHOWN.removeprefix("total"))
    window.holds(f"{HEAD}\n    total")
    window.press("Control+ArrowDown")
    window.sees(SHOWN.removeprefix("total = a * b\n"))
    window.holds(f"{HEAD}\n    total = a * b\n")
    window.press("Control+z")
    window.holds(f"{HEAD}\n    total")


def test_the_last_word_ends_the_suggestion(window, model):
    model.rules = [("y = first", "_second")]
    window.open("", "last.py")
    window.type("y = first")
    window.sees("_second")
    window.press("Control+ArrowRight")
    window.sees_no_ghost()
    window.holds("y = first_second")


def test_what_is_typed_as_suggested_keeps_the_suggestion_without_a_flicker(window, model):
    """If it fails, ghost text blinks at every key, or the model is asked for what it has said."""
    model.rules = [("z = al", "pha + beta")]
    window.open("", "typed.py")
    window.type("z = al")
    window.sees("pha + beta")
    n_asked = model.n_asked
    window.watch_ghosts()
    for typed, key in enumerate("pha + b", 1):
        window.type(key)
        window.sees("pha + beta"[typed:])
        window.page.wait_for_timeout(80)
    seen = window.watched_ghosts()
    assert seen == ["pha + beta"[n:] for n in range(8)]
    assert model.n_asked == n_asked
    window.press("Tab")
    window.holds("z = alpha + beta")


def test_another_key_takes_another_suggestion(window, model):
    model.rules = [("q = one", ".real"), ("q = one.im", "ag")]
    window.open("", "other.py")
    window.type("q = one")
    window.sees(".real")
    window.type(".im")
    window.sees("ag")


def test_on_demand_there_are_alternatives_to_go_through(window, model):
    """If it fails, a user who wants another suggestion has to write it."""
    model.rules = [("w = pick(", "first"), ("w = pick(", "second")]
    window.open("w = pick(|)", "cycle.py")
    window.press("Alt+\\")
    window.sees("first")
    window.press("Alt+]")
    window.sees("second")
    window.press("Alt+]")
    window.sees("first")
    window.press("Alt+[")
    window.sees("second")
    window.press("Tab")
    window.holds("w = pick(second)")


def test_escape_dismisses_and_the_next_key_asks_again(window, model):
    model.rules = [("v = ", "later"), ("v = n", "ow")]
    window.open("", "dismissed.py")
    window.type("v = ")
    window.sees("later")
    window.press("Escape")
    window.sees_no_ghost(for_s=0.3)
    window.type("n")
    window.sees("ow")


def test_without_ghost_text_the_keys_do_what_they_did_before(window, model):
    """If it fails, installing the extension takes keys away."""
    window.open("one two\n|", "keys.py")
    window.press("Tab")
    window.holds("one two\n    ")
    window.press("Control+Home", "Control+ArrowRight")
    until(lambda: window.cursor == (0, 3), "the cursor behind a word")


def test_tab_is_intellisenses_while_its_menu_is_open(window, model):
    """If it fails, Tab takes ghost text where the user chose from the menu."""
    window.set("editor.wordBasedSuggestions", "currentDocument")
    model.rules = [("alpha_", "ghost_written_text")]
    window.open("alpha_from_menu = 1\n|", "menu.py")
    window.type("alpha_")
    window.sees("ghost_written_text")
    window.press("Control+Space")
    window.page.wait_for_selector(".suggest-widget.visible .monaco-list-row.focused")
    window.press("Tab")
    window.holds("alpha_from_menu = 1\nalpha_from_menu")


def test_ghost_text_goes_on_from_the_menus_selected_item(window, model):
    """If it fails, ghost text and IntelliSense's menu contradict each other."""
    window.set("editor.wordBasedSuggestions", "currentDocument")
    model.rules = [("bet = gamma_ray", ".length")]
    window.open("gamma_ray = 1\nbet = |", "selected.py")
    window.type("gamma_")
    window.press("Control+Space")
    window.page.wait_for_selector(".suggest-widget.visible .monaco-list-row.focused")
    window.sees("ray.length")
