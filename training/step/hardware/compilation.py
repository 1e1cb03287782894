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

from training.artifact.network.attention import attend
from training.artifact.network.gpt2 import GPT2, Attention
from training.config import PretrainConfig

_COMPILERS = ("g++", "clang++", "c++")
_OLDEST_CAPABILITY = (7, 0)  # of GPUs for which Triton makes kernels


def compile_layers(model: GPT2, settings: PretrainConfig, device: torch.device) -> bool:
    """Compiles the layers if the settings ask for it and the machine can; says whether it did.

    Call it before the network is wrapped or sharded. What prevents it is printed in the first
    process, and training goes on without.
    """
    if settings.compile == "off" or (settings.compile == "auto" and device.type != "cuda"):
        return False
    obstacle = find_obstacle(settings.compile_backend, device)
    if obstacle is not None:
        if os.environ.get("RANK", "0") == "0":
            sys.stderr.write(f"training without compiled layers (pretrain.compile): {obstacle}\n")
        return False
    mode = settings.compile_mode if settings.compile_backend == "inductor" else None
    if device.type == "cpu":
        _exclude_attention(model)
    for layer in model.transformer.h:
        layer.compile(backend=settings.compile_backend, mode=mode, dynamic=False)
    return True


def _exclude_attention(model: GPT2) -> None:
    """Leaves a CPU's attention uncompiled: it would be compiled anew for every batch's spans."""
    for module in model.modules():
        if isinstance(module, Attention):
            module.attend = torch.compiler.disable(attend)  # type: ignore[no-untyped-call]


def find_obstacle(backend: str, device: torch.device) -> str | None:
    """Returns what a backend of ``torch.compile`` lacks on this machine, or None."""
    if sys.platform == "win32":
        return "layers are not compiled on Windows"
    if backend == "cudagraphs" and device.type != "cuda":
        return "the backend cudagraphs needs a CUDA device"
    if backend != "inductor":
        return None
    if device.type == "cpu" and not (os.environ.get("CXX") or any(map(shutil.which, _COMPILERS))):
        return "there is no C++ compiler (install g++)"
    if device.type == "cuda" and torch.cuda.get_device_capability(device) < _OLDEST_CAPABILITY:
        return "the GPU is older than Triton supports"
    # Imported here because it takes seconds.
    from training.artifact.network.flex_attention import find_code_obstacle  # noqa: PLC0415

    return find_code_obstacle(device.type)


def use_uncompiled() -> AbstractContextManager[None]:
    """Surrounds passes for which nothing is to be compiled."""
    stance: AbstractContextManager[None] = torch.compiler.set_stance("force_eager")
    return stance
