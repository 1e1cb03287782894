"""The report of a run, drawn from whatever its metrics contain."""

import json

import pytest

from training.artifact.network.config import GPT2Config
from training.foundation.errors import CorpusError
from training.run.page import write_run_page
from training.run.run_metrics import read_metrics
from training.step.throughput import count_flops_per_token


def step(number, loss):
    return json.dumps({"event": "step", "step": number, "loss": loss})


def test_the_last_run_of_a_step_counts_and_half_a_line_is_skipped(tmp_path):
    metrics = tmp_path / "metrics.jsonl"
    metrics.write_text("\n".join([step(1, 5.0), step(2, 4.0), step(2, 3.0), '{"event": "st']))
    assert [e.values["loss"] for e in read_metrics(metrics)] == [5.0, 3.0]


def test_samples_are_escaped(tmp_path):
    samples = [["<b>", "<script>alert(1)</script>"]]
    event = json.dumps({"event": "samples", "step": 1, "samples": samples})
    (tmp_path / "metrics.jsonl").write_text(f"{step(1, 2.0)}\n{event}\n")
    page = write_run_page(tmp_path).read_text()
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


def test_infinite_losses_do_not_break_the_page(tmp_path):
    lines = [step(1, 2.0), step(2, float("nan")), step(3, float("inf"))]
    (tmp_path / "metrics.jsonl").write_text("\n".join(lines))
    assert "polyline" in write_run_page(tmp_path).read_text()


def test_a_run_without_metrics_gets_one_sentence(tmp_path):
    with pytest.raises(CorpusError, match="name the folder of a run"):
        write_run_page(tmp_path)


def test_flops_per_token_are_six_per_weight_plus_attention():
    """GPT-2 small, by hand: 85M weights in layers, 38.6M in the output, 12 layers of scores."""
    found = count_flops_per_token(GPT2Config(vocab_size=50257, n_embd=768, n_layer=12, n_head=12))
    by_hand = 6 * (84_934_656 + 38_597_376) + 6 * 12 * 768 * 1024
    assert found == by_hand
