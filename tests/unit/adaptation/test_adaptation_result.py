"""Whether an adapted model is better: paired figures with intervals, one sentence, one page."""

import dataclasses
import json

import pytest

from evaluation.adaptation.adaptation_page import draw_page
from evaluation.adaptation.adaptation_result import BETTER, NO_BETTER, judge
from evaluation.adaptation.measurements import Measurements, TypedFile, read_bits
from evaluation.comparison import file_bits
from evaluation.comparison.file_bits import bits_per_byte, measure_files
from evaluation.runs.corpus_documents import CorpusDocument
from training.artifact.adaptation.adaptation_record import AdaptationRecord
from training.artifact.directory import load_artifact


def bits(factor, prefix="f"):
    from evaluation.comparison.file_bits import FileBits

    return {
        f"{prefix}{n}": FileBits(name=f"{prefix}{n}", nats=factor * (500 + 10 * n), n_bytes=1000)
        for n in range(30)
    }


def figures(share, factor=1.0, general=1.0, saved=100):
    names = [f"mid/p/{n // 4}.py#{n % 4}" for n in range(200)]
    return Measurements(
        lines={name: number < share * 200 for number, name in enumerate(names)},
        blocks={name.replace("mid", "block"): False for name in names[:20]},
        bits=bits(factor),
        general=bits(general, "g"),
        typed={"p/1.py": TypedFile(n_saved=saved, n_chars=400)},
    )


def test_a_model_that_predicts_better_is_better_and_says_by_how_much():
    result = judge(figures(0.2), figures(0.3, factor=0.8, saved=160))
    assert result.outcome == BETTER
    assert result.sentence.startswith("Exact lines rise from 20.0% to 30.0% (+10.0 points")
    assert "needs 20% fewer bits for 30 files" in result.sentence
    assert result.bits.change < result.bits.high < 0
    assert result.lines.low <= result.lines.change <= result.lines.high
    assert result.saved.change == 0.15
    assert result.blocks.change == 0


def test_what_brought_nothing_is_said_and_not_used():
    """If it fails, an editor switches to a model that is worse."""
    for after, why in (
        (figures(0.2), "no better"),
        (figures(0.2, factor=1.1), "no better"),
        (figures(0.3, factor=0.8, general=1.05), "other code 5.0% worse"),
        (figures(0.1, factor=0.9), "fewer lines"),
    ):
        result = judge(figures(0.2), after)
        assert result.outcome == NO_BETTER
        assert why in result.sentence
        assert result.sentence.endswith("The model stays as it is.")


def test_what_was_not_measured_is_left_out():
    bare = dataclasses.replace(figures(0.2), lines={}, blocks={}, typed={}, general={})
    result = judge(bare, dataclasses.replace(bare, bits=bits(0.7)))
    assert (result.lines, result.blocks, result.saved, result.general) == (None,) * 4
    assert result.outcome == BETTER
    page = draw_page(result, AdaptationRecord())
    assert "bits per byte" in page
    assert "lines completed" not in page


def test_the_page_names_the_files_and_escapes_them():
    record = AdaptationRecord(
        files={"<b>.py": "1"}, heldout_newest=("new.py",), commit="abc", trained_share=0.65
    )
    page = draw_page(judge(figures(0.2), figures(0.3, factor=0.8)), record)
    assert "&lt;b&gt;.py" in page
    assert "new.py" in page
    assert "Commit abc." in page
    assert "65%" in page


@pytest.mark.parametrize(("origin", "is_said"), [("first", True), ("base", False), ("", False)])
def test_the_page_says_from_which_model_forgetting_is_counted(origin, is_said):
    """If it fails, what a second adaptation has forgotten is read as if it were all its own."""
    record = AdaptationRecord(base="base", origin=origin)
    page = draw_page(judge(figures(0.2), figures(0.3, factor=0.8)), record)
    assert "bits per byte, other code" in page
    assert ("since the first adaptation" in page) == is_said


def test_a_text_that_a_model_knows_needs_fewer_bits(tiny_artifact, known_module):
    """If it fails, bits say nothing about what a model has learned."""
    artifact = load_artifact(tiny_artifact)
    known = CorpusDocument(package="p", path="known.py", text=known_module)
    other = CorpusDocument(package="p", path="other.py", text="zebra = 'quick brown fox'\n" * 20)
    empty = CorpusDocument(package="p", path="empty.py", text="")
    found = measure_files(artifact, [known, other, empty])
    assert [file.name for file in found] == ["p/known.py", "p/other.py"]
    assert found[0].n_bytes == len(known_module.encode())
    assert bits_per_byte(found[:1]) < 0.5 < bits_per_byte(found[1:])


def test_each_version_of_a_file_is_compared_with_itself(tiny_artifact, tmp_path):
    """If it fails, one of two versions of a file is lost where models are compared by name."""
    texts = ["x = 1\n", "value = compute(2)\n"]
    documents = [CorpusDocument(package="p", path="a.py", text=text) for text in texts]
    found = measure_files(load_artifact(tiny_artifact), documents)
    assert [(file.name, file.n_bytes) for file in found] == [("p/a.py", 6), ("p/a.py#2", 19)]
    (tmp_path / "bits.json").write_text(json.dumps([file.to_json() for file in found]))
    assert list(read_bits(tmp_path / "bits.json").values()) == found


def test_products_in_bfloat16_hardly_move_the_figure(tiny_artifact, known_module, monkeypatch):
    """If it fails, figures of machines with and without bfloat16 cannot be compared."""
    documents = [CorpusDocument(package="p", path="known.py", text=known_module[::-1])]
    found = []
    for has_products in (False, True):
        monkeypatch.setattr(file_bits, "has_bfloat16_products", lambda has=has_products: has)
        found.append(bits_per_byte(measure_files(load_artifact(tiny_artifact), documents)))
    assert found[0] != found[1]
    assert found[1] == pytest.approx(found[0], rel=2e-3)
