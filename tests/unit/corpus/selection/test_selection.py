"""What is kept of all documents: the preferred copy, the configured share, the quality level."""

import pytest

from training.corpus.config import BalanceConfig, CorpusConfig, QualityConfig, QualityRule
from training.corpus.corpus_document import Document
from training.corpus.extraction.parts import Part, PartWriter
from training.corpus.extraction.source_report import SourceReport
from training.corpus.filters.sampling_weights import compute_weight
from training.corpus.quality import QualityRules
from training.corpus.selection.balance import DOWN_WEIGHTED, OVER_CAP
from training.corpus.selection.selection import EXACT, NEAR, NEAR_HELDOUT, select
from training.foundation.errors import CorpusError


def text(seed, n_words=200):
    return "\n".join(f"name_{seed}_{i} = {i}" for i in range(n_words // 2)) + "\n"


def document(body, package="p", version="1", licence="MIT", path="a.py", weight=1.0):
    return Document(
        package=package, version=version, path=path, licence=licence, weight=weight, text=body
    )


def empty_report():
    return SourceReport(
        package="p",
        version="1",
        licence="MIT",
        licence_source="none",
        licence_not_allowed=(),
        warnings=(),
        files=0,
        bytes=0,
        drops={},
        examples={},
        redactions={},
        unparsable=0,
    )


def selected(tmp_path, documents, **config):
    """Returns for each document why it was dropped, or None."""
    part = Part(folder=tmp_path, number=0)
    writer = PartWriter(part=part)
    for one in documents:
        writer.add(one)
    writer.close(empty_report())
    config.setdefault("heldout_share", 0)
    settings = CorpusConfig(out=tmp_path / "out", licences=("MIT", "Apache-2.0"), **config)
    found = select([part], settings)
    return [found.dropped[i].reason if i in found.dropped else None for i in range(len(documents))]


def test_the_heldout_copy_is_kept(tmp_path):
    """If it fails, validation measures memory."""
    near = text(0) + "one_more = 1\n"
    documents = [document(text(0)), document(near), document(text(0), package="Held_Out")]
    reasons = selected(tmp_path, documents, heldout=("held-out",))
    assert reasons == [EXACT, NEAR_HELDOUT, None]


def test_the_best_licensed_then_newest_copy_is_kept(tmp_path):
    documents = [
        document(text(0), licence="Apache-2.0", version="3"),
        document(text(0), version="1.9"),
        document(text(0), version="1.10"),
    ]
    assert selected(tmp_path, documents) == [EXACT, EXACT, None]


@pytest.mark.parametrize("versions", [("b" * 40, "a" * 40, "c" * 40), ("1.0", "1.0.0", "1")])
def test_of_versions_that_are_not_ordered_the_first_copy_is_kept(tmp_path, versions):
    """If it fails, what a corpus holds depends on Python's hash seed."""
    documents = [document(text(0), version=version) for version in versions]
    assert selected(tmp_path, documents) == [None, EXACT, EXACT]


def test_near_duplicates_can_be_kept(tmp_path):
    documents = [document(text(0)), document(text(0) + "one_more = 1\n")]
    assert selected(tmp_path, documents) == [None, NEAR]
    assert selected(tmp_path, documents, near_duplicate_similarity=None) == [None, None]


def test_a_weight_keeps_about_its_share(tmp_path):
    documents = [document(text(i), weight=0.25) for i in range(400)]
    reasons = selected(tmp_path, documents)
    assert set(reasons) == {None, DOWN_WEIGHTED}
    assert 70 < reasons.count(None) < 130
    assert reasons == selected(tmp_path, documents), "drawn anew"


def test_a_cap_holds_for_each_package_but_not_for_what_is_held_out(tmp_path):
    size = len(text(10))
    documents = [document(text(10 + i), package=f"p{i % 2}") for i in range(20)]
    documents += [document(text(30 + i), package="held") for i in range(5)]
    balance = BalanceConfig(max_package_bytes=3 * size)
    reasons = selected(tmp_path, documents, heldout=("held",), balance=balance)
    for package in ("p0", "p1"):
        kept = [
            d for d, r in zip(documents, reasons, strict=True) if d.package == package and not r
        ]
        assert len(kept) == 3
    assert reasons[20:] == [None] * 5
    assert reasons.count(OVER_CAP) == 14


@pytest.mark.parametrize(
    ("path", "body", "weight"),
    [
        ("pkg/core.py", text(0), 1.0),
        ("pkg/tests/helper.py", text(0), 0.5),
        ("pkg/test_core.py", text(0), 0.5),
        ("pkg/latest.py", text(0), 1.0),
        ("pkg/contest/run.py", text(0), 1.0),
        ("pkg/settings.py", text(0), 0.25),
        ("pkg/core.py", "def f(a=1):\n    return a == 1\n", 0.125),
        ("pkg/core.py", "x: int = 1\na.b = 2\nc['d'] += 3\ne, f = 4, 5\n", 1.0),
    ],
)
def test_weights_depend_on_the_kind_of_file(path, body, weight):
    """CodeParrot dropped every short file with "latest" in it; if it fails, so do we."""
    config = BalanceConfig(test_weight=0.5, configuration_weight=0.25, few_assignments_weight=0.125)
    assert compute_weight(path, body, config) == weight


RULES = (
    QualityRule(level="high", min_stars=1000, needs_tests=True),
    QualityRule(level="mid", min_downloads=10),
    QualityRule(level="low"),
)


@pytest.mark.parametrize(
    ("package", "facts", "level"),
    [
        ("known", {"has_tests": True}, "high"),
        ("known", {}, "mid"),
        ("other", {"stars": 5000.0, "has_tests": True}, "high"),
        ("other", {"stars": 5.0}, "low"),
    ],
)
def test_the_first_rule_that_holds_gives_the_level(tmp_path, package, facts, level):
    table = tmp_path / "facts.tsv"
    table.write_text("package\tstars\tdownloads\nknown\t2000\t50\n")
    rules = QualityRules.load(QualityConfig(rules=RULES, table=table))
    assert rules.find_level(package, facts) == level
    assert QualityRules.load(QualityConfig()).find_level(package, facts) == ""


@pytest.mark.parametrize("content", ["name\tstars\na\t1\n", "package\tstars\na\tmany\n"])
def test_a_table_of_another_kind_is_named(tmp_path, content):
    table = tmp_path / "facts.tsv"
    table.write_text(content)
    with pytest.raises(CorpusError, match=r"quality\.table"):
        QualityRules.load(QualityConfig(table=table))
