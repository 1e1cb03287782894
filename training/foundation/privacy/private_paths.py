"""Which paths are private by name: those that usually hold secrets, and the user's own globs.

Nothing is suggested in such files, nothing of them reaches a model, and none is trained on. No file
is read here.
"""

import os
import re
from collections.abc import Sequence
from fnmatch import translate
from pathlib import Path, PurePosixPath

from training.foundation.privacy.path_globs import compile_globs

PRIVATE_FILES = (
    ".env",
    ".env.*",
    "*.env",
    ".netrc",
    "_netrc",
    ".npmrc",
    ".pypirc",
    ".pgpass",
    ".htpasswd",
    "*.pem",
    "*.key",
    "*.p12",
    "*.pfx",
    "*.jks",
    "*.kdbx",
    "id_rsa*",
    "id_dsa*",
    "id_ecdsa*",
    "id_ed25519*",
    "credentials",
    "credentials.*",
    "*credentials.json",
    "secrets.*",
    "*.secrets",
    "*secret*.py",
    "service-account*.json",
)
_PRIVATE_NAME = re.compile("|".join(map(translate, PRIVATE_FILES)))


def is_private_path(path: str, globs: Sequence[str], folders: Sequence[str] = ()) -> bool:
    """Returns whether a path is private.

    Args:
        path: The path, with slashes.
        globs: The user's, besides ``PRIVATE_FILES``, as :mod:`.path_globs` reads them.
        folders: What the path is relative to, by :func:`list_folder_names`: a glob means the whole
            path, by whichever name, as well as the relative one.
    """
    if _PRIVATE_NAME.match(PurePosixPath(path).name.lower()):
        return True
    if not globs:
        return False
    matches = compile_globs(globs).matches
    return matches(path) or any(matches(f"{folder}/{path}") for folder in folders)


def list_folder_names(folder: Path) -> tuple[str, ...]:
    """Returns the absolute paths of a folder, with slashes: as it is named, and without links."""
    folder = folder.parent if folder.name == ".git" else folder  # whose files lie beside it
    named = (Path(os.path.abspath(folder)), Path(os.path.realpath(folder)))  # noqa: PTH100
    return tuple(dict.fromkeys(path.as_posix().rstrip("/") for path in named))
