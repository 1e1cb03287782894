"""The contender: a plain compiled loop, as one who knows the field would write it first.

float32 weights, bfloat16 autocast, ``torch.compile`` of the whole network with its logits and loss,
causal flash attention across documents, fused AdamW, clipping. It does less than ours (it ignores
documents and reads no shards) on as many tokens a step and a pass.
"""

import itertools
import statistics
import time

import torch
from report_training import FEWEST_STEPS, WARM_STEPS, draw_ids, is_enough, load_config
from torch import nn
from torch.nn import functional

from training.step.hardware.peak_flops import find_peak_flops
from training.step.throughput import count_flops_per_token

PASSES = {"small": (96, 12)}  # blocks of a step and of a pass, as ours has them


class PlainLayer(nn.Module):
    """One layer with torch's own linear layers and fused attention."""

    def __init__(self, width, n_heads):
        super().__init__()
        self.n_heads = n_heads
        self.norm_1, self.norm_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x):
        b, t, c = x.shape
        parts = self.qkv(self.norm_1(x)).split(c, dim=2)
        q, k, v = (part.view(b, t, self.n_heads, -1).transpose(1, 2) for part in parts)
        y = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(y.transpose(1, 2).reshape(b, t, c))
        return x + self.down(functional.gelu(self.up(self.norm_2(x)), approximate="tanh"))


class PlainGPT(nn.Module):
    """A GPT-2 with its loss."""

    def __init__(self, network):
        super().__init__()
        width = network.n_embd
        self.tokens = nn.Embedding(network.vocab_size, width)
        self.positions = nn.Embedding(network.n_positions, width)
        layers = (PlainLayer(width, network.n_head) for _ in range(network.n_layer))
        self.layers = nn.ModuleList(layers)
        self.norm = nn.LayerNorm(width)
        nn.init.normal_(self.tokens.weight, std=0.02)

    def forward(self, ids):
        x = self.tokens(ids) + self.positions.weight[: ids.shape[1]]
        for layer in self.layers:
            x = layer(x)
        logits = functional.linear(self.norm(x), self.tokens.weight)
        targets = ids[:, 1:].flatten()
        return functional.cross_entropy(logits[:, :-1].flatten(0, 1), targets)


def measure_contender(device, name, *, is_tiny):
    """Yields the speed of the loop with a config's network."""
    config, where = load_config(name, is_tiny=is_tiny), torch.device(device)
    batch, micro = (4, 2) if is_tiny else PASSES[name]
    network = config.model.gpt2(
        vocab_size=config.tokenizer.vocab_size, n_positions=config.shards.block_tokens
    )
    began = time.perf_counter()
    model = PlainGPT(network).to(where)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5, betas=(0.9, 0.95), fused=True)
    compute_loss = torch.compile(model) if device == "cuda" else model
    steps = 1 + WARM_STEPS + FEWEST_STEPS
    blocks = torch.from_numpy(draw_ids(config, batch * steps)).view(steps, batch, -1)
    if device == "cuda":
        blocks = blocks.pin_memory()
    seconds = []
    for step in itertools.count():
        started = time.perf_counter()
        optimizer.zero_grad(set_to_none=True)
        for ids in blocks[step % steps].split(micro):
            with torch.autocast(device, dtype=torch.bfloat16):
                loss = compute_loss(ids.to(where, non_blocking=True))
            (loss * micro / batch).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        loss.item()
        seconds.append(time.perf_counter() - started)
        if step + 1 == WARM_STEPS:
            first_s = time.perf_counter() - began
        if is_enough(seconds[WARM_STEPS:], is_tiny=is_tiny):
            break
    tokens_per_s = batch * network.n_positions / statistics.median(seconds[WARM_STEPS:])
    peak = find_peak_flops(torch.bfloat16, where)
    mfu = 100 * tokens_per_s * count_flops_per_token(network) / peak.flops_per_s
    note = f"{micro} of {batch} blocks a pass, across documents"
    yield {"figure": "plain loop", "value": tokens_per_s, "unit": "tokens/s", "note": note}
    yield {"figure": "plain loop: MFU", "value": mfu, "unit": "%"}
    yield {"figure": f"plain loop: until step {WARM_STEPS}", "value": first_s, "unit": "s"}
