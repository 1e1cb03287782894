"""How fast an artifact trains on this machine when it has nothing else to do."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from accelerate import Accelerator

from training.adaptation.schedule import MICRO_BATCH_TOKENS, TrainingSpeed
from training.artifact.directory import Artifact
from training.autoconfig.sizing import DataShape
from training.autoconfig.speed import measure_speed
from training.config import ModelConfig, PretrainConfig, RunConfig

_LEAST_SHARE = 0.1  # of the processor; a smaller one says little


def measure_training_speed(artifact: Artifact) -> TrainingSpeed:
    """Trains the artifact's network on noise for a few seconds.

    An adaptation takes what others leave of the processor, and they may need it just now. Planned
    for what is left in these seconds, a training of many minutes would be short for no reason.
    """
    block_tokens = artifact.context_tokens
    model = ModelConfig(
        n_embd=artifact.config.n_embd,
        n_layer=artifact.config.n_layer,
        n_head=artifact.config.n_head,
    )
    micro = max(1, MICRO_BATCH_TOKENS // block_tokens)
    config = RunConfig(
        model=model, pretrain=PretrainConfig(micro_batch_blocks=micro, batch_blocks=micro)
    )
    shape = DataShape(vocab_size=artifact.config.vocab_size, block_tokens=block_tokens)
    accelerator = Accelerator(cpu=not torch.accelerator.is_available())
    with watch_processor() as processor:
        busy = measure_speed(config, shape, accelerator)
    share = max(_LEAST_SHARE, processor.share)
    return TrainingSpeed(tokens_per_s=busy.tokens_per_s / share, update_s=busy.update_s * share)


@dataclass
class ProcessorUse:
    """What this process got of the processor, of what it was ready to use; 1 where unknown."""

    share: float = 1.0


@contextlib.contextmanager
def watch_processor() -> Iterator[ProcessorUse]:
    """Measures :class:`ProcessorUse` of what it surrounds; known on Linux."""
    found, (ran, waited) = ProcessorUse(), _read_schedule()
    yield found
    ran_after, waited_after = _read_schedule()
    ran, waited = ran_after - ran, waited_after - waited
    if ran > 0 and waited > 0:
        found.share = ran / (ran + waited)


def _read_schedule() -> tuple[int, int]:
    """Returns how long this process's threads have run, and waited for a core, in nanoseconds."""
    ran = waited = 0
    for file in Path("/proc/self/task").glob("*/schedstat"):
        with contextlib.suppress(OSError, ValueError):  # a thread that has just ended
            thread_ran, thread_waited, _ = map(int, file.read_text().split())
            ran, waited = ran + thread_ran, waited + thread_waited
    return ran, waited
