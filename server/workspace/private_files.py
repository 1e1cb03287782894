"""Private files: nothing is suggested in them, and nothing of them reaches the model.

They are recognised by name alone, without reading them.
"""

from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import PurePosixPath

from server.workspace.uris import paths_named_by

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


def is_private(uri: str, globs: Sequence[str]) -> bool:
    """Returns whether a document is private, by its name or path.

    Args:
        uri: The document's URI.
        globs: The user's, besides ``PRIVATE_FILES``: for a name, or with slashes for a path.
    """
    return any(_is_private_path(path, globs) for path in paths_named_by(uri))


def _is_private_path(path: str, globs: Sequence[str]) -> bool:
    name = PurePosixPath(path).name.lower()
    if any(fnmatchcase(name, glob) for glob in PRIVATE_FILES):
        return True
    return any(_matches(path, glob) for glob in globs)


def _matches(path: str, glob: str) -> bool:
    if "/" in glob:
        return fnmatchcase(path, glob) or fnmatchcase(path, f"*/{glob.lstrip('/')}")
    return any(fnmatchcase(part, glob) for part in PurePosixPath(path).parts)
