"""How fast a network is on this very machine, with as many processes as will train it."""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from training.artifact.network.gpt2 import GPT2
from training.autoconfig.sizing import Data
from training.config import RunConfig
from training.run.sample_completions import MAX_NEW_TOKENS, PROMPTS
from training.step.loss import token_losses
from training.step.model import build_network
from training.step.optim import MasterOptimizer
from training.step.parallel import ParallelLoss

MEASURE_S = 5.0
FEWEST = 3  # of each measurement; the first is slow
SAMPLE_CONTEXT = 64  # tokens before and in a sample, about


@dataclass(frozen=True, kw_only=True)
class Speed:
    """What all processes reach together, and what each validates, for all validate the same."""

    tokens_per_s: float  # of the passes through the network, forward and backward
    update_s: float
    block_s: float  # of one held-out block
    samples_s: float

    def step_s(self, tokens: float) -> float:
        """Returns the seconds of a step on so many tokens."""
        return tokens / self.tokens_per_s + self.update_s

    def validation_s(self, n_blocks: int) -> float:
        """Returns the seconds of a validation on so many blocks."""
        return n_blocks * self.block_s + self.samples_s


def measured_speed(config: RunConfig, data: Data, accelerator: Any) -> Speed:
    """Trains the network on noise for a few seconds, all processes at once."""
    device, settings = accelerator.device, config.pretrain
    shape = config.model.gpt2(vocab_size=data.vocab_size, n_positions=data.block_tokens)
    model = build_network(shape, settings, device)
    loss = ParallelLoss(model, accelerator, settings)
    optimizer = MasterOptimizer(model, config.optim)
    size = (settings.micro_batch_blocks, data.block_tokens)
    ids = torch.randint(data.vocab_size, size, device=device)
    noise = (ids, torch.zeros_like(ids), torch.zeros_like(ids, dtype=torch.bool))
    pass_s: list[float] = []
    update_s: list[float] = []
    began = _now()
    while not bool(accelerator.reduce(torch.tensor(_enough(pass_s, began), device=device))):
        started = _now()
        accelerator.backward(loss(*noise)[0])
        done = _now()
        optimizer.take_gradients()
        optimizer.clip()
        optimizer.step(0.0)
        pass_s.append(done - started)
        update_s.append(_now() - done)
    with loss.evaluating():
        block_s, token_s = _forward_s(model, ids[:1])
    loss.close()
    of_step = statistics.median(pass_s), statistics.median(update_s)
    slowest = torch.tensor([*of_step, block_s, token_s], device=device)
    of_pass, of_update, of_block, of_token = accelerator.gather(slowest[None]).amax(0).tolist()
    return Speed(
        tokens_per_s=accelerator.num_processes * ids.numel() / of_pass,
        update_s=of_update,
        block_s=of_block,
        samples_s=of_token * len(PROMPTS) * MAX_NEW_TOKENS,
    )


def _forward_s(model: GPT2, block: torch.Tensor) -> tuple[float, float]:
    """Returns the seconds of a held-out block (``[1, T]``) and of a token of a sample."""
    weight = model.transformer.wte.weight
    with torch.no_grad():
        of_block = _typical_s(
            lambda: token_losses(model.hidden(block[:, :-1])[0], weight, block[0, 1:])
        )
        context = block[:, :SAMPLE_CONTEXT]
        of_token = _typical_s(lambda: model.logits(model.hidden(context)[:, -1]))
    return of_block, of_token


def _typical_s(work: Callable[[], object]) -> float:
    seconds = []
    for _ in range(FEWEST):
        started = _now()
        work()
        seconds.append(_now() - started)
    return statistics.median(seconds)


def _enough(pass_s: Sequence[float], began: float) -> float:
    return float(len(pass_s) >= FEWEST and _now() - began > MEASURE_S)


def _now() -> float:
    """Returns the time, in seconds, when the device is done with all it was given."""
    if torch.accelerator.is_available():
        torch.accelerator.synchronize()
    return time.perf_counter()
