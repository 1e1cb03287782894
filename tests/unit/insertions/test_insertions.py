"""Places cut from files, what inserting a suggestion does there, and how that is summed up."""

import ast
import json

import pytest
from doubles.heldout_corpus import number_files, write_heldout_corpus

from evaluation.insertions.auto_closing import closers_within, open_closers
from evaluation.insertions.fit_answers import Answer, Trigger
from evaluation.insertions.fit_page import draw_fit_page
from evaluation.insertions.fit_summary import FitIdentity, count_faults, format_fit, summarise_fit
from evaluation.insertions.judgement import judge
from evaluation.insertions.place_kinds import CUTTERS
from evaluation.insertions.places import Place, cut_places, hash_places

TEXT = '''"""A module."""

import functools
import json


@functools.cache
def load(path, mode="r"):
    """Reads a file."""
    with open(path, mode) as file:
        return json.load(file)


class Point:
    """A point in the plane."""

    def __init__(self, x, y):
        self.x = x
        self.y = y

    @property
    def label(self):
        """How it is drawn."""
        return f"{self.x}, {self.y:>3}"


def describe(points):
    """Joins all labels.

    Points come in any order.
    """
    return "; ".join(point.label for point in points)
'''


@pytest.fixture
def corpus(tmp_path):
    return write_heldout_corpus(tmp_path / "corpus", number_files(TEXT, 8))


def place(marked, target="", closers="", kind="line end"):
    prefix, suffix = marked.split("|")
    return Place(id="p", kind=kind, prefix=prefix, suffix=suffix, target=target, closers=closers)


def test_places_of_every_kind_restore_the_file(corpus):
    """If it fails, suggestions are compared with what the author never wrote."""
    places = cut_places(corpus, n=8 * len(CUTTERS), seed=1)
    assert {found.kind for found in places} == set(CUTTERS)
    assert len({found.id for found in places}) == len(places) == 8 * len(CUTTERS)
    for found in places:
        if found.kind == "fresh line":
            assert found.original == found.text
            ast.parse(found.text)
        else:
            assert found.original.startswith(TEXT)
        assert found.suffix.startswith(found.closers)
    assert any(found.closers for found in places)
    assert hash_places(places) == hash_places(cut_places(corpus, n=8 * len(CUTTERS), seed=1))
    assert hash_places(places) != hash_places(cut_places(corpus, n=8 * len(CUTTERS), seed=2))


def test_versions_of_a_file_are_places_of_their_own(tmp_path):
    """If it fails, a suggestion is compared with another version of the file."""
    texts = [f"{TEXT}\n\nVERSION = {number}\n" for number in range(3)]
    rows = [{"package": "p", "path": "a.py", "text": text} for text in texts]
    corpus = write_heldout_corpus(tmp_path / "corpus", rows)
    places = cut_places(corpus, n=3 * len(CUTTERS), seed=1)
    assert len({found.id for found in places}) == len(places) == 3 * len(CUTTERS)
    whole = [found.original for found in places if found.kind != "fresh line"]
    assert {text: whole.count(text) for text in texts} == dict.fromkeys(texts, len(CUTTERS) - 1)


@pytest.mark.parametrize(
    ("head", "rest", "closers"),
    [
        ("f(a, [b", "])", "])"),
        ("f(a, [b", "],", "]"),
        ("f(", "", ""),
        ('f("a', 'b")', '")'),
        ('f(f"{a', '} b")', '}")'),
        ('f"{{a', 'b"', '"'),
        ('f"{a["', 'k"]}"', '"]}"'),
        ("x = 1  # it's (", ")", ""),
        ('"""a (', ')"""', ""),
        ('r"\\"(', ')"', '"'),
    ],
)
def test_an_editor_closes_what_the_line_needs(head, rest, closers):
    """If it fails, places have brackets behind the cursor that no editor would leave."""
    assert closers_within(head, rest) == closers


def test_what_is_open_is_closed_from_the_inside():
    assert open_closers("f(a[b{'c") == "'}])"
    assert open_closers("f(a)") == ""


@pytest.mark.parametrize(
    ("marked", "target", "text", "covered", "faults"),
    [
        ("def f(a):\n    return a.|\n", "name", "name", 0, set()),
        ("def f(a):\n    return a.|\n", "b", "c + d", 0, set()),
        ("x = f|()\n", "", "()", 0, {"is_duplicate", "is_trivial"}),
        ("x = a|.parse_all()\n", "", ".parse_all(b)", 0, {"is_duplicate"}),
        ("x = a.get|(name)\n", "", "Logger(name)", 0, {"is_duplicate"}),
        ("self.na|me = 1\n", "", "med_thing", 0, {"is_inside_name"}),
        ("self.na|me = 1\n", "", "me = 2; b", 0, {"is_inside_name", "is_duplicate"}),
        ("x = |name\n", "", "the_other_", 0, {"is_inside_name"}),
        ("x = |name\ny = my_name\n", "", "my_", 0, {"is_trivial"}),
        ("x = f(|)\n", "a", "a, b)", 0, {"breaks_syntax", "breaks_parsed", "is_duplicate"}),
        ("x = f(|)\n", "a", "a, b)", 1, set()),
        ("x = |\n", "1", "f(a, b", 0, {"breaks_syntax"}),
        (
            "if x:|\n    y = 1\n",
            "",
            "\n        zzzz",
            0,
            {"breaks_syntax", "breaks_parsed", "is_misindented"},
        ),
        ("x = 1\n|\n", "", "if x == 2:", 0, set()),
        ("x = 1\n|\n", "", "@cache", 0, set()),
        ("x = 1\n|\n", "", "try:", 0, set()),
        ("def f():|\n", "", "\n    try:\n        g()", 0, set()),
        ("x = 1\n|\nvalue = compute(x)\n", "", "value = compute(x)", 0, {"is_duplicate"}),
        ("class A:|\n\n\ndef f():\n    pass\n", "", '\n    """Doc', 0, {"breaks_syntax"}),
    ],
)
def test_what_inserting_a_suggestion_does(marked, target, text, covered, faults):
    """If it fails, faults are counted that users would not see, or the other way round."""
    found = judge(place(marked, target), text, covered)
    assert {name for name, value in vars(found).items() if value} - {"is_exact"} == faults


@pytest.mark.parametrize(
    ("marked", "target", "closers", "text", "covered", "is_exact"),
    [
        ("x = f(|)\n", "a)", ")", "a", 0, True),
        ("x = f(|)\n", "a)", ")", "a)", 1, True),
        ("x = f(|)\n", "a)", ")", "a)", 0, False),
        ("x = f(|)\n", "a):", ")", "a", 0, False),
        ("def f():|\n", "\n    return 1", "", "\n    return 1\n    x", 0, True),
        ("x = 1|\n", "", "", "", 0, True),
        ("x = |1\n", "", "", "2 + ", 0, False),
    ],
)
def test_exact_compares_the_line_that_results(marked, target, closers, text, covered, is_exact):
    """If it fails, what the editor closed by itself counts as the author's text, or is missed."""
    assert judge(place(marked, target, closers), text, covered).is_exact is is_exact


def test_the_summary_counts_each_fault_of_what_is_shown():
    """If it fails, the bars that a release has to meet are computed wrongly."""
    where = place("x = f|()\n", kind="before code")
    other = place("y = |\n", "g(1)")

    def answer(at, text, trigger=Trigger.UNASKED):
        return Answer(
            place=at,
            trigger=trigger,
            text=text,
            covered=0,
            confidence=0.5,
            rules=(),
            reason=None if text else "not sure enough",
        )

    answers = [answer(where, "()"), answer(other, "g(1)"), answer(other, "")]
    answers.append(answer(other, "g(", Trigger.ON_REQUEST))
    identity = FitIdentity(model="m", weights_sha256="0" * 64, places_sha256="1" * 64)
    summary = summarise_fit(identity, answers)
    unasked = summary.triggers["unasked"]
    assert unasked["all"].places == 3
    assert unasked["all"].shown.value == pytest.approx(2 / 3)
    assert unasked["all"].exact.value == 1.0  # where the author's text is known
    assert count_faults(unasked["all"])["is_duplicate"] == 1
    assert unasked["before code"].exact is None
    assert count_faults(summary.triggers["on request"]["all"])["breaks_syntax"] == 1
    assert "before code" in format_fit(summary)
    assert json.loads(json.dumps(summary.to_json()))["triggers"]["unasked"]["all"]["places"] == 3
    page = draw_fit_page(summary, answers)
    assert "Examples: duplicates" in page
    assert "x = f|()" in page
    record = json.loads(json.dumps(answers[0].to_json()))
    assert Answer.from_json(record, where) == answers[0]
