"""Weights in files: safetensors only, checked against the network's config when they are read."""

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save_file
from torch import Tensor

from training.artifact.manifest import COPY_AGAIN
from training.artifact.network.config import GPT2Config, parameter_shapes
from training.foundation.errors import ArtifactError

_FLOATS = {torch.float64, torch.float32, torch.bfloat16, torch.float16}


def read_weights(path: Path, config: GPT2Config) -> dict[str, Tensor]:
    """Returns the network's parameters by name, in float32.

    Raises:
        ArtifactError: One is missing, of another shape, not floating point or not finite.
    """
    try:
        # Not memory-mapped: replacing the file in place must not change or crash its readers.
        found = load(path.read_bytes())
    except (SafetensorError, OSError, ValueError, KeyError) as error:
        raise ArtifactError(f"{path} cannot be read ({error}); {COPY_AGAIN}") from error
    expected = parameter_shapes(config)
    missing = sorted(expected.keys() - found.keys())
    if missing:
        raise ArtifactError(f"{path} lacks {missing[0]}; {COPY_AGAIN}")
    return {name: _check(path, name, found[name], shape) for name, shape in expected.items()}


def write_tensors(
    path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None
) -> None:
    """Writes contiguous tensors, so that others than their writer can read them, as other files.

    Raises:
        OSError: They could not be written: the disk is full, say.
    """
    try:
        save_file(dict(tensors), path, metadata=None if metadata is None else dict(metadata))
    except SafetensorError as error:
        raise OSError(str(error)) from error
    path.chmod(0o644)  # safetensors writes a temporary file, for its writer alone


def _check(path: Path, name: str, weight: Tensor, shape: tuple[int, ...]) -> Tensor:
    if tuple(weight.shape) != tuple(shape):
        raise ArtifactError(
            f"{path}: {name} has shape {tuple(weight.shape)}, config.json requires {tuple(shape)};"
            f" {COPY_AGAIN}"
        )
    if weight.dtype not in _FLOATS:
        raise ArtifactError(
            f"{path}: {name} is of type {weight.dtype}, expected floating point; quantised models"
            " cannot be read, name the original"
        )
    weight = weight.float()
    if not weight.isfinite().all():
        raise ArtifactError(f"{path}: {name} has values that are not finite; {COPY_AGAIN}")
    return weight
