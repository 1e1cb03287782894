"""One network on many processes: each holds all of it, or (sharded) some rows of every weight.

``ReplicatedLoss`` is Accelerate's data parallelism. With ``ShardedLoss`` each process keeps only
some rows of every parameter and of its optimiser state, and fetches the rest of a layer while it
computes that layer: this is for models that do not fit on one device. Both give the same losses.
This module also says which rows of a tensor a process holds, so that one number of processes can
write a checkpoint and another number can read it.

Source: Zhao et al. 2023, "PyTorch FSDP: Experiences on scaling fully sharded data parallel",
arXiv:2304.11277, in the form of ``torch.distributed.fsdp.fully_shard``.
"""

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, MixedPrecisionPolicy, fully_shard
from torch.distributed.tensor import DTensor

from training.artifact.network.config import EMBEDDING
from training.config import PretrainConfig
from training.step.hardware.compilation import use_uncompiled
from training.step.objective import LossModule


class ParallelLoss(ABC):
    """The loss of a network that several processes train together; called like ``LossModule``.

    Args:
        module: The network with its loss.
        prepared: The same, wrapped for parallelism.
        accelerator: Accelerate's, of this process.
    """

    is_sharded: bool

    def __init__(self, module: LossModule, prepared: Any, accelerator: Any) -> None:
        self._module = module
        self._prepared = prepared
        self._accelerator = accelerator

    def __call__(self, *batch: Tensor) -> tuple[Tensor, Tensor]:
        """Returns what :meth:`LossModule.forward` returns, for this process's blocks."""
        loss, sums = self._prepared(*batch)
        return loss, sums

    @property
    def n_shards(self) -> int:
        """How many processes hold optimiser state that no other process holds."""
        return self._accelerator.num_processes if self.is_sharded else 1

    @abstractmethod
    def accumulate(self, *, is_last: bool) -> AbstractContextManager[Any]:
        """Surrounds one micro-batch; gradients are exchanged in the last one of a step."""

    @abstractmethod
    def evaluate(self) -> AbstractContextManager[None]:
        """Surrounds use of the bare network, without gradients; by all processes at once."""

    def share_work(
        self, items: Sequence[int], work: Callable[[Sequence[int]], Tensor]
    ) -> list[float]:
        """Returns ``work``'s number for each item, having divided the items among the processes.

        All processes must call it; they call ``work`` with equally many items, because sharded ones
        exchange weights in it.

        Args:
            items: The same in all processes.
            work: Returns one number for each item it is given, ``[n]``.
        """
        n_processes, index = self._accelerator.num_processes, self._accelerator.process_index
        if not items:
            return []
        share = -(-len(items) // n_processes)
        padded = [*items, *[items[-1]] * (share * n_processes - len(items))]
        found = self._accelerator.gather(work(padded[share * index : share * (index + 1)]))
        numbers: list[float] = found.tolist()
        return numbers[: len(items)]

    def gather_weights(self) -> dict[str, Tensor]:
        """Returns the whole weights, without padding, in the main process; nothing in the others.

        All processes must call it.
        """
        weights = {}
        for name, parameter in self._module.model.state_dict().items():
            whole = parameter.full_tensor().cpu() if isinstance(parameter, DTensor) else parameter
            if name == EMBEDDING:
                whole = whole[: self._module.model.config.vocab_size]
            if self._accelerator.is_main_process:
                weights[name] = whole
        return weights

    def close(self) -> None:
        """Releases the wrapped network, before the processes disconnect.

        Otherwise the gradient exchange would be the last to hold the connection and would close it
        while holding the GIL, which the connection's own threads may be waiting for.
        """
        self._prepared = None
        self._accelerator.free_memory()


class ReplicatedLoss(ParallelLoss):
    """Every process holds the whole network; ``prepared`` is Accelerate's."""

    is_sharded = False

    def accumulate(self, *, is_last: bool) -> AbstractContextManager[Any]:
        """Surrounds one micro-batch; gradients are exchanged in the last one of a step."""
        if is_last:
            return contextlib.nullcontext()
        no_sync: AbstractContextManager[Any] = self._accelerator.no_sync(self._prepared)
        return no_sync

    @contextlib.contextmanager
    def evaluate(self) -> Iterator[None]:
        """Surrounds use of the bare network, without gradients; by all processes at once."""
        self._module.eval()
        try:
            with use_uncompiled():
                yield
        finally:
            self._module.train()


class ShardedLoss(ParallelLoss):
    """Every process holds some rows of each parameter; sharding changes the module in place.

    Args:
        module: The network with its loss.
        accelerator: Accelerate's, of this process.
        reshards: Whether a layer's weights are fetched again for its backward pass.
    """

    is_sharded = True

    def __init__(self, module: LossModule, accelerator: Any, *, reshards: bool = True) -> None:
        sharded = _shard(module, accelerator.device, accelerator.num_processes, reshards=reshards)
        super().__init__(module, sharded, accelerator)

    def accumulate(self, *, is_last: bool) -> AbstractContextManager[Any]:
        """Surrounds one micro-batch; gradients are exchanged in the last one of a step."""
        self._prepared.set_requires_gradient_sync(is_last)
        return contextlib.nullcontext()

    @contextlib.contextmanager
    def evaluate(self) -> Iterator[None]:
        """Surrounds use of the bare network, without gradients; by all processes at once."""
        self._module.eval()
        self._prepared.unshard()
        try:
            with use_uncompiled():
                yield
        finally:
            self._prepared.reshard()
            self._module.train()


def parallelise(module: LossModule, settings: PretrainConfig, accelerator: Any) -> ParallelLoss:
    """Returns the network on all processes: sharded if the settings or the launcher ask for it."""
    if wants_sharding(settings, accelerator):
        return ShardedLoss(module, accelerator, reshards=settings.reshard_after_forward)
    # Not kept under a name of its own: see ParallelLoss.close.
    return ReplicatedLoss(module, accelerator.prepare(module), accelerator)


def wants_sharding(settings: PretrainConfig, accelerator: Any) -> bool:
    """Says whether the weights are to be sharded: by our config, or by a launcher file's FSDP.

    A process that was started alone holds them all.
    """
    is_wanted = settings.shard_model or accelerator.distributed_type == "FSDP"
    return is_wanted and torch.distributed.is_initialized()


def _shard(
    module: LossModule, device: torch.device, n_processes: int, *, reshards: bool
) -> FSDPModule:
    mesh = init_device_mesh(device.type, (n_processes,))
    policy = MixedPrecisionPolicy(reduce_dtype=torch.float32)
    for block in module.model.transformer.h:
        fully_shard(block, mesh=mesh, mp_policy=policy, reshard_after_forward=reshards)
    return fully_shard(module, mesh=mesh, mp_policy=policy)


def local_part(tensor: Tensor) -> Tensor:
    """Returns the rows that this process holds: all of them if the tensor is not sharded."""
    if not isinstance(tensor, DTensor):
        return tensor
    part: Tensor = tensor.to_local()
    return part


def local_rows(tensor: Tensor) -> slice:
    """Returns which rows of the whole tensor this process holds."""
    if not isinstance(tensor, DTensor):
        return slice(None)
    size = -(-tensor.shape[0] // tensor.device_mesh.size())
    start = min(size * tensor.device_mesh.get_local_rank(), tensor.shape[0])
    return slice(start, start + len(tensor.to_local()))


def sharded_like(part: Tensor, other: Tensor) -> Tensor:
    """Returns a tensor sharded like ``other``, of which this process holds ``part``."""
    if not isinstance(other, DTensor):
        return part
    mesh, placements = other.device_mesh, other.placements
    return DTensor.from_local(
        part, mesh, placements, shape=other.shape, stride=other.stride(), run_check=False
    )
