"""A tiny network, its batches, and its exact loss and gradients by plain float64 arithmetic."""

import torch
from torch.nn import functional

from training.artifact.network.config import GPT2Config
from training.artifact.network.document_spans import DocumentSpans
from training.artifact.network.gpt2 import GPT2
from training.config import PretrainConfig
from training.shards.blocks import Blocks
from training.step.init_weights import initialise
from training.step.objective import LossModule

CONFIG = GPT2Config(vocab_size=320, n_positions=200, n_embd=64, n_layer=2, n_head=2)
EXACT = PretrainConfig(dtype="float32", rare_token_slices=1, batch_blocks=4, micro_batch_blocks=4)
CPU = torch.device("cpu")
EDGES = ([0], [0, 60, 61], [0, 128, 129], [0, 10, 199])  # of the documents in each row


def make_network(device=CPU, dtype=torch.float32):
    """Returns the network, with the same weights on every device."""
    network = GPT2(CONFIG)
    initialise(network, torch.Generator().manual_seed(0))
    return network.to(device, dtype)


def make_batch(device=CPU, seed=0):
    """Returns ids, firsts and kinds ``[4, 200]`` of several documents a row."""
    chance = torch.Generator().manual_seed(seed)
    ids = torch.randint(0, CONFIG.vocab_size, (len(EDGES), CONFIG.n_positions), generator=chance)
    firsts = torch.zeros_like(ids)
    for row, edges in enumerate(EDGES):
        for edge in edges:
            firsts[row, edge:] = edge
    is_fim = torch.rand(ids.shape, generator=chance) < 0.5
    return ids.to(device), firsts.to(device), is_fim.to(device)


def compute_gradients(network, batch, teacher=None):
    """Returns the loss and the gradients by name, on the CPU in float32, as training has them."""
    loss, _ = LossModule(network, EXACT, teacher)(*batch)
    loss.backward()
    found = {n: p.grad.float().cpu() for n, p in network.named_parameters()}
    network.zero_grad(set_to_none=True)
    return float(loss.detach()), found


def compute_exactly(batch):
    """Returns the same by other means: a dense mask, whole logits, torch's loss, float64."""
    network = make_network(dtype=torch.float64)
    ids, firsts, _ = batch
    for block in network.transformer.h:
        block.attn.forward = DenseAttention(block.attn, DocumentSpans(firsts).mask)
    hidden = network.compute_hidden(ids, documents=DocumentSpans(firsts))
    logits = network.logits(hidden)[:, :-1]
    loss = functional.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten())
    loss.backward()
    return float(loss.detach()), {n: p.grad.float() for n, p in network.named_parameters()}


class DenseAttention:
    """Attention as one would write it first."""

    def __init__(self, attention, mask):
        self.attention, self.mask = attention, mask

    def __call__(self, x, _cache, _boundaries):
        b, t, c = x.shape
        heads = (b, t, self.attention.n_head, -1)
        q, k, v = (
            part.view(heads).transpose(1, 2) for part in self.attention.c_attn(x).split(c, 2)
        )
        scores = q @ k.transpose(2, 3) * q.shape[-1] ** -0.5
        weights = scores.masked_fill(~self.mask, -torch.inf).softmax(-1)
        return self.attention.c_proj((weights @ v).transpose(1, 2).reshape(b, t, c))


def distance(found, wanted):
    """Returns how far gradients are apart, as a share of their length, all parameters at once."""
    difference = sum(float((found[name] - wanted[name]).square().sum()) for name in wanted)
    return (difference / sum(float(w.square().sum()) for w in wanted.values())) ** 0.5


class RandomBlocks:
    """Held-out or training blocks without files; a reader as far as the tests need one."""

    block_tokens = CONFIG.n_positions

    def __init__(self, n_blocks):
        self.batches = [make_batch(seed=seed) for seed in range(n_blocks)]

    def read_block(self, index):
        return self.read_blocks([index]).ids[0]

    def read_blocks(self, indices):
        parts = zip(*(self.batches[i] for i in indices), strict=True)
        rows = [
            torch.stack([t[i % len(EDGES)] for i, t in zip(indices, p, strict=True)]) for p in parts
        ]
        return Blocks(*(row.numpy() for row in rows))

    def read_batch(self, position, n_blocks, *, seed):
        first = position + seed
        return self.read_blocks([i % len(self.batches) for i in range(first, first + n_blocks)])
