"""Accepting suggestions in real Neovims: whole, by words, by lines, alternatives, or not at all."""

import json

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

BODY = ("def area(width, height):\n    ", "size = width * height\n    return size")
ALTERNATIVES = [("total = ", "sum(values)"), ("total = ", "len(values)"), ("total = ", "0")]


def show(editor, model, rules, *, before=None):
    """Types the prefix of the first rule and waits for its suggestion."""
    model.rules = rules
    before = rules[0][0] if before is None else before
    editor.open("")
    editor.press("i")
    for number, line in enumerate(before.split("\n")):
        editor.press("<CR>" if number else "")
        editor.type(line.lstrip() if number else line)
    editor.wait_for_ghost(rules[0][1])


def read_events(editor):
    """Returns the events that the server has counted."""
    file = editor.home / "data" / "parrotlet" / "statistics.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def wait_for_events(editor, n_before, n_wanted):
    return editor.wait_until(
        lambda: len(read_events(editor)) >= n_before + n_wanted and read_events(editor)[n_before:],
        "what the server counts",
    )


def call_by_key(editor, function):
    """Calls one of the plugin's functions through a mapping."""
    editor.lua(
        "local name = ... vim.keymap.set('i', '<F5>', function() require('parrotlet')[name]() end)",
        function,
    )
    editor.press("<F5>")


def test_tab_accepts_the_whole_suggestion(editor, model):
    """If it fails, nobody can accept a suggestion."""
    show(editor, model, [BODY])
    editor.press("<Tab>")
    editor.wait_until(lambda: editor.text == "".join(BODY), "acceptance")
    assert editor.cursor == (3, len("    return size"))
    editor.wait_for_no_ghost()


def test_an_acceptance_is_one_undo_step(editor, model):
    """If it fails, undo also removes what was typed, or only a part of what was accepted."""
    show(editor, model, [BODY])
    editor.press("<Tab>")
    editor.wait_until(lambda: editor.text == "".join(BODY), "acceptance")
    editor.type("  # mine")
    editor.press("<Esc>u")
    assert editor.text == "".join(BODY)
    editor.press("u")
    assert editor.text == BODY[0]
    editor.press("<C-r>")
    assert editor.text == "".join(BODY)


def test_accepting_word_by_word(editor, model):
    """If it fails, users can only accept all or nothing."""
    show(editor, model, [BODY])
    seen = []
    for _ in range(8):
        call_by_key(editor, "accept_word")
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
    """If it fails, accepting a word splits a character."""
    show(editor, model, [("name = ", "größe + 'e\u0301🦜' + 変数")])
    seen = []
    for _ in range(6):
        call_by_key(editor, "accept_word")
        seen.append(editor.text)
    assert seen == [
        "name = größe",
        "name = größe +",
        "name = größe + '",
        "name = größe + 'e\u0301🦜",
        "name = größe + 'e\u0301🦜'",
        "name = größe + 'e\u0301🦜' +",
    ]


def test_accepting_line_by_line(editor, model):
    """If it fails, users can only accept all or nothing."""
    show(editor, model, [BODY])
    call_by_key(editor, "accept_line")
    assert editor.text == BODY[0] + "size = width * height"
    assert editor.ghost == "\n    return size"
    call_by_key(editor, "accept_line")
    assert editor.text == "".join(BODY)


def test_an_accepted_part_replaces_an_auto_closed_bracket(editor, model):
    """If it fails, accepting word by word makes `))` where accepting all at once does not."""
    model.rules = [("size = len(", "first) + 1")]
    editor.open("size = len()")
    editor.press("0f(a")
    call_by_key(editor, "suggest")
    editor.wait_for_ghost("first| + 1")
    for expected in ("len(first)", "len(first)", "len(first) +", "len(first) + 1"):
        call_by_key(editor, "accept_word")
        assert editor.lines == [f"size = {expected}"]


def test_cycling_through_alternatives(editor, model):
    """If it fails, only the first suggestion can be accepted."""
    show(editor, model, ALTERNATIVES)
    call_by_key(editor, "next")
    first = editor.wait_until(lambda: editor.ghost != "sum(values)" and editor.ghost, "another")
    assert first in {"len(values) (2/3)", "0 (2/3)"}
    call_by_key(editor, "next")
    second = editor.ghost
    assert {first[:-6], second[:-6]} == {"len(values)", "0"}
    call_by_key(editor, "next")
    assert editor.ghost == "sum(values) (1/3)"
    call_by_key(editor, "previous")
    assert editor.ghost == second
    editor.press("<Tab>")
    editor.wait_until(lambda: editor.lines == ["total = " + second[:-6]], "the one that is shown")


@pytest.mark.parametrize("part", ["typed", "accepted"])
def test_cycling_after_a_part_of_the_suggestion(editor, model, part):
    """If it fails, a user who has begun to type a suggestion sees no other one."""
    show(editor, model, [("total = ", "sum(values)"), ("total = ", "sum(items)")])
    if part == "typed":
        editor.type("sum")
        rest = "(values)"
    else:
        call_by_key(editor, "accept_word")
        rest = editor.ghost
    assert editor.lines == ["total = sum(values)".removesuffix(rest)]
    call_by_key(editor, "next")
    other = rest.replace("values", "items") + " (2/2)"
    editor.wait_until(lambda: editor.ghost == other, "another")
    call_by_key(editor, "next")
    assert editor.ghost == rest + " (1/2)"


def test_typing_selects_among_alternatives(editor, model):
    """If it fails, typing the second alternative loses it."""
    show(editor, model, ALTERNATIVES)
    call_by_key(editor, "suggest")
    editor.wait_until(lambda: editor.ghost == "sum(values) (1/3)", "alternatives")
    editor.type("le")
    assert editor.ghost == "n(values)"


def test_a_dismissed_suggestion_stays_away_until_the_next_key(editor, model):
    """If it fails, a dismissed suggestion comes back at once."""
    show(editor, model, [BODY])
    n_events = len(read_events(editor))
    n_requests = editor.n_requests
    call_by_key(editor, "dismiss")
    assert not editor.ghost
    assert wait_for_events(editor, n_events, 1)[-1]["event"] == "rejected"
    assert editor.n_requests == n_requests
    editor.type("s")
    editor.wait_for_ghost("ize = width * height\n    return size")


def test_the_server_learns_what_was_shown_and_accepted(editor, model):
    """If it fails, the statistics count something else than what happened."""
    show(editor, model, [BODY])
    editor.type("si")
    call_by_key(editor, "accept_word")
    call_by_key(editor, "accept_line")
    editor.press("<Tab>")
    accepted = [("word", "ze"), ("line", " = width * height"), ("whole", "\n    return size")]

    def newest(events):
        return [(e.get("how"), e.get("characters")) for e in events[-len(accepted) :]]

    wanted = [(how, len(text)) for how, text in accepted]
    editor.wait_until(lambda: newest(read_events(editor)) == wanted, "what was accepted")
    shown = read_events(editor)[-len(accepted) - 1]
    assert shown["event"] == "shown"
    earliest = "\n    " + BODY[1]  # at the colon, before the line break is typed
    assert 0 < shown["characters"] <= len(earliest)
    assert shown["ms"] > 0


def test_functions_return_whether_they_did_anything(editor, model):
    """If it fails, a user's own mapping cannot fall back to what it did before."""
    editor.open("x = 1\n")
    editor.press("o")
    names = ["accept", "accept_word", "accept_line", "next", "previous", "dismiss", "is_shown"]
    call = "return vim.tbl_map(function(n) return require('parrotlet')[n]() end, ...)"
    assert editor.lua(call, names) == [False] * len(names)
    model.rules = [("total = ", "1")]
    editor.type("total = ")
    editor.wait_for_ghost("1")
    assert editor.lua("return require('parrotlet').is_shown()") is True
    assert editor.lua("return require('parrotlet').accept()") is True
    editor.wait_until(lambda: editor.lines[-1] == "total = 1", "acceptance")
