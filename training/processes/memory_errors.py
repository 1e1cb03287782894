"""What is said when a training does not fit into memory, and what to change."""

import contextlib
from collections.abc import Iterator

import torch

from training.foundation.errors import PrerequisiteError, is_out_of_memory


@contextlib.contextmanager
def explain_memory_errors(micro_batch_blocks: int, device: torch.device) -> Iterator[None]:
    """Turns PyTorch's errors into a sentence.

    Args:
        micro_batch_blocks: Of a pass of one process.
        device: Where it trains.

    Raises:
        PrerequisiteError: The memory does not suffice.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        raise describe_shortage(micro_batch_blocks, device) from error


def describe_shortage(micro_batch_blocks: int, device: torch.device) -> PrerequisiteError:
    """Returns the error for passes of so many blocks on a device."""
    whose = "memory" if device.type == "cpu" else "GPU's memory"
    if micro_batch_blocks > 1:
        passes = f"micro-batches of {micro_batch_blocks} blocks"
        advice = "lower pretrain.micro_batch_blocks, or set pretrain.gradient_checkpointing=true"
    else:
        passes = "a single block at a time"
        advice = "set pretrain.gradient_checkpointing=true, or choose a smaller network"
    return PrerequisiteError(f"the {whose} does not suffice for {passes}; {advice}")
