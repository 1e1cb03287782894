"""One network on many processes: each holds all of it, or (sharded) a part of every weight.

Whole copies are Accelerate's data parallelism. Sharded, every process keeps some rows of each
parameter and of all that the optimiser knows of it, and fetches a layer's rest while it computes
that layer: what a model needs that does not fit into one device. Both give the same losses. This
room also says which rows of a tensor a process holds, so that a checkpoint can be written by many
processes and read by another number of them.

Source: Zhao et al. 2023, "PyTorch FSDP: Experiences on scaling fully sharded data parallel",
arXiv:2304.11277, in the form of ``torch.distributed.fsdp.fully_shard``.
"""

import contextlib
import os
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any, NoReturn

import torch
from torch import Tensor
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, MixedPrecisionPolicy, fully_shard
from torch.distributed.tensor import DTensor

from training.artifact.network.gpt2 import GPT2
from training.config import PretrainConfig
from training.step.objective import LossModule


class ParallelLoss:
    """The loss of a network that several processes train together; called like ``LossModule``.

    Args:
        model: The network; sharding changes its parameters in place.
        accelerator: Accelerate's, of this process.
        settings: Of the run; a launcher file that says FSDP asks for sharding too.
    """

    def __init__(self, model: GPT2, accelerator: Any, settings: PretrainConfig) -> None:
        module = LossModule(
            model,
            within_documents=settings.within_documents,
            n_slices=settings.rare_token_slices,
        )
        self._module = module
        self._accelerator = accelerator
        self._sharded: FSDPModule | None = None
        self._called: Any = module
        if settings.shard_model or accelerator.distributed_type == "FSDP":
            self._sharded = _shard(module, accelerator.device, accelerator.num_processes)
        else:
            self._called = accelerator.prepare(module)

    def __call__(self, *blocks: Tensor) -> tuple[Tensor, Tensor]:
        """Returns what :meth:`LossModule.forward` does, of this process' blocks."""
        loss, kinds = self._called(*blocks)
        return loss, kinds

    @property
    def is_sharded(self) -> bool:
        """Whether processes hold a part of the weights each."""
        return self._sharded is not None

    @property
    def n_shards(self) -> int:
        """How many processes hold a part of the weights of their own."""
        return self._accelerator.num_processes if self.is_sharded else 1

    def accumulating(self, *, is_last: bool) -> AbstractContextManager[Any]:
        """Where gradients of one micro-batch are made; processes exchange those of the last."""
        if self._sharded is not None:
            self._sharded.set_requires_gradient_sync(is_last)
        elif not is_last:
            no_sync: AbstractContextManager[Any] = self._accelerator.no_sync(self._called)
            return no_sync
        return contextlib.nullcontext()

    @contextlib.contextmanager
    def evaluating(self) -> Iterator[None]:
        """Where the network may be used by itself, without gradients; for all processes at once."""
        self._module.eval()
        if self._sharded is not None:
            self._sharded.unshard()
        try:
            yield
        finally:
            if self._sharded is not None:
                self._sharded.reshard()
            self._module.train()

    def close(self) -> None:
        """Lets go of the network, which has to be gone before processes part from each other.

        Otherwise the exchange of gradients would hold their connection last, and end it while it
        holds Python's lock, for which the threads of that very connection may be waiting.
        """
        self._called = self._sharded = None
        self._accelerator.free_memory()

    def whole_weights(self) -> dict[str, Tensor]:
        """Returns the network's weights, in the main process; the others help, and get nothing."""
        weights = {}
        for name, parameter in self._module.model.state_dict().items():
            whole = parameter.full_tensor().cpu() if isinstance(parameter, DTensor) else parameter
            if self._accelerator.is_main_process:
                weights[name] = whole
        return weights


def leave(code: int) -> NoReturn:
    """Ends the process, and takes nothing apart.

    A sharded network's connection outlives it, and a thread of the connection that still holds a
    tensor while the interpreter is taken apart aborts the process (PyTorch issue 190489).
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _shard(module: LossModule, device: torch.device, n_processes: int) -> FSDPModule:
    mesh = init_device_mesh(device.type, (n_processes,))
    policy = MixedPrecisionPolicy(reduce_dtype=torch.float32)
    for block in module.model.transformer.h:
        fully_shard(block, mesh=mesh, mp_policy=policy)
    return fully_shard(module, mesh=mesh, mp_policy=policy)


def local_part(tensor: Tensor) -> Tensor:
    """Returns the rows that this process holds; of a tensor that is not sharded, all."""
    if not isinstance(tensor, DTensor):
        return tensor
    part: Tensor = tensor.to_local()
    return part


def local_rows(tensor: Tensor) -> slice:
    """Says which rows those are."""
    if not isinstance(tensor, DTensor):
        return slice(None)
    size = -(-tensor.shape[0] // tensor.device_mesh.size())
    start = min(size * tensor.device_mesh.get_local_rank(), tensor.shape[0])
    return slice(start, start + len(tensor.to_local()))


def sharded_like(part: Tensor, other: Tensor) -> Tensor:
    """Returns ``part`` as this process' rows of a tensor that is sharded as ``other`` is."""
    if not isinstance(other, DTensor):
        return part
    mesh, placements = other.device_mesh, other.placements
    return DTensor.from_local(
        part, mesh, placements, shape=other.shape, stride=other.stride(), run_check=False
    )
