"""The network against transformers' own, and its parts against their plain versions."""

import dataclasses

import pytest
import torch

from training.artifact.network.attention import causal_attention, fused_attention
from training.artifact.network.config import GPT2Config, parameter_shapes, transformers_config
from training.artifact.network.document_spans import DocumentSpans
from training.artifact.network.gpt2 import GPT2
from training.step.init_weights import initialise

CONFIG = GPT2Config(vocab_size=160, n_positions=700, n_embd=32, n_layer=2, n_head=4)


@pytest.fixture
def model():
    network = GPT2(CONFIG)
    initialise(network, torch.Generator().manual_seed(0))
    return network


@pytest.mark.parametrize("activation", ["gelu", "gelu_new"])
@pytest.mark.parametrize("n_tokens", [1, 7, 300, 700])
def test_logits_equal_transformers(n_tokens, activation):
    """If it fails, the artifact means something else to transformers than to us."""
    transformers = pytest.importorskip("transformers")
    config = dataclasses.replace(CONFIG, activation_function=activation)
    model = GPT2(config)
    initialise(model, torch.Generator().manual_seed(0))
    values = transformers_config(config, end_of_text_id=0, dtype="float32")
    values = {k: v for k, v in values.items() if k not in {"architectures", "model_type", "dtype"}}
    theirs = transformers.GPT2LMHeadModel(transformers.GPT2Config(**values)).eval()
    weights = {**model.state_dict(), "lm_head.weight": model.transformer.wte.weight}
    theirs.load_state_dict(weights)
    ids = torch.randint(0, 160, (2, n_tokens))
    with torch.no_grad():
        torch.testing.assert_close(model(ids), theirs(ids).logits, atol=2e-5, rtol=1e-4)


FIRSTS = {  # of each document of a row, by row
    "one document": None,
    "rows alike": [[0, 3, 290], [0, 3, 290], [0, 3, 290]],
    "rows apart": [[0, 100, 101, 256], [0], [0, 100]],
}


@pytest.mark.parametrize("n_tokens", [5, 256, 257, 600])
@pytest.mark.parametrize("edges", FIRSTS.values(), ids=FIRSTS)
def test_attention_by_spans_equals_the_fused_kernel(n_tokens, edges):
    """If it fails, the model sees the future, another document, or learns from wrong gradients."""
    qkv = torch.randn(3, n_tokens, 3, 2, 8, dtype=torch.float64, requires_grad=True)
    documents = edges and DocumentSpans(firsts_of(edges, n_tokens))
    plain = fused_attention(qkv, documents and documents.mask)
    wanted = torch.autograd.grad(plain.square().sum(), qkv)
    ours = causal_attention(qkv, documents)
    found = torch.autograd.grad(ours.square().sum(), qkv)
    torch.testing.assert_close(ours, plain)
    torch.testing.assert_close(found, wanted)


def test_a_document_in_a_block_has_the_logits_it_has_alone(model):
    """If it fails, attention or positions cross from one document into the next."""
    ids = torch.randint(0, 160, (1, 300))
    documents = DocumentSpans(firsts_of([[0, 40, 41]], 300))
    with torch.no_grad():
        together = model.logits(model.compute_hidden(ids, documents=documents))
        for start, end in ((0, 40), (40, 41), (41, 300)):
            alone = model(ids[:, start:end])
            torch.testing.assert_close(together[:, start:end], alone, atol=2e-5, rtol=1e-4)


def firsts_of(edges, n_tokens):
    firsts = torch.zeros(len(edges), n_tokens, dtype=torch.long)
    for row, starts in enumerate(edges):
        for start in starts:
            firsts[row, start:] = min(start, n_tokens)
    return firsts


def test_padding_behind_a_token_cannot_change_it(model):
    """If it fails, the model looks into the future and its loss is a lie."""
    ids = torch.randint(0, 160, (1, 40))
    changed = ids.clone()
    changed[0, 25:] = 3
    with torch.no_grad():
        torch.testing.assert_close(model(ids)[:, :25], model(changed)[:, :25])


@pytest.mark.parametrize(("n_embd", "n_layer", "n_positions"), [(8, 1, 4), (24, 3, 64)])
def test_the_shapes_that_are_said_are_the_networks(n_embd, n_layer, n_positions):
    """If it fails, every artifact is refused, or a wrong one is not."""
    config = GPT2Config(
        vocab_size=64, n_positions=n_positions, n_embd=n_embd, n_layer=n_layer, n_head=4
    )
    shapes = {name: tuple(p.shape) for name, p in GPT2(config).named_parameters()}
    assert list(parameter_shapes(config).items()) == list(shapes.items())
