"""Finds the folder of a setting's model: the bundled one, the user's own, or one from the Hub.

A model from the Hub is downloaded once, into the cache that the Hub's own tools share; after that,
the network is not used. Only an artifact's files are downloaded, none of which is a program.
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
_TRAINING_STATE = ("training_state*", "data_position*")  # on the branch of a run, and large

_ON_HUB = re.compile(r"([\w-][\w.-]*/[\w-][\w.-]*)(?:@([\w./-]+))?")

DownloadProgress = Callable[[int, int], None]  # receives bytes so far and bytes in all


def expand_user(name: str) -> Path:
    """Returns the user's path with "~" expanded, unless there is no home folder."""
    return Path(os.path.expanduser(name))  # noqa: PTH111 - pathlib's raises


def make_absolute(name: str) -> str:
    """Returns the user's path as an absolute one, if the working folder still exists."""
    try:
        return str(expand_user(name).absolute())
    except OSError:
        return name


def resolve_model_name(name: str) -> str:
    """Returns a model's name for a process with another working folder."""
    folder = expand_user(name)
    is_folder = bool(name) and (_ON_HUB.fullmatch(name) is None or folder.exists())
    return make_absolute(name) if is_folder else name


def find_model_folder(name: str, on_download: DownloadProgress | None = None) -> Path:
    """Returns the folder of the model that a setting names; downloads it if need be.

    Args:
        name: As in :class:`server.settings.Settings`.
        on_download: Called while the model is downloaded, from any thread.

    Raises:
        ArtifactError: The model cannot be downloaded.
    """
    if not name:
        return BUNDLED_MODEL
    folder = expand_user(name)
    on_hub = _ON_HUB.fullmatch(name)
    if on_hub is None or folder.exists():
        return folder
    return _download(on_hub[1], on_hub[2], on_download)


def _download(name: str, revision: str | None, on_download: DownloadProgress | None) -> Path:
    from huggingface_hub import snapshot_download  # noqa: PLC0415 - seldom wanted, and slow
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError  # noqa: PLC0415

    wanted: dict[str, Any] = {"revision": revision, "allow_patterns": list(FILES)}
    wanted["ignore_patterns"] = list(_TRAINING_STATE)
    try:
        return Path(snapshot_download(name, local_files_only=True, **wanted))
    except (OSError, ValueError):  # not in the cache, or incomplete
        pass
    try:
        return Path(snapshot_download(name, tqdm_class=_make_progress_bar(on_download), **wanted))
    except HfHubHTTPError as error:
        found = f"the Hugging Face Hub answered with status {error.response.status_code}"
        what = "check the name and the revision, or log in with `hf auth login` if it is private"
    except LocalEntryNotFoundError:
        found, what = "the Hugging Face Hub cannot be reached", "check the network and try again"
    except (OSError, ValueError) as error:
        found, what = f"{error}".partition("\n")[0], "try again, or use a model folder"
    raise ArtifactError(f"cannot download the model {name}: {found}; {what}")


def _make_progress_bar(on_download: DownloadProgress | None) -> type:
    """Returns a class of progress bars that draw nothing and report the bytes."""
    from huggingface_hub.utils.tqdm import tqdm  # noqa: PLC0415

    class _Reporting(tqdm):
        _report_lock = threading.Lock()

        def __init__(self, *arguments: Any, **options: Any) -> None:
            self._counts_bytes = options.get("unit") == "B"
            super().__init__(*arguments, **{**options, "disable": True})  # type: ignore[no-untyped-call]

        def update(self, n: float | None = 1) -> bool | None:
            self.n += n or 0
            if on_download is not None and self._counts_bytes and self.total:
                with self._report_lock:
                    on_download(int(self.n), int(self.total))
            return None

    return _Reporting
