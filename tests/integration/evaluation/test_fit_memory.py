"""A gate fitted to a corpus, saved in a model, and used by the commands that measure lines."""

import json
import shutil

import pytest
from doubles.heldout_corpus import write_heldout_corpus
from doubles.trusting_gate import copy_with_gate

from evaluation.fit import main as fit
from evaluation.fit_memory import main as fit_memory
from evaluation.infill import main as infill
from evaluation.lines import main as lines
from server.suggestion.confidence import INTERCEPT, SLOPE
from training.artifact.directory import add_metrics, load_artifact
from training.artifact.manifest import MEMORY_FILE
from training.foundation.errors import ArtifactError, ConfigError

pytestmark = pytest.mark.integration

LINE = "    result = registry.lookup_by_canonical_name(canonical_name, default_value)\n"


@pytest.fixture
def model(tiny_artifact, tmp_path):
    return shutil.copytree(tiny_artifact, tmp_path / "model")


@pytest.fixture
def corpus(tmp_path):
    """Two packages whose files all have a line of which the model knows nothing."""
    rows = [
        {
            "package": package,
            "path": f"{number}.py",
            "text": f"def find_{number}(registry, canonical_name, default_value):\n{LINE}"
            f"    return result, {number}\n",
        }
        for package in ("one", "two")
        for number in range(9)
    ]
    return write_heldout_corpus(tmp_path / "corpus", rows)


def measure(model, corpus, out, *more):
    arguments = ["--model", str(model), "--corpus", str(corpus), "--out", str(out), "--n", "8"]
    assert lines([*arguments, *more]) == 0
    return json.loads((out / "summary.json").read_text())


def test_a_workspace_is_known_once_the_gate_is_fitted(model, corpus, tmp_path, capsys):
    """If it fails, a model learns nothing from the files beside the one that is edited."""
    arguments = ["--model", str(model), "--corpus", str(corpus), "--n", "12"]
    with pytest.raises(ArtifactError, match="has no gate"):
        measure(model, corpus, tmp_path / "early", "--workspace")
    assert fit_memory([*arguments, "--dry-run"]) == 0
    told = capsys.readouterr().out
    assert "1 package that was not fitted" in told
    assert load_artifact(model).memory_gate is None
    assert fit_memory(arguments) == 0
    assert load_artifact(model).memory_gate is not None
    without = measure(model, corpus, tmp_path / "without")
    known = measure(model, corpus, tmp_path / "known", "--workspace")
    # How much better depends on the model's weights, and these on the processor.
    first_lines = [
        measured["kinds"]["block"]["first_line_exact_match"]["value"]
        for measured in (without, known)
    ]
    assert first_lines[1] >= first_lines[0] + 0.25
    out = tmp_path / "fit"
    assert fit([*arguments, "--workspace", "--out", str(out)]) == 0
    assert json.loads((out / "summary.json").read_text())["memory_sha256"]
    with pytest.raises(ConfigError, match="another memory_sha256"):
        measure(model, corpus, tmp_path / "without", "--workspace")


def test_a_run_with_other_known_files_is_refused(tiny_artifact, corpus, tmp_path):
    """If it fails, a folder's figures mix answers with and without the package's other files."""
    model = copy_with_gate(tiny_artifact, tmp_path / "gated")
    row = {"package": "one", "path": "more.py", "text": "x = 1\n"}
    write_heldout_corpus(tmp_path / "more", [row])
    (tmp_path / "more" / "heldout").rename(corpus / "train")
    arguments = ["--model", str(model), "--corpus", str(corpus), "--n", "2", "--workspace"]
    out = tmp_path / "out"
    assert lines([*arguments, "--out", str(out)]) == 0
    with pytest.raises(ConfigError, match="another workspace_sha256"):
        lines([*arguments, "--whole-workspace", "--out", str(out)])
    assert lines([*arguments, "--out", str(out)]) == 0
    whole = tmp_path / "whole"
    assert lines([*arguments, "--whole-workspace", "--out", str(whole)]) == 0
    row["text"] = "x = 2\n"
    write_heldout_corpus(tmp_path / "changed", [row])
    shutil.rmtree(corpus / "train")
    (tmp_path / "changed" / "heldout").rename(corpus / "train")
    with pytest.raises(ConfigError, match="another workspace_sha256"):
        lines([*arguments, "--whole-workspace", "--out", str(whole)])


def test_a_fit_with_other_known_files_is_refused(tiny_artifact, known_module, tmp_path):
    """The places may be the same: the other file has none, but is known."""
    model = copy_with_gate(tiny_artifact, tmp_path / "gated")
    rows = [{"package": "one", "path": "a.py", "text": known_module}]
    rows.append({"package": "one", "path": "b.py", "text": "print 'old'\n"})
    corpus = write_heldout_corpus(tmp_path / "corpus", rows)
    command = ["--model", str(model), "--corpus", str(corpus), "--n", "2", "--workspace"]
    command += ["--out", str(tmp_path / "out")]
    assert fit(command) == 0
    rows[1]["text"] = "print 'new'\n"
    write_heldout_corpus(corpus, rows)
    with pytest.raises(ConfigError, match="another workspace_sha256"):
        fit(command)


@pytest.mark.parametrize("command", [lines, fit])
def test_a_run_with_another_calibration_is_refused(model, corpus, tmp_path, command):
    """If it fails, half of a run's suggestions are shown or rated by another confidence."""
    arguments = ["--model", str(model), "--corpus", str(corpus), "--n", "2"]
    out = ["--out", str(tmp_path / "out")]
    assert command([*arguments, *out]) == 0
    assert "calibration" not in json.loads((tmp_path / "out" / "run.json").read_text())
    add_metrics(model, {SLOPE: 1.5, INTERCEPT: 0.25})
    with pytest.raises(ConfigError, match="another calibration"):
        command([*arguments, *out])


def test_infilling_does_not_depend_on_the_calibration(model, corpus, tmp_path):
    arguments = ["--model", str(model), "--corpus", str(corpus), "--n", "1"]
    arguments += ["--out", str(tmp_path / "out")]
    assert infill(arguments) == 0
    add_metrics(model, {SLOPE: 1.5, INTERCEPT: 0.25})
    assert infill(arguments) == 0


def test_a_damaged_gate_is_refused(model, corpus, tmp_path):
    assert fit_memory(["--model", str(model), "--corpus", str(corpus), "--n", "2"]) == 0
    file = model / MEMORY_FILE
    file.write_text(file.read_text()[:-20])
    with pytest.raises(ArtifactError, match=r"memory\.json is missing or damaged"):
        measure(model, corpus, tmp_path / "out")


def test_a_corpus_of_one_package_is_refused(model, tmp_path):
    rows = [{"package": "one", "path": f"{n}.py", "text": "x = 1\n"} for n in range(9)]
    corpus = write_heldout_corpus(tmp_path / "small", rows)
    with pytest.raises(ConfigError, match="at least 2 are needed"):
        fit_memory(["--model", str(model), "--corpus", str(corpus)])


@pytest.mark.parametrize(("package", "n"), [("two", "9"), ("one", "9"), ("", "1")])
def test_places_of_which_none_is_left_to_check_or_to_fit_are_refused(model, tmp_path, package, n):
    """If it fails, packages in Python 2 end the command with a traceback after all its work."""
    rows = [
        {"package": name, "path": f"{n}.py", "text": "print x\n" if name == package else LINE[4:]}
        for name in ("one", "two")
        for n in range(9)
    ]
    corpus = write_heldout_corpus(tmp_path / "two", rows)
    with pytest.raises(ConfigError, match="raise --n, or choose another --corpus"):
        fit_memory(["--model", str(model), "--corpus", str(corpus), "--n", n])
    assert load_artifact(model).memory_gate is None
