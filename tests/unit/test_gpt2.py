"""The network against transformers' own, and its parts against their plain versions."""

import pytest
import torch
from torch.nn import functional

from training.artifact.attention import blocked_attention
from training.artifact.gpt2 import GPT2
from training.artifact.shape import GPT2Config, transformers_config
from training.initial import initialise
from training.loss import next_token_loss, token_losses

CONFIG = GPT2Config(vocab_size=160, n_positions=700, n_embd=32, n_layer=2, n_head=4)


@pytest.fixture
def model():
    network = GPT2(CONFIG)
    initialise(network, torch.Generator().manual_seed(0))
    return network


@pytest.mark.parametrize("n_tokens", [1, 7, 300, 700])
def test_logits_equal_transformers(model, n_tokens):
    """If it fails, the artifact means something else to transformers than to us."""
    transformers = pytest.importorskip("transformers")
    values = transformers_config(CONFIG, end_of_text_id=0, dtype="float32")
    values = {k: v for k, v in values.items() if k not in {"architectures", "model_type", "dtype"}}
    theirs = transformers.GPT2LMHeadModel(transformers.GPT2Config(**values)).eval()
    weights = {**model.state_dict(), "lm_head.weight": model.transformer.wte.weight}
    theirs.load_state_dict(weights)
    ids = torch.randint(0, 160, (2, n_tokens))
    with torch.no_grad():
        torch.testing.assert_close(model(ids), theirs(ids).logits, atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize("n_tokens", [5, 64, 65, 200])
def test_blocked_attention_equals_the_fused_kernel(n_tokens):
    q, k, v = (torch.randn(2, 3, n_tokens, 8, dtype=torch.float64) for _ in range(3))
    for tensor in (q, k, v):
        tensor.requires_grad_()
    plain = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
    wanted = torch.autograd.grad(plain.square().sum(), (q, k, v))
    blocked = blocked_attention(q, k, v, 64)
    found = torch.autograd.grad(blocked.square().sum(), (q, k, v))
    torch.testing.assert_close(blocked, plain)
    torch.testing.assert_close(found, wanted)


def test_chunked_loss_equals_cross_entropy():
    """If it fails, training minimises something else than it prints."""
    hidden = torch.randn(2500, 16, dtype=torch.float32, requires_grad=True)
    weight = torch.randn(50, 16, dtype=torch.float32, requires_grad=True)
    targets = torch.randint(0, 50, (2500,))
    plain = functional.cross_entropy(hidden @ weight.t(), targets)
    wanted = torch.autograd.grad(plain, (hidden, weight))
    chunked = next_token_loss(hidden, weight, targets)
    found = torch.autograd.grad(chunked, (hidden, weight))
    torch.testing.assert_close(chunked, plain)
    torch.testing.assert_close(found, wanted)
    torch.testing.assert_close(token_losses(hidden, weight, targets).mean(), plain)


def test_padding_behind_a_token_cannot_change_it(model):
    """If it fails, the model looks into the future and its loss is a lie."""
    ids = torch.randint(0, 160, (1, 40))
    changed = ids.clone()
    changed[0, 25:] = 3
    with torch.no_grad():
        torch.testing.assert_close(model(ids)[:, :25], model(changed)[:, :25])
