"""Recognises keys, tokens and passwords in code: by their shape, or by the name they are given.

No pattern takes more than linear time: a quantifier is bounded, nothing can begin again within what
it takes, or the pattern begins at the start of a run of characters and is possessive.
"""

import re

_MIN_CHARACTER_KINDS = 3  # of lower case, upper case and digits, in what may be a key
_SECRETS = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY|\b(?:AKIA|ASIA)[0-9A-Z]{16}\b|\bgh[pousr]_\w{30,}"
    r"|\bglpat-[\w-]{20,}|\bxox[abprs]-[\w-]{10,}|\bsk[-_](?:live[-_])?[A-Za-z0-9]{20,}"
    r"|\bAIza[\w-]{30,}|(?<![\w-])(?>[\w-]*?\beyJ)[\w-]{10,}+\.[\w-]{10,}+\."
)
_NAMED_SECRET = re.compile(  # a name or a key of a mapping, then a text
    r"(?:passw(?:or)?d|passphrase|secret|token|api_?key|credential)\w{0,32}[\"']?\]?"
    r"(?:\s{0,4}:\s{0,4}\w{1,32})?\s{0,4}[:=]\s{0,4}[rbfuRBFU]{0,2}[\"'][^\"'\s]{6,}",
    re.IGNORECASE,
)
_KEY_BLOCK = "-----BEGIN "
_LONG_VALUE = re.compile(r"[\"'][A-Za-z0-9+/=_-]{32,}[\"']")


def looks_secret(text: str) -> bool:
    """Returns whether a suggestion contains what looks like a key or a token."""
    if _SECRETS.search(text):
        return True
    return any(_looks_random(value.group()) for value in _LONG_VALUE.finditer(text))


def holds_key(text: str) -> bool:
    """Returns whether a text holds a key that goes over several lines."""
    return _KEY_BLOCK in text


def without_secrets(text: str) -> str:
    """Returns a source file's text without the lines that hold what looks like a secret.

    Nothing is left of a file with a key that goes over several lines.
    """
    if holds_key(text):
        return ""
    kept = (line for line in text.splitlines(keepends=True) if not _holds_secret(line))
    return "".join(kept)


def _holds_secret(line: str) -> bool:
    return _NAMED_SECRET.search(line) is not None or looks_secret(line)


def _looks_random(value: str) -> bool:
    kinds = (str.islower, str.isupper, str.isdigit)
    return sum(any(map(kind, value)) for kind in kinds) >= _MIN_CHARACTER_KINDS
