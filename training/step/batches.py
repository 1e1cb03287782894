"""Which blocks a process reads in a step, and how they are cut into micro-batches.

The data order is global: of a step's blocks, process r of n reads the r-th part, so the blocks of a
step are the same whatever n is, and resuming needs nothing but the number of the step. For a GPU, a
thread reads a step's blocks into pinned memory while the step before is computed.
"""

from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import torch
from torch import Tensor

from training.config import PretrainConfig
from training.foundation.errors import ConfigError
from training.shards.blocks import TrainingBlocks
from training.step.objective import to_tensors


class BatchLoader:
    """Loads this process's share of each step's blocks.

    Args:
        reader: The training blocks.
        settings: Batch size, first block and seed.
        accelerator: Accelerate's, of this process.
        reads_ahead: Whether a thread reads the next step's blocks; None: for a GPU.

    Raises:
        ConfigError: The batch cannot be split evenly.
    """

    def __init__(
        self,
        reader: TrainingBlocks,
        settings: PretrainConfig,
        accelerator: Any,
        *,
        reads_ahead: bool | None = None,
    ) -> None:
        self._reader = reader
        self._settings = settings
        self._accelerator = accelerator
        self._share_blocks = settings.batch_blocks // accelerator.num_processes
        self.step_tokens = settings.batch_blocks * reader.block_tokens
        self.n_micro_batches = count_micro_batches(settings, accelerator.num_processes)
        self._ahead: dict[int, Future[tuple[Tensor, ...]]] = {}  # of one step at most
        self._thread: ThreadPoolExecutor | None = None
        if accelerator.device.type == "cuda" if reads_ahead is None else reads_ahead:
            self._thread = ThreadPoolExecutor(1, "batches", _use_device, (accelerator.device,))

    def load(self, step: int) -> list[tuple[Tensor, ...]]:
        """Returns the micro-batches of a step (from 1), as ``LossModule`` takes them."""
        waiting = self._ahead.pop(step, None)
        tensors = self._read(step) if waiting is None else waiting.result()
        if self._thread is not None:
            self._ahead = {}
            if step < self._settings.steps:
                self._ahead[step + 1] = self._thread.submit(self._read, step + 1)
            device = self._accelerator.device
            tensors = tuple(tensor.to(device, non_blocking=True) for tensor in tensors)
        return list(zip(*(tensor.chunk(self.n_micro_batches) for tensor in tensors), strict=True))

    def close(self) -> None:
        """Ends the thread that reads ahead."""
        if self._thread is not None:
            self._thread.shutdown(cancel_futures=True)

    def _read(self, step: int) -> tuple[Tensor, ...]:
        settings, index = self._settings, self._accelerator.process_index
        position = settings.first_block + (step - 1) * settings.batch_blocks
        blocks = self._reader.read_batch(
            position + self._share_blocks * index, self._share_blocks, seed=settings.seed
        )
        if self._thread is None:
            return to_tensors(blocks, self._accelerator.device)
        tensors = to_tensors(blocks, torch.device("cpu"))
        if not torch.cuda.is_available():
            return tensors
        return tuple(tensor.pin_memory() for tensor in tensors)


def _use_device(device: torch.device) -> None:
    """Pins memory by a thread for its process's GPU, not by taking some of the first one's."""
    if device.type == "cuda":
        torch.cuda.set_device(device)


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
