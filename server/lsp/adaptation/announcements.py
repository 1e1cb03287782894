"""Which ends of adaptations users have read: an editor that was closed shows the others."""

import contextlib
from pathlib import Path

from server.adaptation.adaptation_state import AdaptationState
from training.foundation.atomic_files import write_text_atomically
from training.foundation.errors import ForeignDataError
from training.foundation.foreign_text import read_bounded

ANNOUNCED_FILE = "announced"
_MAX_BYTES = 64


def is_announced(folder: Path, state: AdaptationState) -> bool:
    """Returns whether the user has read how an adaptation ended.

    Args:
        folder: The adapted model's.
        state: Of its adaptation.
    """
    try:
        text = read_bounded(folder / ANNOUNCED_FILE, _MAX_BYTES)
    except (OSError, ForeignDataError):
        return False
    return text == _identify(state).encode()


def note_announced(folder: Path, state: AdaptationState) -> None:
    """Takes note that the user has read it; a folder that cannot be written only repeats it."""
    with contextlib.suppress(OSError):
        write_text_atomically(folder / ANNOUNCED_FILE, _identify(state))


def _identify(state: AdaptationState) -> str:
    return f"{state.state} {state.updated:.3f}"
