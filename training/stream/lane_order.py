"""Which lane reads which slices, in which order: a pure function of slices, seed and epoch.

A lane is a fixed part of the stream. Each epoch deals the slices out anew, in a new order, to the
lane that has the least so far; lanes pass from one epoch to the next each by itself. So no process
has to know how far another one is.
"""

import heapq
from collections.abc import Sequence

import numpy as np

from training.corpus.readers.records.record_slices import FileSlice
from training.foundation.errors import ConfigError

MOST_LANES = 16  # by default


def choose_lanes(batch_blocks: int, wanted: int) -> int:
    """Returns the number of lanes: ``wanted``, or the largest divisor of the batch up to 16.

    Raises:
        ConfigError: The batch does not divide into so many.
    """
    if wanted and batch_blocks % wanted:
        raise ConfigError(
            f"stream.lanes is {wanted}, which does not divide pretrain.batch_blocks"
            f" ({batch_blocks}); choose a divisor, or 0"
        )
    fitting = (n for n in range(MOST_LANES, 0, -1) if batch_blocks % n == 0)
    return wanted or next(fitting)


def deal_slices(
    slices: Sequence[FileSlice], n_lanes: int, *, seed: int, epoch: int
) -> list[list[int]]:
    """Returns the indices of each lane's slices, in reading order."""
    rng = np.random.default_rng((seed, epoch))
    order = rng.permutation(len(slices)).tolist()
    lanes = rng.permutation(n_lanes).tolist()  # so that none has the larger part in each epoch
    dealt: list[list[int]] = [[] for _ in range(n_lanes)]
    loads = [(0, turn, lane) for turn, lane in enumerate(lanes)]
    heapq.heapify(loads)
    for index in order:
        n_bytes, turn, lane = loads[0]
        dealt[lane].append(index)
        heapq.heapreplace(loads, (n_bytes + max(1, slices[index].n_bytes), turn, lane))
    return dealt


def locate_block(position: int, *, batch_blocks: int, n_lanes: int) -> tuple[int, int]:
    """Returns the lane of a block of the data order, and which of the lane's blocks it is.

    Args:
        position: In the order of all blocks, in which steps follow each other.
        batch_blocks: Blocks of a step.
        n_lanes: How many lanes there are.
    """
    step, place = divmod(position, batch_blocks)
    lane, index = divmod(place, batch_blocks // n_lanes)
    return lane, step * (batch_blocks // n_lanes) + index
