"""Whether this machine has the devices for which the launcher has started processes.

Accelerate would train on a CPU if the GPUs that were asked for are missing, one process instead of
several if it was configured for CPUs, and end in a traceback if processes outnumber the GPUs.
"""

from collections.abc import Mapping

import torch

from training.foundation.errors import PrerequisiteError
from training.foundation.parallel.cores import count_local_processes

_FILES = "training/configs/accelerate"


def check_devices(environment: Mapping[str, str], n_devices: int | None = None) -> None:
    """Refuses to train on other devices than the launcher was asked for.

    Args:
        environment: Of this process.
        n_devices: How many accelerators PyTorch finds; None to ask it.

    Raises:
        PrerequisiteError: They are missing, or too few.
    """
    if n_devices is None:
        n_devices = torch.accelerator.device_count()
    n_local = count_local_processes(environment)
    visible = environment.get("CUDA_VISIBLE_DEVICES")
    if environment.get("ACCELERATE_USE_CPU", "").lower() in {"1", "true"}:
        _check_cpu_processes(environment)
    elif n_devices == 0 and visible not in {None, ""} and not visible.startswith("-"):
        raise PrerequisiteError(
            f"the launcher asks for GPU {visible}, but PyTorch finds no GPU here; use"
            f" {_FILES}/cpu.yaml, or install a driver and a PyTorch for it"
        )
    elif n_devices == 0 and visible is None and n_local > 1:
        raise PrerequisiteError(
            f"the launcher asks for {n_local} GPUs, but PyTorch finds none here; for processes on a"
            f" CPU use {_FILES}/cpu-processes.yaml"
        )
    elif 0 < n_devices < n_local:
        raise PrerequisiteError(
            f"the launcher has started {n_local} processes here, but PyTorch finds"
            f" {n_devices} GPU{'s' if n_devices > 1 else ''}; set num_processes to their number"
        )


def _check_cpu_processes(environment: Mapping[str, str]) -> None:
    """Notices that Accelerate was configured for several CPU processes and started one.

    It starts them only through mpirun, and tells a single process where they would have met.
    """
    started = {"WORLD_SIZE", "RANK", "PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "MV2_COMM_WORLD_SIZE"}
    if "MASTER_ADDR" in environment and not started & environment.keys():
        raise PrerequisiteError(
            "the launcher asks for several CPU processes, of which Accelerate starts only one"
            f" without mpirun; use {_FILES}/cpu-processes.yaml, or set num_processes to 1"
        )
