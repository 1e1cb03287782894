"""What the processes of one training do together: lock the run's folder, fail, stop.

A process that ends alone leaves the others waiting for it, so whatever one of them meets becomes
known to all. Called by ``training/pretrain.py``; the accelerator is Accelerate's, of this process.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from training.foundation.errors import OtherProcessError, PrerequisiteError
from training.foundation.folder_lock import folder_lock


@contextlib.contextmanager
def run_lock(path: Path, accelerator: Any) -> Iterator[None]:
    """Keeps the run's folder for these processes: the main one locks it.

    Raises:
        FolderInUseError: Another run has it.
        OtherProcessError: The same, in the processes beside the main one.
    """
    with contextlib.ExitStack() as stack:
        failure: PrerequisiteError | None = None
        try:
            if accelerator.is_main_process:
                stack.enter_context(folder_lock(path))
        except PrerequisiteError as error:
            failure = error
        raise_together(failure, accelerator)
        yield


def raise_together(failure: PrerequisiteError | None, accelerator: Any) -> None:
    """Raises in all processes if one has failed.

    Raises:
        PrerequisiteError: ``failure``, this process' own.
        OtherProcessError: Another process has failed.
    """
    if on_any_process(accelerator, happened=failure is not None):
        raise failure or OtherProcessError("another training process has failed; see its message")


def on_any_process(accelerator: Any, *, happened: bool) -> bool:
    """Says whether something happened in any of the processes."""
    flag = torch.tensor(float(happened), device=accelerator.device)
    return bool(accelerator.reduce(flag, reduction="sum") > 0)
