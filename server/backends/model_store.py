"""Which folder a setting's model is in: the bundled one, the user's own, or one of the Hub's.

A model of the Hub is fetched once, into the cache that the Hub's own tools share; after that
nothing is asked of the network. Only an artifact's files are fetched, of which none is a program.
"""

import os
import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from training.artifact.bundled import BUNDLED_MODEL
from training.foundation.errors import ArtifactError

FILES = ("*.json", "*.safetensors", "README.md", "NOTICE", "LICENSE")

_ON_HUB = re.compile(r"([\w-][\w.-]*/[\w-][\w.-]*)(?:@([\w./-]+))?")

Told = Callable[[int, int], None]  # bytes that are here, and bytes in all


def expanded(name: str) -> Path:
    """Returns a path of the user's; "~" stays as it is where there is no home."""
    return Path(os.path.expanduser(name))  # noqa: PTH111 - pathlib's raises


def absolute(name: str) -> str:
    """Returns a path of the user's that holds in any working folder, unless this one is gone."""
    try:
        return str(expanded(name).absolute())
    except OSError:
        return name


def located(name: str) -> str:
    """Returns a model's name for a process that works in another folder."""
    folder = expanded(name)
    is_folder = bool(name) and (_ON_HUB.fullmatch(name) is None or folder.exists())
    return absolute(name) if is_folder else name


def model_folder(name: str, told: Told | None = None) -> Path:
    """Returns the folder of the model that a setting names.

    Args:
        name: As in :class:`server.settings.Settings`.
        told: Told how a download goes, from any thread.

    Raises:
        ArtifactError: It cannot be fetched.
    """
    if not name:
        return BUNDLED_MODEL
    folder = expanded(name)
    on_hub = _ON_HUB.fullmatch(name)
    if on_hub is None or folder.exists():
        return folder
    return _fetched(on_hub[1], on_hub[2], told)


def _fetched(name: str, revision: str | None, told: Told | None) -> Path:
    from huggingface_hub import snapshot_download  # noqa: PLC0415 - seldom wanted, and slow
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError  # noqa: PLC0415

    wanted: dict[str, Any] = {"revision": revision, "allow_patterns": list(FILES)}
    try:
        return Path(snapshot_download(name, local_files_only=True, **wanted))
    except (OSError, ValueError):  # not here, or not whole
        pass
    try:
        return Path(snapshot_download(name, tqdm_class=_bar(told), **wanted))
    except HfHubHTTPError as error:
        found = f"the Hugging Face Hub answered with status {error.response.status_code}"
        what = "check the name and the revision, or log in with `hf auth login` if it is private"
    except LocalEntryNotFoundError:
        found, what = "the Hugging Face Hub cannot be reached", "check the network and try again"
    except (OSError, ValueError) as error:
        found, what = f"{error}".partition("\n")[0], "try again, or use a model folder"
    raise ArtifactError(f"cannot download the model {name}: {found}; {what}")


def _bar(told: Told | None) -> type:
    """Returns a progress bar that draws nothing and tells of the bytes."""
    from huggingface_hub.utils.tqdm import tqdm  # noqa: PLC0415

    class _Telling(tqdm):
        _lock_of_told = threading.Lock()

        def __init__(self, *arguments: Any, **options: Any) -> None:
            self._counts_bytes = options.get("unit") == "B"
            super().__init__(*arguments, **{**options, "disable": True})  # type: ignore[no-untyped-call]

        def update(self, n: float | None = 1) -> bool | None:
            self.n += n or 0
            if told is not None and self._counts_bytes and self.total:
                with self._lock_of_told:
                    told(int(self.n), int(self.total))
            return None

    return _Telling
