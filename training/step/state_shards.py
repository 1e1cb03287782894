"""The tensors of a training state on disk: one file, or one per process that holds a part.

All files have the same keys. Each holds some rows of every tensor, in the order of the files, and
the whole of every scalar. Readers ask for rows of the whole tensor, so another number of processes
can read a state than wrote it.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor

from training.artifact.weights import write_tensors

TENSORS_NAME = "training_state"  # what the names of all files begin with


def shard_name(index: int, n_shards: int) -> str:
    """Returns the file name of a shard."""
    if n_shards == 1:
        return f"{TENSORS_NAME}.safetensors"
    return f"{TENSORS_NAME}-{index:05d}-of-{n_shards:05d}.safetensors"


def write_shard(folder: Path, tensors: Mapping[str, Tensor], index: int, n_shards: int) -> None:
    """Writes this process's rows into ``folder``.

    Raises:
        OSError: They could not be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    whole = {key: tensor.contiguous() for key, tensor in tensors.items()}
    write_tensors(folder / shard_name(index, n_shards), whole)


class StateReader:
    """Reads the tensors of a state from all its files.

    Args:
        paths: All files, in order.

    Raises:
        SafetensorError: A file is damaged.
        ValueError: There is none, or they do not belong together.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        if not paths:
            raise ValueError("it has no tensors")
        self._files: list[Any] = [safe_open(path, framework="pt") for path in paths]
        self._keys = set(self._files[0].keys())
        if any(set(file.keys()) != self._keys for file in self._files):
            raise ValueError("its files hold different tensors")

    def keys(self) -> set[str]:
        """Returns the names of the tensors."""
        return self._keys

    def shape(self, key: str) -> tuple[int, ...]:
        """Returns the shape of a whole tensor."""
        shapes = [file.get_slice(key).get_shape() for file in self._files]
        if not shapes[0]:
            return ()
        return (sum(shape[0] for shape in shapes), *shapes[0][1:])

    def read(self, key: str, rows: slice = slice(None)) -> Tensor:
        """Returns rows ``[start, stop)`` of a tensor, or a whole scalar.

        Raises:
            KeyError: There is no such tensor.
        """
        if key not in self._keys:
            raise KeyError(key)
        parts = [file.get_slice(key) for file in self._files]
        if not parts[0].get_shape():
            scalar: Tensor = self._files[0].get_tensor(key)
            return scalar
        found, first = [], 0
        for part in parts:
            n_rows = part.get_shape()[0]
            start, stop, _ = rows.indices(first + n_rows)
            if stop > max(start, first):
                found.append(part[max(start - first, 0) : stop - first])
            first += n_rows
        return torch.cat(found or [parts[0][0:0]])
