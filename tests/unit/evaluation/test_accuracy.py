"""Items cut from files, the metrics of completions, and the constructs that they use."""

import ast
import itertools
import json

import pytest
from doubles.heldout_corpus import number_files, write_heldout_corpus

from evaluation.accuracy.edit_similarity import edit_similarity
from evaluation.accuracy.items import Item, cut_items, hash_items, read_items
from evaluation.accuracy.metrics import CompletedItem, measure_accuracy
from evaluation.accuracy.reliability import expected_calibration_error, reliability_bins
from evaluation.bits import spread_evenly
from evaluation.comparison.constructs import common_phrases, construct_shares, repeated_share
from evaluation.runs.corpus_documents import read_documents
from training.foundation.errors import ConfigError, PrerequisiteError

KINDS = ("mid", "start", "block", "span")
TEXT = '''"""A module."""

import json


def load(path):
    """Reads a file."""
    with open(path) as file:
        return json.load(file)


class Point:
    def __init__(self, x, y):
        self.x = x
        self.y = y

    def distance(self, other):
        if other is None:
            raise ValueError("no point")
        return abs(self.x - other.x) + abs(self.y - other.y)


def describe(points):
    parts = []
    for point in points:
        parts.append(f"{point.x}, {point.y}")
    return "; ".join(parts)
'''


@pytest.fixture
def documents(tmp_path):
    corpus = write_heldout_corpus(tmp_path / "corpus", number_files(TEXT, 30))
    return list(read_documents(corpus, "heldout"))


@pytest.mark.parametrize("n_all", [1, 2, 5, 59, 60, 61, 119, 120, 121, 179, 180, 1000])
@pytest.mark.parametrize("seed", [0, 1, 2, 7])
def test_bits_are_measured_on_as_many_files_as_asked(n_all, seed):
    """If it fails, ``bits --n 200`` of 201 files measures half of them."""
    n = 60
    found = spread_evenly(range(n_all), n=n, seed=seed)
    assert len(found) == len(set(found)) == min(n, n_all)
    gaps = {b - a for a, b in itertools.pairwise(found)}
    assert max(gaps, default=1) - min(gaps, default=1) <= 1
    if n_all % n == 0:  # as earlier versions chose
        step = n_all // n
        assert found == list(range(seed % step, n_all, step))
    if n_all > n:
        assert found != spread_evenly(range(n_all), n=n, seed=seed + 1)


def test_items_are_cut_where_their_kind_says(documents):
    """If it fails, a metric is of another kind of completion than its name says."""
    items = cut_items(documents, KINDS, n=20, seed=0)
    assert [sum(i.kind == kind for i in items) for kind in KINDS] == [20] * 4
    for item in items:
        whole = item.prefix + item.target + item.suffix
        ast.parse(whole)
        line = item.prefix.rpartition("\n")[2]
        if item.kind == "mid":
            assert line.strip()
            assert item.suffix.startswith("\n")
        elif item.kind == "start":
            assert not line.strip()
            assert not item.target.startswith((" ", "#"))
        elif item.kind == "block":
            assert item.prefix.rstrip().endswith(":")
            assert item.target.startswith("    ")
    assert {i.id.split("/")[1] for i in items} == {"one", "two"}


def test_the_same_seed_cuts_the_same_items(documents):
    hashes = [hash_items(cut_items(documents, KINDS, n=5, seed=seed)) for seed in (0, 0, 1)]
    assert hashes[0] == hashes[1] != hashes[2]


def test_items_are_read_from_a_file_and_a_bad_line_is_reported(tmp_path):
    path = tmp_path / "items.jsonl"
    good = {"id": "a", "kind": "mid", "prefix": "x = ", "suffix": "\n", "target": "1"}
    path.write_text(json.dumps(good))
    assert read_items(path, KINDS) == [Item(**good)]
    for bad, message in (
        ("[]", "expected a JSON object"),
        ("{", "line 1: not valid JSON"),
        (json.dumps({**good, "kind": "word"}), "'kind' is 'word'"),
        (json.dumps({**good, "target": 3}), "expected a string 'target'"),
        (f"{json.dumps(good)}\n{json.dumps(good)}", "the id 'a' occurs 2 times"),
        ("", "contains no items"),
    ):
        path.write_text(bad)
        with pytest.raises(ConfigError, match=message):
            read_items(path, KINDS)
    with pytest.raises(PrerequisiteError, match="correct --items"):
        read_items(tmp_path / "nowhere", KINDS)
    with pytest.raises(PrerequisiteError, match="contains no held-out documents"):
        list(read_documents(tmp_path, "heldout"))


@pytest.mark.parametrize(
    ("first", "second", "distance"),
    [("kitten", "sitting", 3), ("", "abc", 3), ("abc", "abc", 0), ("flaw", "lawn", 2)],
)
def test_edit_similarity_follows_the_levenshtein_distance(first, second, distance):
    longest = max(len(first), len(second))
    assert edit_similarity(first, second) == pytest.approx(1 - distance / longest)
    assert edit_similarity(second, first) == edit_similarity(first, second)


def complete(*texts, target="1", confidence=None):
    item = Item(id="a", kind="mid", prefix="x = ", suffix="\n", target=target)
    return [CompletedItem(item=item, text=text, confidence=confidence) for text in texts]


def test_metrics_count_shown_exact_and_valid_completions():
    found = measure_accuracy(complete("1", "1  ", "2", "(", ""))
    assert found.items == 5
    assert found.shown.value == pytest.approx(0.8)
    assert found.exact_match.value == pytest.approx(0.4)
    assert found.exact_match_of_shown.value == pytest.approx(0.5)
    assert found.syntax_valid.value == pytest.approx(0.6)
    assert found.edit_similarity.value == pytest.approx(0.4)
    assert measure_accuracy(complete("")).exact_match_of_shown is None


def test_the_first_line_of_a_block_counts_by_itself():
    item = Item(id="a", kind="block", prefix="if x:\n", suffix="", target="    y = 1\n    z = 2")
    texts = ("    y = 1\n    z = 3", "\n    y = 1  ", "    y = 1\n    z = 2", "    y = 10\n", "")
    found = measure_accuracy([CompletedItem(item=item, text=text) for text in texts])
    assert found.first_line_exact_match.value == pytest.approx(0.6)
    assert found.exact_match.value == pytest.approx(0.2)
    assert measure_accuracy(complete("1")).first_line_exact_match is None


def test_reliability_bins_separate_confident_from_unsure_completions():
    sure = complete(*["1"] * 50, confidence=0.9) + complete(*["2"] * 50, confidence=0.1)
    bins = reliability_bins(sure)
    assert len(bins) == 10
    assert [b.exact_match.value for b in bins] == [0.0] * 5 + [1.0] * 5
    assert expected_calibration_error(bins) == pytest.approx(0.1)
    assert expected_calibration_error([]) is None


def test_only_constructs_of_the_completion_count():
    pairs = [
        ("def f(xs):\n    ", "return [x for x in xs]"),
        ("for x in y:\n    ", "while x:\n        x -= 1"),
        ("def f(", "((("),
    ]
    shares = construct_shares(pairs)
    assert shares["comprehension"] == shares["while"] == shares["return"] == 0.5
    assert shares["function"] == shares["for"] == 0.0


def test_repeated_phrases_are_counted():
    loop = "x = x + 1\n" * 6
    assert repeated_share([loop]) > 0.5
    assert repeated_share(["a b c d e f g h"]) == 0.0
    assert common_phrases(["if x is not None :", "if x is not None :"], 3)[0][1] == 2
