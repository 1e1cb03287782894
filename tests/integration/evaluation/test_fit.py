"""Whether suggestions of a real model fit, end to end: the command, its folder, and resuming."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evaluation.fit import main as fit
from evaluation.insertions.places import cut_places
from training.foundation.errors import ArtifactError, ConfigError

pytestmark = pytest.mark.integration


@pytest.fixture
def corpus(known_module, tmp_path):
    """A corpus whose held-out files the model knows by heart."""
    folder = tmp_path / "corpus" / "heldout"
    folder.mkdir(parents=True)
    rows = [{"package": "p", "path": f"{n}.py", "text": known_module} for n in range(2)]
    pq.write_table(pa.Table.from_pylist(rows), folder / "0.parquet")
    return tmp_path / "corpus"


def test_a_run_reports_every_kind_and_resumes(tiny_artifact, corpus, tmp_path, capsys):
    """If it fails, nobody knows how often suggestions break the code around them."""
    out = tmp_path / "out"
    arguments = ["--model", str(tiny_artifact), "--corpus", str(corpus), "--n", "24"]
    assert fit([*arguments, "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert "breaks syntax" in printed
    summary = json.loads((out / "summary.json").read_text())
    asked = summary["triggers"]["on request"]["all"]
    assert asked["places"] == len(cut_places(corpus, n=24, seed=0)) > 10
    assert asked["shown"]["value"] > 0
    assert asked["faults"]["breaks_parsed"]["value"] == 0
    assert "Examples: breaks syntax" in (out / "report.html").read_text()
    answers = (out / "answers.jsonl").read_text().splitlines(keepends=True)
    (out / "answers.jsonl").write_text("".join(answers[:-3]))
    assert fit([*arguments, "--out", str(out)]) == 0
    assert (out / "answers.jsonl").read_text().splitlines(keepends=True) == answers
    with pytest.raises(ConfigError, match="another places_sha256"):
        fit([*arguments, "--seed", "1", "--out", str(out)])


def test_wrong_arguments_are_one_sentence(tiny_artifact, corpus, tmp_path):
    model = ["--model", str(tiny_artifact), "--out", str(tmp_path / "out")]
    with pytest.raises(ConfigError, match="at least 1"):
        fit([*model, "--corpus", str(corpus), "--n", "0"])
    with pytest.raises(ArtifactError, match="correct --model"):
        fit(["--model", str(tmp_path), "--corpus", str(corpus)])
    rows = [{"package": "p", "path": "a.py", "text": "x ="}]
    pq.write_table(pa.Table.from_pylist(rows), corpus / "heldout" / "0.parquet")
    with pytest.raises(ConfigError, match="no place to cut"):
        fit([*model, "--corpus", str(corpus)])
