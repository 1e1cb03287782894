"""The mask by tiles that GPUs train with, against the dense mask; its kernel's plain form."""

import warnings

import pytest
import torch
from torch.nn.attention.flex_attention import create_block_mask, create_mask, flex_attention

from training.artifact.network.attention import fused_attention, select_boundaries
from training.artifact.network.document_spans import DocumentSpans
from training.artifact.network.flex_attention import (
    TILE,
    attend_within_tiles,
    has_flex_kernel,
    mask_within,
    tile_documents,
)

EDGES = [[0], [0, 1, 2, 3], [0, 100, 101, 256], [0, 127, 128, 129], [0, 128, 256], [0, 255, 383]]


def make_firsts(n_tokens):
    firsts = torch.zeros(len(EDGES), n_tokens, dtype=torch.long)
    for row, starts in enumerate(EDGES):
        for start in starts:
            firsts[row, start:] = min(start, n_tokens)
    return firsts


@pytest.mark.parametrize("n_tokens", [16, 128, 300, 384])
def test_tiles_and_pairs_are_those_of_the_dense_mask(n_tokens):
    """If it fails, a model trained on a GPU sees other documents, or not all of its own."""
    firsts = make_firsts(n_tokens)
    dense = DocumentSpans(firsts).mask
    pairs = create_mask(mask_within(firsts), len(firsts), 1, n_tokens, n_tokens, device="cpu")
    assert torch.equal(pairs, dense)
    tiles = tile_documents(firsts)
    theirs = create_block_mask(
        mask_within(firsts), len(firsts), None, n_tokens, n_tokens, device="cpu"
    )
    assert torch.equal(tiles.to_dense(), theirs.to_dense()), "no tile more and none less"
    size = -(-n_tokens // TILE) * TILE
    padded = torch.zeros(len(firsts), size, size, dtype=torch.bool)
    padded[:, :n_tokens, :n_tokens] = dense[:, 0]
    by_tile = padded.unflatten(2, (-1, TILE)).unflatten(1, (-1, TILE))  # [B, N, TILE, N, TILE]
    assert torch.equal(whole_tiles(tiles), by_tile.all(dim=4).all(dim=2))


def whole_tiles(mask):
    """Returns which tiles the kernel computes without looking at pairs, ``[B, N, N]``."""
    counts, numbers = mask.full_kv_num_blocks[:, 0], mask.full_kv_indices[:, 0].long()
    listed = torch.arange(numbers.shape[-1]) < counts[..., None]
    return torch.zeros_like(listed).scatter(-1, numbers, listed)


@pytest.mark.parametrize("n_tokens", [16, 300])
def test_attention_by_tiles_equals_the_dense_mask(n_tokens):
    firsts = make_firsts(n_tokens)
    qkv = torch.randn(len(firsts), n_tokens, 3, 2, 16)
    q, k, v = qkv.permute(2, 0, 3, 1, 4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it is slow uncompiled
        found = flex_attention(q, k, v, block_mask=tile_documents(firsts)).transpose(1, 2)
    wanted = fused_attention(qkv, DocumentSpans(firsts).mask)
    torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-5)


def test_a_compiled_layer_takes_any_documents():
    """If it fails, a GPU compiles every batch's documents into its layers, and then gives up.

    Forward only: the kernel's backward pass needs a GPU.
    """
    torch._dynamo.reset()
    compiled = torch.compile(attend_within_tiles, backend="aot_eager", dynamic=False)
    firsts = make_firsts(300)
    with torch.no_grad():
        for number, documents in enumerate((firsts, firsts.flip(0), torch.zeros_like(firsts))):
            qkv = torch.randn(len(firsts), 300, 3, 2, 16)
            stance = "fail_on_recompile" if number else "default"
            with torch.compiler.set_stance(stance):
                found = compiled(qkv, tile_documents(documents))
            wanted = fused_attention(qkv, DocumentSpans(documents).mask)
            torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-5)


def test_the_kernel_is_for_training_on_gpus():
    """If it fails, a server pays for the kernel's build, or a GPU for a dense mask."""
    documents = DocumentSpans(make_firsts(16))
    assert select_boundaries(documents, torch.device("cpu"), 64) is documents.spans
    with torch.no_grad():
        assert select_boundaries(documents, torch.device("cuda"), 64) is documents.mask
    assert select_boundaries(None, torch.device("cuda"), 64) is None
    assert not has_flex_kernel(torch.device("cuda"), 8)
    assert not has_flex_kernel(torch.device("cpu"), 64)
