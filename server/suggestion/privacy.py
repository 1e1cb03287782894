"""Private files, in which nothing is suggested, and suggestions that look like secrets.

Files are recognised by name alone, without reading them; suggestions by their shape.
"""

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

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
_MIN_CHARACTER_KINDS = 3  # of lower case, upper case and digits, in what may be a key
_SECRETS = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY|\b(?:AKIA|ASIA)[0-9A-Z]{16}\b|\bgh[pousr]_\w{30,}"
    r"|\bglpat-[\w-]{20,}|\bxox[abprs]-[\w-]{10,}|\bsk[-_](?:live[-_])?[A-Za-z0-9]{20,}"
    r"|\bAIza[\w-]{30,}|\beyJ[\w-]{10,}\.[\w-]{10,}\."
)
_LONG_VALUE = re.compile(r"[\"'][A-Za-z0-9+/=_-]{32,}[\"']")


def is_private(uri: str, globs: Sequence[str]) -> bool:
    """Returns whether a document is private, by its name or path.

    Args:
        uri: The document's URI.
        globs: The user's, besides ``PRIVATE_FILES``: for a name, or with slashes for a path.
    """
    path = unquote(urlsplit(uri).path)
    name = PurePosixPath(path).name.lower()
    if any(fnmatchcase(name, glob) for glob in PRIVATE_FILES):
        return True
    return any(_matches(path, glob) for glob in globs)


def looks_secret(text: str) -> bool:
    """Returns whether a suggestion contains what looks like a key or a token."""
    if _SECRETS.search(text):
        return True
    return any(_looks_random(value.group()) for value in _LONG_VALUE.finditer(text))


def _matches(path: str, glob: str) -> bool:
    if "/" in glob:
        return fnmatchcase(path, glob) or fnmatchcase(path, f"*/{glob.lstrip('/')}")
    return any(fnmatchcase(part, glob) for part in PurePosixPath(path).parts)


def _looks_random(value: str) -> bool:
    kinds = (str.islower, str.isupper, str.isdigit)
    return sum(any(map(kind, value)) for kind in kinds) >= _MIN_CHARACTER_KINDS
