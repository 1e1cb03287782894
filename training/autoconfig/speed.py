"""How fast a network trains on this machine, with as many processes as will train it."""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from training.artifact.directory import TOKENIZER_FILE
from training.artifact.network.gpt2 import GPT2
from training.artifact.tokenizer import CodeTokenizer
from training.autoconfig.sizing import DataShape
from training.config import RunConfig
from training.corpus_reader import TRAIN
from training.foundation.errors import is_out_of_memory
from training.processes.collective import is_true_anywhere
from training.processes.memory_errors import describe_shortage
from training.run.sample_completions import MAX_NEW_TOKENS, PROMPTS
from training.shards.blocks import BlockReader
from training.step.distillation import Teacher, load_teacher
from training.step.hardware.compilation import compile_layers
from training.step.loss import token_losses
from training.step.model import build_model
from training.step.objective import LossModule
from training.step.optim import MasterOptimizer
from training.step.parallel import ParallelLoss, parallelise

MEASURE_S = 5.0
MIN_REPEATS = 3  # of each measurement; the first is slow
SAMPLE_BLOCKS = 64  # in which distilled documents are counted
SAMPLE_CONTEXT = 64  # about the tokens of a prompt and its completion


@dataclass(frozen=True, kw_only=True)
class Speed:
    """Training and validation speed of all processes together; all write the same samples."""

    tokens_per_s: float  # forward and backward passes only
    update_s: float
    block_s: float  # to validate one block
    samples_s: float
    micro_batch_blocks: int  # that were measured, and fit into memory

    def step_s(self, tokens: float) -> float:
        """Returns the seconds of a step with ``tokens`` tokens."""
        return tokens / self.tokens_per_s + self.update_s

    def validation_s(self, n_blocks: int) -> float:
        """Returns the seconds of a validation on ``n_blocks`` blocks."""
        return n_blocks * self.block_s + self.samples_s


def measure_speed(
    config: RunConfig, data: DataShape, accelerator: Any, *, may_halve: bool = False
) -> Speed:
    """Trains the network on noise for a few seconds, in all processes at once.

    Args:
        config: The network, its teacher, and the micro-batch of each process.
        data: The size of vocabulary and blocks.
        accelerator: Accelerate's; all processes must call this together.
        may_halve: Whether to measure smaller micro-batches if these do not fit into memory.

    Raises:
        PrerequisiteError: The memory does not suffice; or the teacher or the shards are damaged.
    """
    device, settings = accelerator.device, config.pretrain
    network = config.model.gpt2(vocab_size=data.vocab_size, n_positions=data.block_tokens)
    model = build_model(network, settings, device)
    compile_layers(model, settings, device)
    teacher, distilled_share = _load_teacher(config, device)
    loss = parallelise(LossModule(model, settings, teacher), settings, accelerator)
    optimizer = MasterOptimizer(model, config.optim)
    noise = _make_noise(settings.micro_batch_blocks, data, device)
    while not _fits(loss, optimizer, noise, accelerator):
        if len(noise.ids) == 1 or not may_halve:
            raise describe_shortage(len(noise.ids), device)
        noise = _make_noise(len(noise.ids) // 2, data, device)
    pass_s, update_s = _time_steps(loss, optimizer, noise.text, accelerator)
    if distilled_share:
        distilled_s, update_s = _time_steps(loss, optimizer, noise.distilled, accelerator)
        pass_s += distilled_share * (distilled_s - pass_s)
    with loss.evaluate():
        block_s, token_s = _time_forward(model, noise.ids[:1])
    loss.close()
    slowest = torch.tensor([pass_s, update_s, block_s, token_s], device=device)
    pass_max_s, update_max_s, block_max_s, token_max_s = (
        accelerator.gather(slowest[None]).amax(0).tolist()
    )
    return Speed(
        tokens_per_s=accelerator.num_processes * noise.ids.numel() / pass_max_s,
        update_s=update_max_s,
        block_s=block_max_s / accelerator.num_processes,
        samples_s=token_max_s * len(PROMPTS) * MAX_NEW_TOKENS,
        micro_batch_blocks=len(noise.ids),
    )


def _load_teacher(config: RunConfig, device: torch.device) -> tuple[Teacher | None, float]:
    """Returns the teacher, if any, and the share of blocks that have something to learn from it."""
    distil, settings, shards = config.distil, config.pretrain, config.paths.shards
    if distil.teacher is None or config.stream.is_wanted:  # which refuses a teacher later
        return None, 0.0
    vocabulary = CodeTokenizer.load(shards / TOKENIZER_FILE)
    reader = BlockReader(shards, TRAIN, distilled_paths=distil.path_prefix)
    blocks = reader.read_batch(settings.first_block, SAMPLE_BLOCKS, seed=settings.seed)
    assert blocks.is_distilled is not None
    share = float(blocks.is_distilled.any(1).mean())
    length = reader.block_tokens
    return load_teacher(distil, settings, vocabulary, device, block_tokens=length), share


def _time_steps(
    loss: ParallelLoss,
    optimizer: MasterOptimizer,
    batch: tuple[torch.Tensor, ...],
    accelerator: Any,
) -> tuple[float, float]:
    """Returns the seconds of a forward and backward pass, and of an update."""
    pass_s: list[float] = []
    update_s: list[float] = []
    began, device = _now(), accelerator.device
    while not bool(accelerator.reduce(torch.tensor(_is_enough(pass_s, began), device=device))):
        started = _now()
        accelerator.backward(loss(*batch)[0])
        done = _now()
        optimizer.take_gradients()
        optimizer.clip_gradients()
        optimizer.step(0.0)
        pass_s.append(done - started)
        update_s.append(_now() - done)
    return statistics.median(pass_s), statistics.median(update_s)


@dataclass(frozen=True)
class _Noise:
    """Blocks of random tokens ``[B, T]``."""

    ids: torch.Tensor

    @property
    def text(self) -> tuple[torch.Tensor, ...]:
        """The arguments of a pass over text."""
        return self.ids, torch.zeros_like(self.ids), torch.zeros_like(self.ids, dtype=torch.bool)

    @property
    def distilled(self) -> tuple[torch.Tensor, ...]:
        """The arguments of a pass over what a teacher predicts."""
        return *self.text, torch.ones_like(self.ids, dtype=torch.bool)


def _make_noise(n_blocks: int, data: DataShape, device: torch.device) -> _Noise:
    size = (n_blocks, data.block_tokens)
    return _Noise(torch.randint(data.vocab_size, size, device=device))


def _fits(
    loss: ParallelLoss,
    optimizer: MasterOptimizer,
    noise: _Noise,
    accelerator: Any,
) -> bool:
    """Says whether a pass and an update fit into the memory of every process.

    None waits for another meanwhile; sharded ones would, so it is not tried.
    """
    if loss.is_sharded:
        return True
    is_short = False
    try:
        with loss.accumulate(is_last=False):
            accelerator.backward(loss(*noise.distilled)[0])  # without a teacher, it is text
        optimizer.take_gradients()
        optimizer.step(0.0)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        is_short = True
    optimizer.zero_grad()
    if accelerator.device.type == "cuda":
        torch.cuda.empty_cache()
    return not is_true_anywhere(accelerator, value=is_short)


def _time_forward(model: GPT2, block: torch.Tensor) -> tuple[float, float]:
    """Returns the seconds per validated block (``[1, T]``) and per generated token."""
    weight = model.output_weight
    with torch.no_grad():
        block_s = _median_s(
            lambda: token_losses(model.compute_hidden(block[:, :-1])[0], weight, block[0, 1:])
        )
        context = block[:, :SAMPLE_CONTEXT]
        token_s = _median_s(lambda: model.logits(model.compute_hidden(context)[:, -1]))
    return block_s, token_s


def _median_s(work: Callable[[], object]) -> float:
    seconds = []
    for _ in range(MIN_REPEATS):
        started = _now()
        work()
        seconds.append(_now() - started)
    return statistics.median(seconds)


def _is_enough(pass_s: Sequence[float], began: float) -> float:
    return float(len(pass_s) >= MIN_REPEATS and _now() - began > MEASURE_S)


def _now() -> float:
    """Returns the time, in seconds, once the device has finished its work."""
    if torch.accelerator.is_available():
        torch.accelerator.synchronize()
    return time.perf_counter()
