"""Whether suggestions of a real model fit, end to end: the command, its folder, and resuming."""

import json

import pytest
from doubles.heldout_corpus import write_heldout_corpus

from evaluation.fit import main as fit
from evaluation.insertions.places import cut_places
from training.foundation.errors import ArtifactError, ConfigError

pytestmark = pytest.mark.integration


@pytest.fixture
def corpus(known_module, tmp_path):
    """A corpus whose held-out files the model knows by heart."""
    rows = [{"package": "p", "path": f"{n}.py", "text": known_module} for n in range(2)]
    return write_heldout_corpus(tmp_path / "corpus", rows)


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


def test_a_damaged_record_is_one_sentence(tiny_artifact, corpus, tmp_path):
    """If it fails, resuming a run that somebody edited ends in a traceback."""
    out = tmp_path / "out"
    command = ["--model", str(tiny_artifact), "--corpus", str(corpus), "--n", "12"]
    command += ["--out", str(out)]
    assert fit(command) == 0
    good = json.loads((out / "answers.jsonl").read_text().splitlines()[0])
    for key, wrong in (("id", None), ("trigger", "never"), ("covered", "1"), ("rules", [3])):
        (out / "answers.jsonl").write_text(json.dumps({**good, key: wrong}) + "\n")
        with pytest.raises(ConfigError, match=r"record 1: .*; remove the line"):
            fit(command)


def test_wrong_arguments_are_one_sentence(tiny_artifact, corpus, tmp_path):
    model = ["--model", str(tiny_artifact), "--out", str(tmp_path / "out")]
    with pytest.raises(ArtifactError, match="correct --model"):
        fit(["--model", str(tmp_path), "--corpus", str(corpus)])
    rows = [{"package": "p", "path": "a.py", "text": "x ="}]
    write_heldout_corpus(corpus, rows)
    with pytest.raises(ConfigError, match="no place to cut"):
        fit([*model, "--corpus", str(corpus)])
