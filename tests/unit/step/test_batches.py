"""Which blocks a step trains on, whatever the number of processes and micro-batches."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from training.config import PretrainConfig
from training.foundation.errors import ConfigError
from training.shards.blocks import Blocks
from training.step.batches import BatchLoader, count_micro_batches


class CountingReader:
    """Blocks that hold their own position in the data order."""

    block_tokens = 4

    def read_batch(self, position, n_blocks, *, seed):
        rows = np.arange(position, position + n_blocks) + 1000 * seed
        ids = np.repeat(rows[:, None], self.block_tokens, axis=1)
        return Blocks(ids, np.zeros_like(ids), np.zeros(ids.shape, bool))


def load(settings, step, n_processes):
    """Returns the micro-batches of all processes: a list of block positions each."""
    found = []
    for index in range(n_processes):
        process = SimpleNamespace(
            num_processes=n_processes, process_index=index, device=torch.device("cpu")
        )
        batches = BatchLoader(CountingReader(), settings, process)
        loaded = batches.load(step)
        assert len(loaded) == batches.n_micro_batches
        found += [ids[:, 0].tolist() for ids, _, _ in loaded]
    return found


@pytest.mark.parametrize("n_processes", [1, 2, 4])
@pytest.mark.parametrize("micro", [1, 2, 8])
def test_the_blocks_of_a_step_do_not_depend_on_how_they_are_shared(n_processes, micro):
    """If it fails, a run on more machines repeats some blocks and skips others."""
    settings = PretrainConfig(batch_blocks=8, micro_batch_blocks=micro, first_block=100, seed=3)
    for step in (1, 2, 5):
        found = load(settings, step, n_processes)
        first = 3000 + 100 + (step - 1) * 8
        assert [block for batch in found for block in batch] == list(range(first, first + 8))
        assert {len(batch) for batch in found} == {min(micro, 8 // n_processes)}


@pytest.mark.parametrize(("batch", "micro", "n_processes"), [(6, 2, 4), (2, 1, 4), (6, 4, 1)])
def test_an_uneven_batch_is_refused(batch, micro, n_processes):
    settings = PretrainConfig(batch_blocks=batch, micro_batch_blocks=micro)
    with pytest.raises(ConfigError, match="choose a multiple"):
        count_micro_batches(settings, n_processes)


def test_blocks_read_ahead_are_those_of_the_step():
    """If it fails, a run on a GPU trains on other blocks than one on a CPU, or resumes wrongly."""
    settings = PretrainConfig(batch_blocks=4, micro_batch_blocks=2, steps=6)
    process = SimpleNamespace(num_processes=1, process_index=0, device=torch.device("cpu"))
    plain = BatchLoader(CountingReader(), settings, process)
    ahead = BatchLoader(CountingReader(), settings, process, reads_ahead=True)
    for step in (1, 2, 3, 5, 6):  # as if it had been resumed at 5
        for batch, wanted in zip(ahead.load(step), plain.load(step), strict=True):
            assert all(map(torch.equal, batch, wanted))
    ahead.close()


def test_what_fails_while_it_reads_ahead_is_raised():
    class Damaged(CountingReader):
        def read_batch(self, position, n_blocks, *, seed):
            if position:
                raise ConfigError("damaged")
            return super().read_batch(position, n_blocks, seed=seed)

    settings = PretrainConfig(batch_blocks=4, micro_batch_blocks=2)
    process = SimpleNamespace(num_processes=1, process_index=0, device=torch.device("cpu"))
    batches = BatchLoader(Damaged(), settings, process, reads_ahead=True)
    batches.load(1)
    with pytest.raises(ConfigError, match="damaged"):
        batches.load(2)
    batches.close()
