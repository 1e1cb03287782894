"""Which paths are private by name: those that usually hold secrets, and the user's own globs.

Nothing is suggested in such files, nothing of them reaches a model, and none is trained on. Nothing
is read here.
"""

from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import PurePosixPath

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


def is_private_path(path: str, globs: Sequence[str]) -> bool:
    """Returns whether a path is private.

    Args:
        path: The path, with slashes.
        globs: The user's, besides ``PRIVATE_FILES``: for a name, or with slashes for a path.
    """
    name = PurePosixPath(path).name.lower()
    if any(fnmatchcase(name, glob) for glob in PRIVATE_FILES):
        return True
    return any(matches_glob(path, glob) for glob in globs)


def matches_glob(path: str, glob: str) -> bool:
    """Returns whether a glob means a path: by a name in it, or with slashes by the whole path."""
    if "/" in glob:
        return fnmatchcase(path, glob) or fnmatchcase(path, f"*/{glob.lstrip('/')}")
    return any(fnmatchcase(part, glob) for part in PurePosixPath(path).parts)
