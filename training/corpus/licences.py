"""Licence names and texts to SPDX identifiers, and which expressions the policy allows.

Where a package's licence is declared is :mod:`training.corpus.readers.package_metadata`'s business.
"""

import re
from functools import lru_cache
from typing import Any

from license_expression import ExpressionError, get_spdx_licensing

_SPDX = get_spdx_licensing()
SPELLINGS = {
    "Apache 2": "Apache-2.0",
    "Apache 2.0": "Apache-2.0",
    "Apache 2.0 License": "Apache-2.0",
    "Apache License 2.0": "Apache-2.0",
    "Apache License (2.0)": "Apache-2.0",
    "Apache License, Version 2.0": "Apache-2.0",
    "MIT License": "MIT",
    "BSD 3-Clause License": "BSD-3-Clause",
}
UNKNOWN = "UNKNOWN"
MAX_EXPRESSION_CHARS = 2000
_PARSE_ERRORS = (ExpressionError, AttributeError, TypeError, ValueError, RecursionError)


def detect_licence(text: str) -> str:
    """Returns the SPDX identifier of a licence text, or "" if it is not a common one."""
    if re.search(r"Apache License\s+Version 2\.0", text):
        return "Apache-2.0"
    if "Redistributions in binary form" in text:
        endorsement = r"[Nn]either the name|may be used to endorse|may not be used"
        return "BSD-3-Clause" if re.search(endorsement, text) else "BSD-2-Clause"
    if "Permission is hereby granted, free of charge" in text:
        return "MIT"
    return ""


def normalize_licence(text: str) -> str:
    """Returns the SPDX spelling of a licence's name, or the name itself if SPDX has none."""
    text = SPELLINGS.get(text.strip(), text.strip())
    if not text or len(text) > MAX_EXPRESSION_CHARS:
        return UNKNOWN
    try:
        return str(_SPDX.parse(text, validate=True))
    except _PARSE_ERRORS:
        return text


@lru_cache(maxsize=4096)  # asked once for each file
def find_disallowed(expression: str, allowed: frozenset[str]) -> tuple[str, ...]:
    """Returns the licences in an SPDX expression that the policy does not allow, sorted.

    Of licences joined by OR, one allowed licence suffices; an exception (WITH) only permits more.
    """
    if len(expression) > MAX_EXPRESSION_CHARS:
        return (UNKNOWN,)
    try:
        parsed = _SPDX.parse(expression)
        return (expression,) if parsed is None else tuple(sorted(_find_missing(parsed, allowed)))
    except _PARSE_ERRORS:
        return (expression,)


def _find_missing(node: Any, allowed: frozenset[str]) -> set[str]:
    if isinstance(node, _SPDX.OR):
        return min(
            (_find_missing(a, allowed) for a in node.args), key=lambda m: (len(m), sorted(m))
        )
    if isinstance(node, _SPDX.AND):
        return set().union(*(_find_missing(a, allowed) for a in node.args))
    key = str(getattr(node, "license_symbol", node).key)
    return set() if key in allowed else {key}
