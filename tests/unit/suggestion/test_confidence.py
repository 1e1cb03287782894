"""How confident the model is of a line, and what follows from it."""

import json
import random
from math import exp, log

import pytest
from doubles.trusting_gate import copy_with_gate

from evaluation.calibrate import main as calibrate
from server.completer import Completer
from server.settings import EngineSettings, Settings, SuggestionSettings
from server.suggestion.confidence import (
    INTERCEPT,
    SLOPE,
    THRESHOLDS,
    UNSURE,
    Calibration,
    confidence,
    discount_unknown_names,
    first_line_log_prob,
    fit_calibration,
)
from server.suggestion.request import CompletionRequest
from training.artifact.directory import WEIGHTS_FILE, load_artifact
from training.artifact.manifest import MEMORY_FILE
from training.foundation.atomic_files import file_sha256
from training.foundation.errors import ArtifactError, ConfigError, PrerequisiteError


def test_a_lines_probability_includes_its_end():
    """If it fails, a certain line is held back because of the text after it."""
    text, ends = b"x = 1\n  y", [1, 3, 5, 8, 9]
    log_probs = [-1.0, -2.0, -4.0, -8.0, -16.0]
    assert first_line_log_prob(text, ends, log_probs) == -15.0  # the fourth ends the line
    assert first_line_log_prob(b"x = 1", ends[:3], log_probs[:3]) == -7.0
    assert first_line_log_prob(b"\n  y\nz", [1, 4, 6], log_probs[:3]) == -7.0
    assert first_line_log_prob(b"a", [0, 0, 1], log_probs[:3]) == -7.0  # healing's tokens count


def test_without_calibration_confidence_is_the_probability():
    assert confidence(log(0.3), None) == pytest.approx(0.3)
    assert Calibration.of({}) is None
    assert Calibration.of({SLOPE: 1.0, INTERCEPT: 0.0}).share(0.0) == 0.5
    assert 0 < confidence(-1e9, Calibration(slope=1.0, intercept=0.0)) < 1e-9


def test_the_fitted_curve_is_the_one_behind_the_data():
    chance = random.Random(0)
    truth = Calibration(slope=0.8, intercept=-0.5)
    xs = [-chance.expovariate(0.4) for _ in range(8000)]
    curve = fit_calibration(xs, [chance.random() < truth.share(x) for x in xs])
    for x in (0.0, -1.0, -3.0, -8.0):
        assert curve.share(x) == pytest.approx(truth.share(x), abs=0.03)
    with pytest.raises(ValueError, match="both right and wrong"):
        fit_calibration([-1.0, -2.0], [True, True])


def test_below_the_threshold_nothing_is_shown_unless_requested(tiny_artifact):
    """If it fails, the setting says one thing and the server does another."""
    texts = [
        f"{start}{name}" for start in ("x = ", "import ", "self.", "def ") for name in "abcdef"
    ]
    found = {}
    for eagerness in ("always", "quiet"):
        settings = Settings(
            suggestion=SuggestionSettings(eagerness=eagerness),
            engine=EngineSettings(precision="float32", threads=1),
        )
        completer = Completer.load(tiny_artifact, settings)
        for text in texts:
            request = CompletionRequest(text=text, offset=len(text))
            found[eagerness, text] = completer.complete(request)
            asked = CompletionRequest(text=text, offset=len(text), is_asked_for=True)
            shown = completer.complete(asked).suggestion
            assert shown.text == found["always", text].suggestion.text
    n_held_back, n_tokens = 0, []
    for text in texts:
        eager_result, quiet_result = found["always", text], found["quiet", text]
        n_tokens += [quiet_result.usage.new_tokens, eager_result.usage.new_tokens]
        assert n_tokens[-2] <= n_tokens[-1]  # it stops where it is hopeless
        n_unknown, reason = eager_result.n_unknown_names, quiet_result.reason
        shown, quiet = eager_result.suggestion, quiet_result.suggestion
        assert quiet.log_prob >= shown.log_prob - 1e-4
        if shown.text and shown.confidence < THRESHOLDS["quiet"]:
            n_held_back += 1
            sure = discount_unknown_names(exp(shown.log_prob), n_unknown)
            assert shown.confidence == pytest.approx(sure)
            assert (quiet.text, reason) == ("", UNSURE)
        else:
            assert quiet.text == shown.text
    assert n_held_back > 0
    assert sum(n_tokens[::2]) < 0.7 * sum(n_tokens[1::2])
    assert THRESHOLDS["always"] < THRESHOLDS["eager"] < THRESHOLDS["balanced"]


def write_run(run, model, **more):
    weights = file_sha256(model / WEIGHTS_FILE)
    record = {"model": str(model), "weights_sha256": weights, "items_sha256": "x", **more}
    (run / "run.json").write_text(json.dumps(record))
    (run / "summary.json").write_text("{}")


def test_a_run_of_lines_calibrates_its_model(tmp_path, tiny_artifact, capsys):
    model, run = tmp_path / "model", tmp_path / "run"
    model.mkdir()
    for file in tiny_artifact.iterdir():
        (model / file.name).write_bytes(file.read_bytes())
    run.mkdir()
    with pytest.raises(PrerequisiteError, match="contains no run of parrotlet lines"):
        calibrate(["--run", str(run)])
    write_run(run, model)
    (run / "summary.json").unlink()
    chance = random.Random(1)
    records = []
    for _ in range(400):
        log_prob = -chance.expovariate(0.5)
        is_right = chance.random() < 0.9 * exp(log_prob)
        records.append({"kind": "mid", "log_prob": log_prob, "exact": is_right})
    records.append({"kind": "block", "log_prob": -1.0, "exact": True})
    (run / "answers.jsonl").write_text("".join(json.dumps(r) + "\n" for r in records[:200]))
    with pytest.raises(PrerequisiteError, match="is not finished; run its parrotlet lines command"):
        calibrate(["--run", str(run)])  # the lines of one kind come first
    write_run(run, model)
    (run / "answers.jsonl").write_text("".join(json.dumps(r) + "\n" for r in records[:40]))
    with pytest.raises(ConfigError, match="has 40 suggested lines, but at least 50"):
        calibrate(["--run", str(run)])
    (run / "answers.jsonl").write_text("".join(json.dumps(r) + "\n" for r in records))
    assert calibrate(["--run", str(run), "--dry-run"]) == 0
    assert Calibration.of(load_artifact(model).manifest.evaluation) is None
    assert calibrate(["--run", str(run)]) == 0
    assert "balanced" in capsys.readouterr().out
    curve = Calibration.of(load_artifact(model).manifest.evaluation)
    assert curve.share(-0.1) > 0.6
    assert curve.share(-3.0) < 0.2


def test_a_run_of_lines_does_not_calibrate_a_model_that_has_changed(tmp_path, tiny_artifact):
    """If it fails, a model that was trained again gets the curve of the weights before."""
    model, run = copy_with_gate(tiny_artifact, tmp_path / "model"), tmp_path / "run"
    run.mkdir()
    answers = [
        {"kind": "mid", "log_prob": -n / 10, "exact": n % 7 < 3 + (n < 30)} for n in range(60)
    ]
    (run / "answers.jsonl").write_text("".join(json.dumps(r) + "\n" for r in answers))
    write_run(run, model, memory_sha256=file_sha256(model / MEMORY_FILE))
    assert calibrate(["--run", str(run), "--dry-run"]) == 0
    write_run(run, model, memory_sha256="another gate's")
    with pytest.raises(ConfigError, match=r"has changed since .* run parrotlet lines again"):
        calibrate(["--run", str(run)])
    (model / MEMORY_FILE).unlink()
    with pytest.raises(ConfigError, match="has changed since"):
        calibrate(["--run", str(run)])
    write_run(run, model, memory_sha256="")
    assert calibrate(["--run", str(run), "--dry-run"]) == 0
    write_run(run, model, weights_sha256="other weights'")
    with pytest.raises(ConfigError, match="has changed since"):
        calibrate(["--run", str(run)])
    (model / WEIGHTS_FILE).unlink()
    with pytest.raises(ArtifactError, match="there is no model in"):
        calibrate(["--run", str(run)])
    write_run(run, tiny_artifact, command="infill")
    with pytest.raises(ConfigError, match=r"contains no run of parrotlet lines .*infill"):
        calibrate(["--run", str(run)])
