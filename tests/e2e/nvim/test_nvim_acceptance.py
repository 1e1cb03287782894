"""Taking what is shown, or not: whole, by words, by lines, alternatives; in real Neovims."""

import json

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(60)]

BODY = ("def area(width, height):\n    ", "size = width * height\n    return size")
ALTERNATIVES = [("total = ", "sum(values)"), ("total = ", "len(values)"), ("total = ", "0")]


def show(editor, model, rules, *, before=None):
    """Types what the first rule wants before it; waits for what it writes."""
    model.rules = rules
    before = rules[0][0] if before is None else before
    editor.open("")
    editor.keys("i")
    for number, line in enumerate(before.split("\n")):
        editor.keys("<CR>" if number else "")
        editor.type(line.lstrip() if number else line)
    editor.wait_for_ghost(rules[0][1])


def told(editor):
    """What the server was told of suggestions, from its own count of them."""
    file = editor.home / "data" / "parrotlet" / "statistics.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def newly_told(editor, n_before, n_wanted):
    return editor.until(
        lambda: len(told(editor)) >= n_before + n_wanted and told(editor)[n_before:],
        "what the server counts",
    )


def press(editor, function):
    """Runs one of the plugin's functions as a mapping of the user's does."""
    editor.lua(
        "local name = ... vim.keymap.set('i', '<F5>', function() require('parrotlet')[name]() end)",
        function,
    )
    editor.keys("<F5>")


def test_a_key_takes_all_of_it(editor, model):
    """If it fails, nobody can take what is suggested."""
    show(editor, model, [BODY])
    editor.keys("<Tab>")
    editor.until(lambda: editor.text == "".join(BODY), "acceptance")
    assert editor.cursor == (3, len("    return size"))
    editor.wait_for_no_ghost()


def test_undo_after_acceptance_is_one_step(editor, model):
    """If it fails, undo takes away what was typed too, or only a part of what was taken."""
    show(editor, model, [BODY])
    editor.keys("<Tab>")
    editor.until(lambda: editor.text == "".join(BODY), "acceptance")
    editor.type("  # mine")
    editor.keys("<Esc>u")
    assert editor.text == "".join(BODY)
    editor.keys("u")
    assert editor.text == BODY[0]
    editor.keys("<C-r>")
    assert editor.text == "".join(BODY)


def test_word_by_word(editor, model):
    """If it fails, one can only take all or nothing."""
    show(editor, model, [BODY])
    seen = []
    for _ in range(8):
        press(editor, "accept_word")
        seen.append(editor.text.removeprefix(BODY[0]))
    assert seen == [
        "size",
        "size =",
        "size = width",
        "size = width *",
        "size = width * height",
        "size = width * height\n    return",
        "size = width * height\n    return size",
        "size = width * height\n    return size",
    ]


def test_words_outside_ascii_stay_whole(editor, model):
    """If it fails, taking a word splits a character."""
    show(editor, model, [("name = ", "größe + 'e\u0301🦜' + 変数")])
    seen = []
    for _ in range(6):
        press(editor, "accept_word")
        seen.append(editor.text)
    assert seen == [
        "name = größe",
        "name = größe +",
        "name = größe + '",
        "name = größe + 'e\u0301🦜",
        "name = größe + 'e\u0301🦜'",
        "name = größe + 'e\u0301🦜' +",
    ]


def test_line_by_line(editor, model):
    show(editor, model, [BODY])
    press(editor, "accept_line")
    assert editor.text == BODY[0] + "size = width * height"
    assert editor.ghost == "\n    return size"
    press(editor, "accept_line")
    assert editor.text == "".join(BODY)


def test_a_part_that_reaches_a_closed_bracket_takes_its_place(editor, model):
    """If it fails, word by word makes `))` where all at once does not."""
    model.rules = [("size = len(", "first) + 1")]
    editor.open("size = len()")
    editor.keys("0f(a")
    press(editor, "suggest")
    editor.wait_for_ghost("first| + 1")
    for expected in ("len(first)", "len(first)", "len(first) +", "len(first) + 1"):
        press(editor, "accept_word")
        assert editor.lines == [f"size = {expected}"]


def test_alternatives_in_turns_and_back(editor, model):
    """If it fails, only the first suggestion can be had."""
    show(editor, model, ALTERNATIVES)
    press(editor, "next")
    first = editor.until(lambda: editor.ghost != "sum(values)" and editor.ghost, "another")
    assert first in {"len(values) (2/3)", "0 (2/3)"}
    press(editor, "next")
    second = editor.ghost
    assert {first[:-6], second[:-6]} == {"len(values)", "0"}
    press(editor, "next")
    assert editor.ghost == "sum(values) (1/3)"
    press(editor, "previous")
    assert editor.ghost == second
    editor.keys("<Tab>")
    editor.until(lambda: editor.lines == ["total = " + second[:-6]], "the one that is shown")


def test_what_is_typed_chooses_among_alternatives(editor, model):
    """If it fails, typing the second alternative loses it."""
    show(editor, model, ALTERNATIVES)
    press(editor, "suggest")
    editor.until(lambda: editor.ghost == "sum(values) (1/3)", "alternatives")
    editor.type("le")
    assert editor.ghost == "n(values)"


def test_dismissed_it_stays_away_until_something_is_typed(editor, model):
    """If it fails, what the user waved away comes back at once."""
    show(editor, model, [BODY])
    n_told = len(told(editor))
    n_asked = editor.n_asked
    press(editor, "dismiss")
    assert not editor.ghost
    assert newly_told(editor, n_told, 1)[-1]["event"] == "rejected"
    assert editor.n_asked == n_asked
    editor.type("s")
    editor.wait_for_ghost("ize = width * height\n    return size")


def test_the_server_is_told_what_was_shown_and_taken(editor, model):
    """If it fails, the statistics are of something else than what happened."""
    show(editor, model, [BODY])
    editor.type("si")
    press(editor, "accept_word")
    press(editor, "accept_line")
    editor.keys("<Tab>")
    taken = [("word", "ze"), ("line", " = width * height"), ("whole", "\n    return size")]

    def newest(events):
        return [(e.get("how"), e.get("characters")) for e in events[-len(taken) :]]

    wanted = [(how, len(text)) for how, text in taken]
    editor.until(lambda: newest(told(editor)) == wanted, "what was taken")
    shown = told(editor)[-len(taken) - 1]
    assert shown["event"] == "shown"
    earliest = "\n    " + BODY[1]  # at the colon, before the line break is typed
    assert 0 < shown["characters"] <= len(earliest)
    assert shown["ms"] > 0


def test_functions_say_whether_there_was_anything(editor, model):
    """If it fails, a user's own mapping cannot fall back to what it did before."""
    editor.open("x = 1\n")
    editor.keys("o")
    names = ["accept", "accept_word", "accept_line", "next", "previous", "dismiss", "is_shown"]
    call = "return vim.tbl_map(function(n) return require('parrotlet')[n]() end, ...)"
    assert editor.lua(call, names) == [False] * len(names)
    model.rules = [("total = ", "1")]
    editor.type("total = ")
    editor.wait_for_ghost("1")
    assert editor.lua("return require('parrotlet').is_shown()") is True
    assert editor.lua("return require('parrotlet').accept()") is True
    editor.until(lambda: editor.lines[-1] == "total = 1", "acceptance")
