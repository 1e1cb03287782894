"""Recognises suggestions that look like a key or a token, by their shape."""

import re

_MIN_CHARACTER_KINDS = 3  # of lower case, upper case and digits, in what may be a key
_SECRETS = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY|\b(?:AKIA|ASIA)[0-9A-Z]{16}\b|\bgh[pousr]_\w{30,}"
    r"|\bglpat-[\w-]{20,}|\bxox[abprs]-[\w-]{10,}|\bsk[-_](?:live[-_])?[A-Za-z0-9]{20,}"
    r"|\bAIza[\w-]{30,}|\beyJ[\w-]{10,}\.[\w-]{10,}\."
)
_LONG_VALUE = re.compile(r"[\"'][A-Za-z0-9+/=_-]{32,}[\"']")


def looks_secret(text: str) -> bool:
    """Returns whether a suggestion contains what looks like a key or a token."""
    if _SECRETS.search(text):
        return True
    return any(_looks_random(value.group()) for value in _LONG_VALUE.finditer(text))


def _looks_random(value: str) -> bool:
    kinds = (str.islower, str.isupper, str.isdigit)
    return sum(any(map(kind, value)) for kind in kinds) >= _MIN_CHARACTER_KINDS
