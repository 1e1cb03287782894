"""What the processes of one training run decide together: lock the run's folder, fail, stop.

A process that ends alone leaves the others waiting for it, so whatever happens to one of them is
shared with all. Called by ``training/pretrain.py`` and ``training.run``; the accelerator is
Accelerate's, of this process.
"""

import contextlib
import signal
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any, Self

import torch

from training.foundation.errors import OtherProcessError, ParrotletError, PrerequisiteError
from training.foundation.folder_lock import folder_lock


@contextlib.contextmanager
def lock_run_folder(path: Path, accelerator: Any) -> Iterator[None]:
    """Locks the run's folder for these processes; the main one holds the lock.

    Raises:
        FolderInUseError: Another run is using it.
        OtherProcessError: The same, in all processes but the main one.
    """
    with contextlib.ExitStack() as stack:
        with fail_together(accelerator):
            if accelerator.is_main_process:
                stack.enter_context(folder_lock(path))
        yield


@contextlib.contextmanager
def fail_together(accelerator: Any) -> Iterator[None]:
    """Ends the block in all processes if it fails in one of them with an expected error.

    Raises:
        ParrotletError: This process failed.
        OSError: Likewise.
        OtherProcessError: Another process failed.
    """
    failure: ParrotletError | OSError | None = None
    try:
        yield
    except (ParrotletError, OSError) as error:
        failure = error
    if is_true_anywhere(accelerator, value=failure is not None):
        raise failure or OtherProcessError("another training process has failed; see its message")


def is_true_anywhere(accelerator: Any, *, value: bool) -> bool:
    """Says whether ``value`` is true in any of the processes."""
    flag = torch.tensor(float(value), device=accelerator.device)
    return bool(accelerator.reduce(flag, reduction="sum") > 0)


def check_shared_folder(run: Path, found: str, accelerator: Any) -> None:
    """Refuses to go on if processes find different things in the run's folder.

    All processes must call it together. Otherwise some would resume and others begin.

    Args:
        run: The run's folder.
        found: What this process finds there, for the message.
        accelerator: Accelerate's, of this process.

    Raises:
        PrerequisiteError: They differ; in all processes.
    """
    main, *others = (text.decode() for text in gather_bytes(accelerator, found.encode()))
    for process, other in enumerate(others, start=1):
        if other != main:
            raise PrerequisiteError(
                f"in {run}, process {process} finds {other}, the main one {main}; paths.run must"
                " be a folder that all machines share and can read"
            )


def gather_bytes(accelerator: Any, content: bytes) -> list[bytes]:
    """Returns what each process passes, in the order of the processes, to all of them."""
    device = accelerator.device
    sizes = accelerator.gather(torch.tensor([len(content)], device=device)).tolist()
    if not any(sizes):
        return [b""] * len(sizes)
    padded = torch.frombuffer(bytearray(content.ljust(max(sizes), b"\0")), dtype=torch.uint8)
    rows = accelerator.gather(padded.to(device)).cpu().chunk(len(sizes))
    return [bytes(row[:n].numpy()) for row, n in zip(rows, sizes, strict=True)]


class StopRequest:
    """Turns SIGTERM and SIGINT into a request to stop after the current step.

    A context manager; outside the block the signals work as before.
    """

    def __init__(self, accelerator: Any) -> None:
        self._accelerator = accelerator
        self._is_requested = False
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> Self:
        for number in (signal.SIGTERM, signal.SIGINT):
            self._previous[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def is_requested(self, *, or_if: bool = False) -> bool:
        """Says whether any process was asked to stop, so that all stop at the same step.

        Args:
            or_if: Another reason for this process to stop.
        """
        return is_true_anywhere(self._accelerator, value=self._is_requested or or_if)

    def _on_signal(self, _signal: int, _frame: FrameType | None) -> None:
        self._is_requested = True
