"""Where training begins."""

import pytest
import torch

from training.artifact.network.config import GPT2Config
from training.artifact.network.gpt2 import GPT2
from training.step.init_weights import FREE_HEADS, initialise

CONFIG = GPT2Config(vocab_size=1024, n_positions=128, n_embd=192, n_layer=2, n_head=6)


@pytest.fixture(scope="module")
def network():
    model = GPT2(CONFIG)
    initialise(model, torch.Generator().manual_seed(0))
    return model


def test_heads_of_the_first_layer_look_back(network):
    """Else every run spends its first millions of tokens on learning what "before" means."""
    ids = torch.randint(0, 1024, (1, 128), generator=torch.Generator().manual_seed(1))
    block = network.transformer.h[0]
    x = block.ln_1(network.transformer.wte(ids) + network.transformer.wpe.weight)
    q, k, _ = block.attn.c_attn(x).view(128, 3, 6, 32).permute(1, 2, 0, 3)  # [H, T, D]
    scores = q @ k.transpose(-1, -2) / 32**0.5
    future = torch.ones(128, 128).triu(1).bool()
    weights = scores.masked_fill(future, float("-inf")).softmax(-1)  # [H, T, T]
    for head in range(CONFIG.n_head - FREE_HEADS):
        assert weights[head].diagonal(-(head + 1)).mean() > 0.9
    assert weights[-1].diagonal(-1)[32:].max() < 0.2


def test_the_rest_is_drawn_as_gpt2s_was(network):
    matrix = network.transformer.h[1].mlp.c_fc.weight
    projection = network.transformer.h[1].mlp.c_proj.weight
    assert matrix.std().item() == pytest.approx(0.02, rel=0.05)
    assert projection.std().item() == pytest.approx(0.01, rel=0.05)
    assert network.transformer.h[1].attn.c_attn.bias.abs().max() == 0
    assert network.transformer.ln_f.weight.unique().tolist() == [1.0]


def test_a_seed_gives_the_same_weights(network):
    """Else a run cannot be repeated."""
    again = GPT2(CONFIG)
    initialise(again, torch.Generator().manual_seed(0))
    for one, other in zip(network.parameters(), again.parameters(), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize(("width", "heads"), [(6, 2), (30, 6), (16, 1), (5, 5)])
def test_odd_shapes_are_no_trouble(width, heads):
    model = GPT2(GPT2Config(vocab_size=64, n_positions=8, n_embd=width, n_layer=1, n_head=heads))
    initialise(model, torch.Generator().manual_seed(0))
    assert all(torch.isfinite(p).all() for p in model.parameters())
