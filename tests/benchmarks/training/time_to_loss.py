"""Time to a validation loss: ours against CodeParrot's recipe, the same network, data and machine.

Run: ``python tests/benchmarks/training/time_to_loss.py --corpus FOLDER [--minutes 20]``. First
CodeParrot's recipe trains for the given time, with its cosine ending there; then ``accelerate
launch training/pretrain.py`` with its dial set to half of that time. Printed are both ends, and how
low ours was on the way. Both are judged on the held-out packages, left to right, in bits a byte,
each within a block as it was trained (CodeParrot's recipe does not know where documents end).

CodeParrot's recipe (Tunstall et al. 2022, "Natural Language Processing with Transformers", and its
training script): transformers' GPT-2, documents end to end with a token between, cut into blocks
anywhere; AdamW at 5e-4, weight decay 0.1 but on biases and norms, clipping at 1, cosine with
warm-up. Of its settings only what is meant for 29 billion tokens is scaled: blocks a step, and the
warm-up (the same share as its 2,000 of 150,000 steps, but at least 20). It gets Accelerate's bf16
autocast and tcmalloc, and its data is made before the clock runs.
"""

import argparse
import math
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pyarrow.parquet as pq
import torch

from training.artifact.directory import load_artifact
from training.artifact.network.document_spans import DocumentSpans
from training.artifact.tokenizer import CodeTokenizer
from training.processes.allocator import restart_with_tcmalloc
from training.shards.blocks import BlockReader
from training.step.loss import token_losses
from training.validate import count_token_bytes, spread_indices

ROOT = Path(__file__).resolve().parents[3]
CONFIG = "training/configs/default.toml"
TOKENIZER = ROOT / "server/model"
BLOCK_TOKENS, BATCH_BLOCKS = 1024, 8
SHAPE = {"n_embd": 384, "n_layer": 6, "n_head": 6}  # the default config's model
RATE, DECAY, WARMUP_SHARE, MIN_WARMUP = 5e-4, 0.1, 2000 / 150_000, 20
JUDGED_BLOCKS = 128
SPEED_STEPS = 3
CHECKED_STEPS = 50  # ours is judged every so many


def stream_of_blocks(corpus, n_blocks, tokenizer):
    """CodeParrot's packing: documents in a random order, end to end, cut anywhere."""
    files = sorted((corpus / "train").glob("*.parquet"))
    texts = [text for file in files for text in pq.read_table(file)["text"].to_pylist()]
    chance = torch.Generator().manual_seed(0)
    ids = []
    for index in torch.randperm(len(texts), generator=chance).tolist():
        ids += [*tokenizer.encode(texts[index]), tokenizer.end_of_text_id]
        if len(ids) >= n_blocks * BLOCK_TOKENS:
            break
    whole = len(ids) // BLOCK_TOKENS
    return torch.tensor(ids[: whole * BLOCK_TOKENS]).view(whole, BLOCK_TOKENS)


def codeparrot(corpus, minutes):
    """Trains by the recipe; returns the network, its seconds and its tokens."""
    from accelerate import Accelerator
    from transformers import GPT2Config, GPT2LMHeadModel, get_scheduler

    tokenizer = CodeTokenizer.load(TOKENIZER / "tokenizer.json")
    most = int(minutes * 60 * 6000 / BLOCK_TOKENS)  # tokens a second that no CPU here reaches
    blocks = stream_of_blocks(corpus, most, tokenizer)
    torch.manual_seed(0)
    accelerator = Accelerator(cpu=True, mixed_precision="bf16")
    shape = {**SHAPE, "vocab_size": tokenizer.vocab_size, "n_positions": BLOCK_TOKENS}
    model = GPT2LMHeadModel(GPT2Config(**shape))
    is_plain = ("bias", "ln_1.weight", "ln_2.weight", "ln_f.weight")
    named = list(model.named_parameters())
    groups = [
        {"params": [p for n, p in named if not n.endswith(is_plain)], "weight_decay": DECAY},
        {"params": [p for n, p in named if n.endswith(is_plain)], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=RATE)
    model, optimizer = accelerator.prepare(model, optimizer)

    def step(number):
        batch = blocks[number * BATCH_BLOCKS : (number + 1) * BATCH_BLOCKS]
        loss = model(batch, labels=batch, use_cache=False).loss
        accelerator.backward(loss)
        accelerator.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()

    for group in optimizer.param_groups:
        group["lr"] = 0.0
    started = time.perf_counter()
    for number in range(SPEED_STEPS):
        step(number)
    step_s = (time.perf_counter() - started) / SPEED_STEPS
    n_steps = min(int(minutes * 60 / step_s), len(blocks) // BATCH_BLOCKS)
    for group in optimizer.param_groups:
        group["lr"] = group["initial_lr"] = RATE
    optimizer.state.clear()
    warmup = max(MIN_WARMUP, round(WARMUP_SHARE * n_steps))
    schedule = get_scheduler("cosine", optimizer, warmup, n_steps)
    started = time.perf_counter()
    for number in range(n_steps):
        step(number)
        schedule.step()
    seconds = time.perf_counter() - started
    return accelerator.unwrap_model(model).eval(), seconds, n_steps * BATCH_BLOCKS * BLOCK_TOKENS


def judged(hidden_of, weight, reader, token_bytes):
    """Returns the bits a byte of a network on blocks that are text from left to right."""
    nats, n_bytes = 0.0, 0
    for index in spread_indices(len(reader), JUDGED_BLOCKS):
        found = reader.read_blocks([index])
        ids, firsts = torch.from_numpy(found.ids), torch.from_numpy(found.firsts)
        with torch.no_grad():
            hidden = hidden_of(ids[:, :-1], firsts[:, :-1])
        nats += float(token_losses(hidden[0], weight, ids[0, 1:]).double().sum())
        n_bytes += int(token_bytes[ids[0, 1:]].sum())
    return nats / math.log(2) / n_bytes


def prepare(settings):
    command = [sys.executable, "-m", "training.prepare", CONFIG, *settings]
    subprocess.run(command, cwd=ROOT, check=True, stdout=sys.stderr)


def ours(settings, run, minutes):
    """Runs the real command; yields its checkpoints and how long each had been trained."""
    launch = [sys.executable, "-m", "accelerate.commands.launch", "--cpu", "--num_processes=1"]
    dial = ["size=17M", f"budget={minutes}min", "pretrain.tracker=none", f"paths.run={run}"]
    dial += [f"pretrain.{key}={CHECKED_STEPS}" for key in ("save_every_steps", "keep_every_steps")]
    command = [*launch, "training/pretrain.py", CONFIG, *settings, *dial]
    subprocess.run(command, cwd=ROOT, check=True, stdout=sys.stderr)
    for path in sorted((run / "checkpoints").iterdir()):
        artifact = load_artifact(path)
        yield artifact, artifact.manifest.training.train_seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", type=Path, default=Path("runs/corpus/default"))
    parser.add_argument("--minutes", type=float, default=20.0, help="of CodeParrot's recipe")
    options = parser.parse_args()
    corpus = options.corpus.resolve()
    tokenizer = CodeTokenizer.load(TOKENIZER / "tokenizer.json")
    token_bytes = count_token_bytes(tokenizer)
    data = [f"paths.corpus={corpus}", f"paths.tokenizer={TOKENIZER}"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare([*data, f"paths.shards={folder / 'plain'}", "shards.fim.rate=0"])
        reader = BlockReader(folder / "plain", "heldout")
        theirs, their_s, their_tokens = codeparrot(corpus, options.minutes)
        weight = theirs.transformer.wte.weight

        def hidden_of(ids, _firsts):
            return theirs.transformer(ids).last_hidden_state

        wanted = judged(hidden_of, weight, reader, token_bytes)
        print(
            f"CodeParrot's recipe: {wanted:.4f} bits a byte after {their_s:.0f} s,"
            f" {their_tokens / 1e6:.2f}M tokens",
            flush=True,
        )
        shards = f"paths.shards={folder / 'shards'}"
        prepare([*data, shards])
        for artifact, seconds in ours([*data, shards], folder / "run", options.minutes / 2):
            model = artifact.model()
            found = judged(
                lambda ids, firsts, model=model: model.compute_hidden(
                    ids, documents=DocumentSpans(firsts)
                ),
                model.transformer.wte.weight,
                reader,
                token_bytes,
            )
            tokens = artifact.manifest.training.tokens_seen
            sign = "as low" if found <= wanted else "higher"
            print(
                f"ours: {found:.4f} bits a byte after {seconds:.0f} s, {tokens / 1e6:.2f}M tokens:"
                f" {sign}, {seconds / their_s:.2f} of the time",
                flush=True,
            )


if __name__ == "__main__":
    restart_with_tcmalloc()
    main()
