"""Tokens a second and MFU of the shipped configs, by the parts of the real training loop."""

import contextlib
import dataclasses
import itertools
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from random_shards import write_random_shards

from training.config import RunConfig
from training.foundation.config_schema import load_toml
from training.shards.blocks import BlockReader
from training.step.batches import BatchLoader
from training.step.hardware.compilation import compile_layers
from training.step.loss_scale import LossScale
from training.step.model import build_model, select_dtype
from training.step.objective import LossModule
from training.step.optim import MasterOptimizer
from training.step.parallel import parallelise
from training.step.throughput import ThroughputMeter

ROOT = Path(__file__).resolve().parents[3]
WARM_STEPS = 3  # the first ones compile
MEASURE_S = 6.0
FEWEST_STEPS = 3
# Blocks of a step and of a pass, on one GPU: as the config has them, and as they suit the GPU. The
# largest config's step would take half a minute, so its step is shorter.
VARIANTS: dict[str, dict[str, dict[str, Any]]] = {
    "default": {
        "as configured": {},
        "large passes": {"batch_blocks": 64, "micro_batch_blocks": 64},
    },
    "small": {
        "as configured": {"batch_blocks": 96},
        "uncompiled": {"batch_blocks": 96, "compile": "off"},
    },
    "xl": {"recomputed": {"batch_blocks": 16, "micro_batch_blocks": 8, "shard_model": False}},
}
TINY = {"n_embd": 32, "n_layer": 2, "n_head": 2}


def load_config(name, *, is_tiny):
    """Returns a shipped config; a tiny network on tiny blocks for the dry run."""
    config = load_toml(RunConfig, ROOT / "training" / "configs" / f"{name}.toml")
    if not is_tiny:
        return config
    return dataclasses.replace(
        config,
        model=dataclasses.replace(config.model, **TINY),
        tokenizer=dataclasses.replace(config.tokenizer, vocab_size=512),
        shards=dataclasses.replace(config.shards, block_tokens=64),
        pretrain=dataclasses.replace(config.pretrain, micro_batch_blocks=2, dtype="float32"),
    )


def measure_config(device, name, *, is_tiny):
    """Yields the speed of a config in each of its variants."""
    config = load_config(name, is_tiny=is_tiny)
    with tempfile.TemporaryDirectory() as folder:
        shards = write_random_shards(Path(folder), config, n_blocks=64 if is_tiny else 512)
        for variant, settings in VARIANTS[name].items():
            if is_tiny:
                settings = {**settings, "batch_blocks": 4, "micro_batch_blocks": 2}  # noqa: PLW2901
            changed = dataclasses.replace(config.pretrain, **settings)
            run = dataclasses.replace(config, pretrain=changed)
            with clean_memory():
                yield from measure_run(run, shards, variant, is_tiny=is_tiny)


@contextlib.contextmanager
def clean_memory():
    """Gives the device's memory back, and measures its peak anew."""
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    torch._dynamo.reset()
    yield


def measure_run(config, shards, variant, *, is_tiny):
    """Yields the rows of one variant: what ``training/pretrain.py`` does between checkpoints."""
    accelerator = Accelerator(
        cpu=not torch.accelerator.is_available(), mixed_precision="no", dynamo_backend="no"
    )
    settings = config.pretrain
    reader = BlockReader(shards, "train")
    began = time.perf_counter()
    model = build_network(config, reader, accelerator.device)
    is_compiled = compile_layers(model, settings, accelerator.device)
    parallel = parallelise(LossModule(model, settings), settings, accelerator)
    optimizer = MasterOptimizer(model, config.optim)
    loss_scale = LossScale(next(model.parameters()).dtype)
    batches = BatchLoader(reader, settings, accelerator)
    meter = ThroughputMeter(model, batches.step_tokens, accelerator)
    seconds, losses = [], []
    for step in itertools.count(1):
        started = time.perf_counter()
        total = torch.zeros((), device=accelerator.device)
        for number, batch in enumerate(batches.load(step), start=1):
            with parallel.accumulate(is_last=number == batches.n_micro_batches):
                loss, _ = parallel(*batch)
                accelerator.backward(loss * (loss_scale.value / batches.n_micro_batches))
            total += loss.detach()
        optimizer.take_gradients(loss_scale.value)
        loss_scale.update(optimizer.clip_gradients())  # waits for the device
        optimizer.step(0.01)
        losses.append(float(total) / batches.n_micro_batches)
        seconds.append(time.perf_counter() - started)
        if step == WARM_STEPS:  # at once, in case there is no time for more
            first_s, first = time.perf_counter() - began, batches.step_tokens / seconds[-1]
            yield {
                "figure": f"{variant}: until step {WARM_STEPS}",
                "value": first_s,
                "unit": "s",
                "note": f"which ran at {first:,.0f} tokens/s",
            }
        if is_enough(seconds[WARM_STEPS:], is_tiny=is_tiny):
            break
    batches.close()
    parallel.close()
    speed = meter.measure(statistics.median(seconds[WARM_STEPS:]))
    layers = "compiled" if is_compiled else "not compiled"
    note = f"{settings.micro_batch_blocks} of {settings.batch_blocks} blocks a pass, {layers}"
    yield {"figure": variant, "value": speed.tokens_per_s, "unit": "tokens/s", "note": note}
    yield {
        "figure": f"{variant}: MFU",
        "value": 100 * speed.mfu,
        "unit": "%",
        "note": f"of {meter.peak_flops_per_s / 1e12:.4g} TFLOP/s ({meter.peak_source})",
    }
    yield {"figure": f"{variant}: loss", "value": losses[-1], "unit": f"from {losses[0]:.3f}"}
    if accelerator.device.type == "cuda":
        peak = torch.cuda.max_memory_allocated() / 2**30
        yield {"figure": f"{variant}: memory", "value": peak, "unit": "GiB"}


def is_enough(seconds, *, is_tiny):
    """Says whether the steps so far tell how long one takes."""
    return len(seconds) >= FEWEST_STEPS and (is_tiny or sum(seconds) >= MEASURE_S)


def build_network(config, reader, device):
    """Returns the network; on a GPU, where it is drawn in no time, not with training's weights."""
    network = config.model.gpt2(vocab_size=reader.meta.vocab_size, n_positions=reader.block_tokens)
    settings = config.pretrain
    if device.type == "cpu":
        return build_model(network, settings, device)
    from training.artifact.network.gpt2 import GPT2

    with device:
        model = GPT2(network)
        for name, parameter in model.named_parameters():
            if parameter.ndim > 1:
                torch.nn.init.normal_(parameter, std=0.02 if "wpe" not in name else 0.01)
    model.transformer.gradient_checkpointing = settings.gradient_checkpointing
    return model.to(dtype=select_dtype(settings.dtype, device))


def draw_ids(config, n_blocks, seed=0):
    """Returns random ids ``[n, T]``, frequent ones first, as BPE has them."""
    chance = np.random.default_rng(seed)
    vocab_size = config.tokenizer.vocab_size
    shape = (n_blocks, config.shards.block_tokens)
    return (vocab_size * chance.random(shape) ** 3).astype(np.int64)
