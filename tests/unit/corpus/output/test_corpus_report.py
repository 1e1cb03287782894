"""The corpus report: its JSON, reports of older versions, damaged ones, and its renderings."""

import dataclasses
import json

import pytest

from training.corpus.output.corpus_page import render_corpus_page
from training.corpus.output.corpus_report import (
    CorpusReport,
    DuplicateCluster,
    DuplicateExample,
    DuplicatesReport,
    FunnelStage,
    HeldoutReport,
    PackageReport,
    ShareReport,
    SizeTotals,
    SplitTotals,
    load_finished_report,
    read_report,
    write_report,
)
from training.corpus.output.dataset_card import render_dataset_card
from training.foundation.errors import CorpusError

PACKAGE = PackageReport(
    package="a|b",
    version="1",
    licence="MIT",
    licence_source="classifier",
    licence_not_allowed=(),
    warnings=(),
    files=3,
    bytes=300,
    drops={"too small": 1},
    examples={"too small": ("a.py",)},
    redactions={"e-mail": 2},
    unparsable=0,
    split="train",
    kept_files=2,
    kept_bytes=200,
)
REPORT = CorpusReport(
    corpus_sha256="ab" * 32,
    splits={
        "heldout": SplitTotals(documents=1, bytes=100, files=1),
        "train": SplitTotals(documents=1, bytes=100, files=1),
    },
    licences={"MIT": SizeTotals(documents=2, bytes=200)},
    drops={"too small": 1},
    redactions={"e-mail": 2},
    unparsable=0,
    heldout=HeldoutReport(
        by="package", packages=("held",), documents=1, bytes=100, share=0.5, missing=("typo",)
    ),
    shares=ShareReport(tests=0.25, largest_packages={"a|b": 1.0}),
    funnel=(FunnelStage(stage="files", documents=3),),
    sizes={"1024": 2},
    duplicates=DuplicatesReport(
        clusters=1,
        documents=1,
        bytes=100,
        largest=(
            DuplicateCluster(
                kept="a: a.py",
                dropped=1,
                examples=(DuplicateExample(document="b: b.py", similarity=None),),
            ),
        ),
    ),
    packages=(PACKAGE,),
    config={"processes": 2, "heldout": ["held"], "balance": {"max_test_share": None}},
    inputs_sha256="cd" * 32,
    seconds=1.5,
)
KEYS = [
    *("corpus_sha256", "splits", "licences", "drops", "redactions", "unparsable", "heldout"),
    *("shares", "funnel", "sizes", "duplicates", "packages", "config", "inputs_sha256", "seconds"),
]
PACKAGE_KEYS = [
    *("package", "version", "licence", "licence_source", "licence_not_allowed", "warnings"),
    *("files", "bytes", "drops", "examples", "redactions", "unparsable", "overridden"),
    *("split", "kept_files", "kept_bytes"),
]


@pytest.fixture
def corpus(tmp_path):
    for split in REPORT.splits:
        (tmp_path / split).mkdir()
        (tmp_path / split / "part-00000.parquet").write_bytes(b"")
    write_report(tmp_path, REPORT)
    return tmp_path


def change(corpus, changes=None, without=()):
    file = corpus / "report.json"
    values = json.loads(file.read_text()) | (changes or {})
    file.write_text(json.dumps({k: v for k, v in values.items() if k not in without}))


def test_the_keys_are_those_that_other_programs_read(corpus):
    """If it fails, scripts that read report.json break, and old corpora look damaged."""
    values = json.loads((corpus / "report.json").read_text())
    assert list(values) == KEYS
    assert list(values["packages"][0]) == PACKAGE_KEYS
    assert values["splits"]["train"] == {"documents": 1, "bytes": 100, "files": 1}
    assert list(values["heldout"]) == [
        *("by", "packages", "documents", "bytes", "share", "missing")
    ]
    assert values["duplicates"]["largest"][0] == {
        "kept": "a: a.py",
        "dropped": 1,
        "examples": [{"document": "b: b.py", "similarity": None}],
    }


def test_a_report_reads_back_as_it_was_written(corpus):
    assert read_report(corpus) == REPORT


def test_a_report_of_an_older_version_is_still_read_and_drawn(corpus):
    """If it fails, ``prepare`` refuses a corpus that took a night to build."""
    change(corpus, without=("heldout", "shares"))
    report = read_report(corpus)
    assert report.heldout is None
    assert "Held out: whole packages" in render_corpus_page(report)
    assert "Held out: whole packages" in render_dataset_card(report)


@pytest.mark.parametrize(
    ("changes", "without", "message"),
    [
        ({"splits": {"train": 5}}, (), "splits.train is 5"),
        ({"unparsable": "none"}, (), "unparsable is 'none'"),
        ({}, ("funnel",), "'funnel' is missing"),
        ({}, ("corpus_sha256",), "is damaged"),
    ],
)
def test_a_damaged_report_is_one_sentence(corpus, changes, without, message):
    change(corpus, changes, without)
    with pytest.raises(CorpusError, match="build the corpus again") as error:
        read_report(corpus)
    assert message in str(error.value)
    assert "\n" not in str(error.value)
    assert load_finished_report(corpus, REPORT.inputs_sha256) is None


@pytest.mark.parametrize("content", ["", "[]", "{", "\udce9", "null"])
def test_other_json_is_not_a_report(corpus, content):
    (corpus / "report.json").write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(CorpusError, match="is damaged"):
        read_report(corpus)
    assert load_finished_report(corpus, REPORT.inputs_sha256) is None


def test_only_a_complete_corpus_of_the_same_inputs_is_finished(corpus):
    """If it fails, yesterday's corpus or half of one is trained on."""
    assert load_finished_report(corpus, REPORT.inputs_sha256) == REPORT
    assert load_finished_report(corpus, "another hash") is None
    assert load_finished_report(corpus / "nowhere", REPORT.inputs_sha256) is None
    (corpus / "train" / "part-00001.parquet").write_bytes(b"")
    assert load_finished_report(corpus, REPORT.inputs_sha256) is None


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        ("name", "held out, never trained on: the packages named in 'heldout' (p0, p1"),
        ("package", "held out, never trained on: 7 whole packages (p0, p1, p2, p3, p4, ...)"),
        ("document", "held out, never trained on: single documents of 7 packages (p0"),
        ("nothing", "held out: nothing; the tokenizer and the training need"),
    ],
)
def test_every_way_of_holding_out_has_its_sentence(by, expected):
    packages = tuple(f"p{i}" for i in range(7))
    heldout = dataclasses.replace(REPORT.heldout, by=by, packages=packages)
    assert heldout.describe().startswith(expected)


def test_names_cannot_break_the_card_or_the_page():
    """If it fails, a package's name adds columns to the card or markup to the page."""
    package = dataclasses.replace(PACKAGE, package="a|b\nc", licence="<b>MIT</b>")
    duplicates = dataclasses.replace(
        REPORT.duplicates,
        largest=(DuplicateCluster(kept="<script>: a.py", dropped=1, examples=()),),
    )
    report = dataclasses.replace(REPORT, packages=(package,), duplicates=duplicates)
    assert "| a\\|b c | 1 |" in render_dataset_card(report)
    assert "<script>" not in render_corpus_page(report)


def test_a_card_names_datasets_but_no_folder_of_the_machine():
    """If it fails, a published card hides where its text is from, or tells who built it."""
    sources = {
        "hub": ["bigcode/the-stack:python@refs/pr/1", "/home/ada/private/set"],
        "datasets": [{"name": "owner/code:default:train", "limit": 7}, {"name": "./ada/set"}],
        "records": ["/home/ada/exports/*.json.gz"],
    }
    card = render_dataset_card(dataclasses.replace(REPORT, config={"sources": sources}))
    assert "- datasets of the Hub: bigcode/the-stack:python@refs/pr/1, set\n" in card
    assert "- parts of datasets of the Hub: owner/code:default:train, set\n" in card
    assert "- files of records: *.json.gz\n" in card
    assert "ada" not in card
