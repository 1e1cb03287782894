"""Settings for programs that generate as much as they can, rather than beside an editor.

They take a GPU however small the model is, since they generate in batches; without one, all
processor cores, and the precision that is fastest for many rows. Called by evaluation.
"""

import os
from dataclasses import replace

from server.engine.batched.device import find_gpu
from server.engine.weights.precision import choose_batch_precision
from server.settings import Device, Settings
from training.foundation.parallel.cores import count_cores, count_local_processes


def choose_device(device: Device) -> Settings:
    """Returns the settings with a device; "auto" is a GPU if there is one."""
    settings = Settings()
    found: Device = (find_gpu() or "cpu") if device == "auto" else device
    return replace(settings, engine=replace(settings.engine, device=found))


def choose_batch_settings(device: Device) -> Settings:
    """Returns the settings for batches; "auto" is a GPU if there is one."""
    settings = choose_device(device)
    if settings.engine.device != "cpu":
        return settings
    threads = max(1, count_cores() // count_local_processes(os.environ))
    precision = choose_batch_precision()
    return replace(settings, engine=replace(settings.engine, threads=threads, precision=precision))
