"""Tokens per second of ``training/pretrain.py`` beside other ways to train the same network.

Run: ``python tests/benchmarks/training/pretraining.py [--rounds N] [--only NAME ...]``. Each
contestant trains the default config's model, in a process of its own, on blocks of the standard
library; they take turns, and the ratios printed are of the medians over all rounds. The others are
``transformers.Trainer`` as it comes, the same with tcmalloc, and a plain loop in the manner of
nanoGPT (bf16 autocast, whole logits, fused AdamW) with tcmalloc. All take the same number of blocks
a step and pay for their own data loading.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional

from training.processes.allocator import find_tcmalloc
from training.shards.blocks import BlockReader

ROOT = Path(__file__).resolve().parents[3]
TOKENIZER = ROOT / "server/model"
BATCH_BLOCKS, MICRO_BLOCKS = 16, 8  # as the default config has them
WARMUP_STEPS, TIMED_STEPS = 2, 4
WIDTH, LAYERS, HEADS = 384, 6, 6  # the default config's model
CONTESTANTS = {  # name: (function, whether tcmalloc is preloaded)
    "ours": ("ours", True),
    "Trainer": ("trainer", False),
    "Trainer, tcmalloc": ("trainer", True),
    "autocast loop, tcmalloc": ("autocast", True),
}


def ours(shards):
    """The real command; its own record says how fast it was."""
    with tempfile.TemporaryDirectory() as folder:
        settings = [
            f"paths.shards={shards}",
            f"paths.run={folder}/run",
            f"pretrain.steps={WARMUP_STEPS + TIMED_STEPS}",
            "pretrain.tracker=none",
        ]
        launch = [sys.executable, "-m", "accelerate.commands.launch", "--cpu", "--num_processes=1"]
        subprocess.run(
            [*launch, "training/pretrain.py", "training/configs/default.toml", *settings],
            cwd=ROOT,
            check=True,
            capture_output=True,
        )
        lines = (Path(folder) / "run/metrics.jsonl").read_text().splitlines()
    steps = [e for e in map(json.loads, lines) if e["event"] == "step"][WARMUP_STEPS:]
    return len(steps) / sum(1 / e["tokens_per_s"] for e in steps)


def trainer(shards):
    """``transformers.Trainer`` with its defaults, told only what to train and not to use a GPU."""
    from transformers import GPT2Config, GPT2LMHeadModel, Trainer, TrainerCallback
    from transformers import TrainingArguments as Arguments

    reader = BlockReader(shards, "train")

    class Blocks(torch.utils.data.Dataset):
        def __len__(self):
            return len(reader)

        def __getitem__(self, index):
            ids = torch.from_numpy(reader.read_block(index))
            return {"input_ids": ids, "labels": ids}

    times = []

    class Clock(TrainerCallback):
        def on_step_end(self, *_args, **_settings):
            times.append(time.perf_counter())

    shape = {"n_embd": WIDTH, "n_layer": LAYERS, "n_head": HEADS, "vocab_size": vocabulary(reader)}
    with tempfile.TemporaryDirectory() as folder:
        arguments = Arguments(
            output_dir=folder,
            per_device_train_batch_size=MICRO_BLOCKS,
            gradient_accumulation_steps=BATCH_BLOCKS // MICRO_BLOCKS,
            max_steps=WARMUP_STEPS + TIMED_STEPS,
            use_cpu=True,
            report_to=[],
            save_strategy="no",
            disable_tqdm=True,
        )
        model = GPT2LMHeadModel(GPT2Config(**shape))
        Trainer(model, arguments, train_dataset=Blocks(), callbacks=[Clock()]).train()
    seconds = times[-1] - times[WARMUP_STEPS - 1]
    return TIMED_STEPS * BATCH_BLOCKS * reader.block_tokens / seconds


def autocast(shards):
    """A plain loop: fp32 weights, bf16 autocast, whole logits, fused AdamW, clipping."""
    reader = BlockReader(shards, "train")
    model = PlainGPT(vocabulary(reader), reader.block_tokens)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.95), fused=True)
    for step in range(WARMUP_STEPS + TIMED_STEPS):
        if step == WARMUP_STEPS:
            started = time.perf_counter()
        batch = reader.read_batch(step * BATCH_BLOCKS, BATCH_BLOCKS, seed=0).ids
        optimizer.zero_grad(set_to_none=True)
        for blocks in torch.from_numpy(batch).split(MICRO_BLOCKS):
            with torch.autocast("cpu", dtype=torch.bfloat16):
                logits = model(blocks[:, :-1])
                loss = functional.cross_entropy(logits.flatten(0, 1), blocks[:, 1:].flatten())
            (loss * MICRO_BLOCKS / BATCH_BLOCKS).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        loss.item()
    seconds = time.perf_counter() - started
    return TIMED_STEPS * BATCH_BLOCKS * reader.block_tokens / seconds


class PlainLayer(nn.Module):
    """One layer with torch's own linear layers and fused attention."""

    def __init__(self):
        super().__init__()
        self.norm_1, self.norm_2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.qkv, self.out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.up, self.down = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)

    def forward(self, x):
        b, t, c = x.shape
        parts = self.qkv(self.norm_1(x)).split(c, dim=2)
        q, k, v = (part.view(b, t, HEADS, c // HEADS).transpose(1, 2) for part in parts)
        y = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(y.transpose(1, 2).reshape(b, t, c))
        return x + self.down(functional.gelu(self.up(self.norm_2(x))))


class PlainGPT(nn.Module):
    """A GPT-2 as one would write it first."""

    def __init__(self, n_vocabulary, n_positions):
        super().__init__()
        self.tokens = nn.Embedding(n_vocabulary, WIDTH)
        self.positions = nn.Embedding(n_positions, WIDTH)
        self.layers = nn.ModuleList(PlainLayer() for _ in range(LAYERS))
        self.norm = nn.LayerNorm(WIDTH)
        self.head = nn.Linear(WIDTH, n_vocabulary, bias=False)
        self.tokens.weight = self.head.weight
        nn.init.normal_(self.head.weight, std=0.02)

    def forward(self, ids):
        x = self.tokens(ids) + self.positions.weight[: ids.shape[1]]
        for layer in self.layers:
            x = layer(x)
        return self.head(self.norm(x))


def vocabulary(reader):
    return reader.meta.vocab_size


def make_shards(folder):
    """Blocks of the standard library, in the bundled vocabulary."""
    corpus, shards = folder / "corpus", folder / "shards"
    python = [sys.executable, "-m"]
    made = [*python, "training.corpus", "training/configs/corpus-debug.toml", f"out={corpus}"]
    settings = [f"paths.corpus={corpus}", f"paths.tokenizer={TOKENIZER}", f"paths.shards={shards}"]
    cut = [*python, "training.prepare", "training/configs/default.toml", *settings]
    for command in (made, cut):
        subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return shards


def measure(name, shards):
    function, wants_tcmalloc = CONTESTANTS[name]
    environment = {**os.environ, "LD_PRELOAD": (wants_tcmalloc and find_tcmalloc()) or ""}
    command = [sys.executable, __file__, "--contestant", function, "--shards", str(shards)]
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    return float(done.stdout.splitlines()[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="*", choices=CONTESTANTS, default=list(CONTESTANTS))
    parser.add_argument("--shards", type=Path, help="train on these instead")
    parser.add_argument("--contestant", choices=[function for function, _ in CONTESTANTS.values()])
    options = parser.parse_args()
    if options.contestant:
        functions = {"ours": ours, "trainer": trainer, "autocast": autocast}
        print(functions[options.contestant](options.shards))
        return
    print(f"{torch.get_num_threads()} threads, {find_tcmalloc() or 'no tcmalloc on this machine'}")
    figures = {name: [] for name in options.only}
    with tempfile.TemporaryDirectory() as folder:
        shards = options.shards or make_shards(Path(folder))
        for number in range(options.rounds):
            for name, found in figures.items():
                found.append(measure(name, shards))
                print(f"round {number + 1}: {name} {found[-1]:.0f} tokens/s", flush=True)
    medians = {name: statistics.median(found) for name, found in figures.items()}
    for name, median in medians.items():
        ratio = medians.get("ours", median) / median
        print(f"{name}: {median:.0f} tokens/s, ours is {ratio:.2f} times as fast")


if __name__ == "__main__":
    main()
