"""Which blocks a process reads in a step, and how they are cut into micro-batches.

The data order is global: of a step's blocks, process r of n reads the r-th part, so the blocks of a
step are the same whatever n is, and resuming needs nothing but the number of the step.
"""

from typing import Any

from torch import Tensor

from training.config import PretrainConfig
from training.foundation.errors import ConfigError
from training.shards.blocks import BlockReader
from training.step.objective import to_tensors


class BatchLoader:
    """Loads this process's share of each step's blocks.

    Args:
        reader: The training blocks.
        settings: Batch size, first block and seed.
        accelerator: Accelerate's, of this process.

    Raises:
        ConfigError: The batch cannot be split evenly.
    """

    def __init__(self, reader: BlockReader, settings: PretrainConfig, accelerator: Any) -> None:
        self._reader = reader
        self._settings = settings
        self._accelerator = accelerator
        self._share_blocks = settings.batch_blocks // accelerator.num_processes
        self.step_tokens = settings.batch_blocks * reader.block_tokens
        self.n_micro_batches = count_micro_batches(settings, accelerator.num_processes)

    def load(self, step: int) -> list[tuple[Tensor, ...]]:
        """Returns the micro-batches of a step (from 1), as ``LossModule`` takes them."""
        settings, index = self._settings, self._accelerator.process_index
        position = settings.first_block + (step - 1) * settings.batch_blocks
        blocks = self._reader.read_batch(
            position + self._share_blocks * index, self._share_blocks, seed=settings.seed
        )
        tensors = to_tensors(blocks, self._accelerator.device)
        return list(zip(*(tensor.chunk(self.n_micro_batches) for tensor in tensors), strict=True))


def count_micro_batches(settings: PretrainConfig, n_processes: int) -> int:
    """Returns how many forward passes each process makes in a step.

    Raises:
        ConfigError: The batch cannot be split evenly.
    """
    share, rest = divmod(settings.batch_blocks, n_processes)
    size = min(settings.micro_batch_blocks, share)
    if rest or size == 0 or share % size:
        raise ConfigError(
            f"pretrain.batch_blocks ({settings.batch_blocks}) does not divide into"
            f" {n_processes} processes with whole micro-batches of {settings.micro_batch_blocks};"
            " choose a multiple"
        )
    return share // size
