"""What is none of a model's business: files of secrets, and suggestions that look like one.

Names only for files (their text is not looked at), shapes only for suggestions.
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
_LEAST_VARIED = 3  # kinds of characters in what may be a key: lower case, upper case, digits
_SECRETS = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY|\b(?:AKIA|ASIA)[0-9A-Z]{16}\b|\bgh[pousr]_\w{30,}"
    r"|\bglpat-[\w-]{20,}|\bxox[abprs]-[\w-]{10,}|\bsk[-_](?:live[-_])?[A-Za-z0-9]{20,}"
    r"|\bAIza[\w-]{30,}|\beyJ[\w-]{10,}\.[\w-]{10,}\."
)
_LONG_VALUE = re.compile(r"[\"'][A-Za-z0-9+/=_-]{32,}[\"']")


def is_private(uri: str, globs: Sequence[str]) -> bool:
    """Says whether a document's name, or its path, is one of those that are left alone.

    Args:
        uri: The document's.
        globs: The user's, beside ``PRIVATE_FILES``: of a name, or of a path with slashes.
    """
    path = unquote(urlsplit(uri).path)
    name = PurePosixPath(path).name.lower()
    if any(fnmatchcase(name, glob) for glob in PRIVATE_FILES):
        return True
    return any(_matches(path, glob) for glob in globs)


def looks_secret(text: str) -> bool:
    """Says whether a suggestion holds what looks like a key or a token."""
    if _SECRETS.search(text):
        return True
    return any(_is_varied(value.group()) for value in _LONG_VALUE.finditer(text))


def _matches(path: str, glob: str) -> bool:
    if "/" in glob:
        return fnmatchcase(path, glob) or fnmatchcase(path, f"*/{glob.lstrip('/')}")
    return any(fnmatchcase(part, glob) for part in PurePosixPath(path).parts)


def _is_varied(value: str) -> bool:
    kinds = (str.islower, str.isupper, str.isdigit)
    return sum(any(map(kind, value)) for kind in kinds) >= _LEAST_VARIED
