"""What the chapter's recipe needs beside ours: dropout, plain weights, any vocabulary."""

import dataclasses
import math
import re

import pytest
import torch

from training.artifact.directory import save_artifact
from training.artifact.manifest import Manifest
from training.artifact.network.attention import causal_attention
from training.artifact.network.config import EMBEDDING, GPT2Config
from training.artifact.network.gpt2 import GPT2
from training.config import OptimConfig, PretrainConfig
from training.foundation.errors import ConfigError
from training.step.init_weights import initialise
from training.step.model import build_model, seed_dropout
from training.step.objective import LossModule
from training.step.optim import MasterOptimizer

ODD = GPT2Config(vocab_size=389, n_positions=32, n_embd=24, n_layer=2, n_head=3)
EXACT = PretrainConfig(dtype="float32", rare_token_slices=1)
CPU = torch.device("cpu")


def batch(seed=0):
    ids = torch.randint(0, 389, (2, 32), generator=torch.Generator().manual_seed(seed))
    return ids, torch.zeros_like(ids), torch.zeros_like(ids, dtype=torch.bool)


@pytest.mark.parametrize("n_slices", [1, 4])
def test_padding_is_no_part_of_the_model(n_slices):
    """If it fails, a vocabulary of 12,500 trains a model that gives ids no text has."""
    settings = dataclasses.replace(EXACT, rare_token_slices=n_slices)
    padded = build_model(ODD, settings, CPU)
    weights = padded.state_dict()
    assert len(weights["transformer.wte.weight"]) == 448
    plain = GPT2(ODD)
    plain.load_state_dict({**weights, "transformer.wte.weight": padded.output_weight})
    losses = [LossModule(model, settings)(*batch())[0] for model in (padded, plain)]
    for loss in losses:
        loss.backward()
    assert torch.equal(*losses)
    for (name, p), (_, q) in zip(padded.named_parameters(), plain.named_parameters(), strict=True):
        assert p.grad is not None
        assert q.grad is not None
        torch.testing.assert_close(p.grad[: len(q)], q.grad, msg=name)
        assert not p.grad[len(q) :].any()
    assert padded(batch()[0]).shape[-1] == 389


def test_training_goes_on_from_a_model_of_any_vocabulary(byte_tokenizer, tmp_path):
    """Artifacts have no padding; training adds it again."""
    config = dataclasses.replace(ODD, vocab_size=byte_tokenizer.vocab_size)
    weights = build_model(config, EXACT, CPU).state_dict()
    trimmed = {**weights, EMBEDDING: weights[EMBEDDING][: config.vocab_size]}
    saved = {"config": config, "weights": trimmed, "tokenizer": byte_tokenizer}
    manifest = Manifest(context_tokens=32)
    save_artifact(tmp_path / "m", **saved, manifest=manifest, card="", dtype=torch.float32)
    settings = dataclasses.replace(EXACT, start_from=tmp_path / "m")
    found = build_model(config, settings, CPU).state_dict()
    assert len(found[EMBEDDING]) == 320 > config.vocab_size
    assert torch.equal(found[EMBEDDING][: config.vocab_size], trimmed[EMBEDDING])
    assert not found[EMBEDDING][config.vocab_size :].any()


@pytest.mark.parametrize(
    ("change", "advice"),
    [
        ({"n_positions": 64}, "; prepare the shards again with shards.block_tokens=32"),
        ({"n_layer": 3, "n_head": 2}, "; set model.n_layer=2 model.n_head=3"),
        ({"n_layer": 1, "n_positions": 8}, "layer=2, and prepare the shards again with shards."),
        ({"layer_norm_epsilon": 0.1}, "; start from another model"),
    ],
)
def test_another_network_than_the_models_is_refused_with_what_to_set(
    byte_tokenizer, tmp_path, change, advice
):
    """If it fails, the advice names a setting that does not exist."""
    config = dataclasses.replace(ODD, vocab_size=byte_tokenizer.vocab_size)
    model = build_model(config, EXACT, CPU)
    weights = {**model.state_dict(), EMBEDDING: model.output_weight}
    saved = {"config": config, "weights": weights, "tokenizer": byte_tokenizer}
    save_artifact(tmp_path / "m", **saved, manifest=Manifest(context_tokens=32), card="")
    settings = dataclasses.replace(EXACT, start_from=tmp_path / "m")
    with pytest.raises(ConfigError, match=re.escape(advice)):
        build_model(dataclasses.replace(config, **change), settings, CPU)


def test_a_vocabulary_of_whole_tiles_needs_no_padding():
    model = build_model(dataclasses.replace(ODD, vocab_size=384), EXACT, CPU)
    assert len(model.transformer.wte.weight) == 384


def test_plain_weights_are_gpt2s():
    """Radford et al.: 0.02 everywhere, projections into the residual stream by depth."""
    config = GPT2Config(vocab_size=2048, n_positions=256, n_embd=192, n_layer=3, n_head=6)
    model = GPT2(config)
    initialise(model, torch.Generator().manual_seed(0), is_plain=True)
    weights = model.state_dict()
    for name in ("wte", "wpe", "h.0.attn.c_attn", "h.0.mlp.c_fc", "h.2.attn.c_attn"):
        spread = weights[f"transformer.{name}.weight"].std().item()
        assert spread == pytest.approx(0.02, rel=0.03), name
    for name in ("h.0.attn.c_proj", "h.0.mlp.c_proj"):
        spread = weights[f"transformer.{name}.weight"].std().item()
        assert spread == pytest.approx(0.02 / math.sqrt(6), rel=0.03), name


def test_dropout_is_of_training_alone_and_in_all_three_places():
    model = build_model(ODD, dataclasses.replace(EXACT, dropout=0.5), CPU)
    ids = batch()[0]
    plain = build_model(ODD, EXACT, CPU)(ids)
    assert torch.equal(model.eval()(ids), plain)
    model.train()
    places = (model.transformer, *model.transformer.h, *(b.attn for b in model.transformer.h))
    for place in places:
        model.set_dropout(0.0)
        place.dropout = 0.5
        assert not torch.equal(model(ids), plain)


def test_attentions_dropout_keeps_its_mean():
    """The average over many masks is the output without dropout."""
    torch.manual_seed(0)
    qkv = torch.randn(1, 6, 3, 2, 8)
    mean = torch.stack([causal_attention(qkv, None, dropout=0.3) for _ in range(3000)]).mean(0)
    torch.testing.assert_close(mean, causal_attention(qkv, None), atol=0.1, rtol=0.1)


def test_what_is_dropped_depends_on_seed_step_and_process_alone():
    """If it fails, a resumed run is another run."""
    settings = dataclasses.replace(EXACT, dropout=0.1)
    drawn = {}
    for step, process in ((1, 0), (2, 0), (1, 1), (1, 0)):
        seed_dropout(settings, step, process)
        drawn.setdefault((step, process), []).append(torch.rand(()).item())
    first, again = drawn[1, 0]
    assert first == again
    assert len({values[0] for values in drawn.values()}) == 3
    torch.manual_seed(5)
    seed_dropout(EXACT, 1, 0)
    assert (
        torch.rand(()).item() == torch.rand((), generator=torch.Generator().manual_seed(5)).item()
    )


@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_position_vectors_decay_if_they_should(decay):
    model = build_model(ODD, EXACT, CPU)
    config = OptimConfig(matrices="adamw", position_decay=decay, position_rate=0.1)
    optimizer = MasterOptimizer(model, config)
    before = model.transformer.wpe.weight.detach().clone()
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step(1.0)
    torch.testing.assert_close(model.transformer.wpe.weight.detach(), before * (1 - 0.1 * decay))
