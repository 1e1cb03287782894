"""One step of the network for all samples, recorded once and replayed where the device can.

On CUDA a step of a small model takes longer to launch than to compute: hundreds of kernels, one
after the other. A CUDA graph launches them at once. Each graph is for one number of samples and one
length, so both are rounded up. If recording fails, steps are launched one by one, with one warning.
"""

import logging
from collections.abc import Sequence

import torch
from torch import Tensor

from server.engine.batched.sample_cache import SampleCache
from server.engine.network import Network

_log = logging.getLogger(__name__)
_FEWEST_ROWS = 8
_WARM_UPS = 2  # steps before one is recorded, in which libraries set themselves up


class StepRunner:
    """Runs steps.

    Args:
        network: The model.
    """

    def __init__(self, network: Network) -> None:
        self._network = network
        self._is_recording = network.device.type == "cuda"
        self._graphs: dict[tuple[int, int], _RecordedStep] = {}

    def pad(self, n_rows: int) -> int:
        """Returns how many samples a step for ``n_rows`` computes: a power of two if recorded."""
        if not self._is_recording:
            return n_rows
        return max(_FEWEST_ROWS, 1 << (n_rows - 1).bit_length())

    def forget(self) -> None:
        """Drops what was recorded for a cache that is no longer used."""
        self._graphs.clear()

    @torch.inference_mode()
    def step(self, ids: Sequence[int], cache: SampleCache) -> Tensor:
        """Appends one token to each sample; returns the logits of the next one ``[B, V]``."""
        cache.prepare()
        if not self._is_recording:
            return self._launch(torch.tensor(ids), cache)
        n_rows = self.pad(len(ids))
        padded = torch.tensor([*ids, *[0] * (n_rows - len(ids))])
        key = (n_rows, cache.n_seen)
        if key not in self._graphs:
            try:
                self._graphs[key] = _RecordedStep(self._network, cache, n_rows)
            except torch.OutOfMemoryError:
                raise
            except RuntimeError as error:
                _log.warning("CUDA graphs are not used: %s", str(error).partition("\n")[0])
                self._is_recording = False
                self._graphs.clear()
                return self._launch(torch.tensor(ids), cache)
        logits = self._graphs[key].replay(padded)[: len(ids)]
        cache.advance(1)
        return logits

    def _launch(self, ids: Tensor, cache: SampleCache) -> Tensor:
        hidden = self._network.extend(ids[:, None], cache)[:, -1]
        return self._network.logits(hidden)


class _RecordedStep:
    """A CUDA graph of one step; what it reads and writes keeps its place in memory."""

    def __init__(self, network: Network, cache: SampleCache, n_rows: int) -> None:
        self._ids = torch.zeros(n_rows, 1, dtype=torch.long, device=network.device)
        n_own = cache.n_own

        def step() -> Tensor:
            hidden = network.extend(self._ids, cache)[:, -1]
            cache.n_own = n_own  # counted when it is replayed
            return network.logits(hidden)

        stream = torch.cuda.Stream(network.device)  # type: ignore[no-untyped-call]
        stream.wait_stream(torch.cuda.current_stream(network.device))
        with torch.cuda.stream(stream):
            for _ in range(_WARM_UPS):
                step()
        torch.cuda.current_stream(network.device).wait_stream(stream)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            self._logits = step()

    def replay(self, ids: Tensor) -> Tensor:
        """Runs the step; the result is overwritten by the next one."""
        self._ids.copy_(ids[:, None])
        self._graph.replay()
        return self._logits
