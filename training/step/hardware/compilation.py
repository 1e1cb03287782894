"""``torch.compile`` of a network's layers.

Each layer is compiled by itself, so that all share one compilation, gradients of a finished layer
can be exchanged while the next is computed, and recomputed activations are the compiled ones.
Weights keep their names. Only training passes are compiled: validation and samples come in many
shapes.
"""

import os
import shutil
import sys
from contextlib import AbstractContextManager

import torch

from training.artifact.network.gpt2 import GPT2
from training.config import PretrainConfig

_COMPILERS = ("g++", "clang++", "c++")
_OLDEST_CAPABILITY = (7, 0)  # of GPUs for which Triton makes kernels


def compile_layers(model: GPT2, settings: PretrainConfig, device: torch.device) -> bool:
    """Compiles the layers if the settings ask for it and the machine can; says whether it did.

    Call it before the network is wrapped or sharded. What prevents a compilation that was asked for
    by name is printed in the first process, and training goes on without.
    """
    if settings.compile == "off" or (settings.compile == "auto" and device.type != "cuda"):
        return False
    obstacle = find_obstacle(settings.compile_backend, device)
    if obstacle is not None:
        if settings.compile == "on" and os.environ.get("RANK", "0") == "0":
            sys.stderr.write(f"pretrain.compile is 'on', but {obstacle}; training uncompiled\n")
        return False
    mode = settings.compile_mode if settings.compile_backend == "inductor" else None
    for layer in model.transformer.h:
        layer.compile(backend=settings.compile_backend, mode=mode, dynamic=False)
    return True


def find_obstacle(backend: str, device: torch.device) -> str | None:
    """Returns what a backend of ``torch.compile`` lacks on this machine, or None."""
    if sys.platform == "win32":
        return "layers are not compiled on Windows"
    if backend == "cudagraphs" and device.type != "cuda":
        return "the backend cudagraphs needs a CUDA device"
    if backend != "inductor":
        return None
    if device.type == "cpu":
        if os.environ.get("CXX") or any(map(shutil.which, _COMPILERS)):
            return None
        return "there is no C++ compiler (install g++)"
    return _find_triton_obstacle(device)


def _find_triton_obstacle(device: torch.device) -> str | None:
    import importlib.util  # noqa: PLC0415

    if importlib.util.find_spec("triton") is None:
        return "Triton is not installed (pip install triton)"
    if device.type == "cuda" and torch.cuda.get_device_capability(device) < _OLDEST_CAPABILITY:
        return "the GPU is older than Triton supports"
    return None


def use_uncompiled() -> AbstractContextManager[None]:
    """Surrounds passes for which nothing is to be compiled."""
    stance: AbstractContextManager[None] = torch.compiler.set_stance("force_eager")
    return stance
