"""Where the model runs: which device a setting means, and what fits there.

A GPU multiplies bfloat16 where it can. Of several GPUs, each process of ``accelerate launch`` takes
its own.
"""

import os
from collections.abc import Callable
from typing import Literal

import psutil
import torch

from server.engine.weights.precision import Precision, resolve_precision
from training.foundation.errors import ConfigError

DeviceName = Literal["auto", "cpu", "cuda", "mps"]

LARGE_MODEL = 50_000_000  # parameters; below, a CPU answers a keystroke as fast
_CPU_SHARE, _GPU_SHARE = 1 / 4, 4 / 5  # of the free memory, for the samples that run at once


def find_gpu() -> Literal["cuda", "mps"] | None:
    """Returns which kind of GPU PyTorch can use here, if any."""
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else None


def resolve_device(
    wanted: DeviceName, *, n_parameters: int, precision: Literal["auto"] | Precision = "auto"
) -> torch.device:
    """Returns the device that a setting means.

    Args:
        wanted: "auto" is a GPU if there is one and the model is large, unless the precision is a
            CPU's.
        n_parameters: How many the model has.
        precision: What the settings say of it.

    Raises:
        ConfigError: PyTorch finds no such device here, or it cannot multiply in that precision.
    """
    name: str = wanted
    if wanted == "auto":
        is_worth_it = n_parameters >= LARGE_MODEL and precision != "int8"
        name = (find_gpu() if is_worth_it else None) or "cpu"
    elif wanted != "cpu" and wanted != find_gpu():
        raise ConfigError(
            f"engine.device is '{wanted}', but PyTorch finds no such device here; install a build"
            " of PyTorch for it, or set engine.device to 'auto' or 'cpu'"
        )
    if name != "cpu" and precision == "int8":
        raise ConfigError(
            f"engine.precision is 'int8', which only a CPU multiplies, but engine.device is"
            f" '{name}'; set engine.precision to 'auto' or 'bfloat16', or engine.device to 'cpu'"
        )
    if name == "cuda":
        index = int(os.environ.get("LOCAL_RANK", "0")) % torch.cuda.device_count()
        return torch.device("cuda", index)
    return torch.device(name)


def resolve_device_precision(
    wanted: Literal["auto"] | Precision, device: torch.device
) -> Precision:
    """Returns the precision on a device; "auto" is the fastest."""
    if device.type == "cpu":
        return resolve_precision(wanted)
    if wanted != "auto":
        return wanted
    is_half = device.type != "cuda" or torch.cuda.is_bf16_supported(including_emulation=False)
    return "bfloat16" if is_half else "float32"


def measure_budget(device: torch.device) -> int:
    """Returns how many bytes the samples that run at once may take, without a setting."""
    if device.type == "cuda":
        return int(_GPU_SHARE * torch.cuda.mem_get_info(device)[0])
    if device.type == "mps":
        free = torch.mps.recommended_max_memory() - torch.mps.current_allocated_memory()
        return int(_GPU_SHARE * free)
    return int(_CPU_SHARE * psutil.virtual_memory().available)


def find_release(device: torch.device) -> Callable[[], None]:
    """Returns what gives memory back that PyTorch keeps for later."""
    if device.type == "cuda":
        return torch.cuda.empty_cache
    return torch.mps.empty_cache if device.type == "mps" else lambda: None
