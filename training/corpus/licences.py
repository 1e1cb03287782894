"""Which licence a package is under, and whether the policy allows it.

The licence is read from the metadata's ``License-Expression``, else its classifiers, else its
``License`` field, else the text of its licence file. Headers of single files are the filters'
business.
"""

import re
from dataclasses import dataclass
from email.parser import HeaderParser
from typing import Any

from license_expression import ExpressionError, get_spdx_licensing

_SPDX = get_spdx_licensing()
_CLASSIFIERS = {
    "MIT License": "MIT",
    "Apache Software License": "Apache-2.0",
    "ISC License (ISCL)": "ISC",
    "Python Software Foundation License": "PSF-2.0",
}
_FAMILY_CLASSIFIERS = {"BSD License"}  # two or three clauses? the licence file tells
_SPELLINGS = {
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
MAX_FIELD_CHARS = 80


@dataclass(frozen=True, kw_only=True)
class Metadata:
    """What a package says of itself; ``source`` names where the licence was read."""

    name: str
    version: str
    licence: str
    source: str


def read_metadata(metadata: str, licence_text: str) -> Metadata:
    """Reads a ``METADATA`` or ``PKG-INFO`` file, with the licence file's text as last resort."""
    message = HeaderParser().parsestr(metadata)
    licence, source = _declared(
        expression=(message.get("License-Expression") or "").strip(),
        classifiers=[
            c.split("::")[-1].strip()
            for c in message.get_all("Classifier", [])
            if c.startswith("License ::")
        ],
        field=(message.get("License") or "").strip().partition("\n")[0][:MAX_FIELD_CHARS],
    )
    if licence == UNKNOWN:
        guess = licence_of_text(licence_text)
        licence, source = (guess, "licence file") if guess else (UNKNOWN, "none")
    return Metadata(
        name=message.get("Name", ""),
        version=message.get("Version", ""),
        licence=licence,
        source=source,
    )


def _declared(*, expression: str, classifiers: list[str], field: str) -> tuple[str, str]:
    if expression:
        return expression, "License-Expression"
    named = [c for c in classifiers if c != "OSI Approved"]
    if named and not _FAMILY_CLASSIFIERS.intersection(named):
        return " AND ".join(_CLASSIFIERS.get(c, c) for c in named), "classifier"
    if field and not named:
        return _SPELLINGS.get(field, field), "License field"
    return UNKNOWN, "none"


def licence_of_text(text: str) -> str:
    """Returns the SPDX identifier of a whole licence text, or "" if it is none of the usual."""
    if re.search(r"Apache License\s+Version 2\.0", text):
        return "Apache-2.0"
    if "Redistributions in binary form" in text:
        endorsement = r"[Nn]either the name|may be used to endorse|may not be used"
        return "BSD-3-Clause" if re.search(endorsement, text) else "BSD-2-Clause"
    if "Permission is hereby granted, free of charge" in text:
        return "MIT"
    return ""


def spdx_of(text: str) -> str:
    """Returns a licence's name as SPDX spells it, or as it is where SPDX does not know it."""
    text = _SPELLINGS.get(text.strip(), text.strip())
    if not text:
        return UNKNOWN
    try:
        return str(_SPDX.parse(text, validate=True))
    except (ExpressionError, AttributeError, TypeError):
        return text


def disallowed(expression: str, allowed: frozenset[str]) -> list[str]:
    """Returns the parts of an SPDX expression that stand in the way of the policy, sorted.

    Of licences joined by OR one that is allowed is enough; an exception (WITH) only permits more.
    """
    try:
        parsed = _SPDX.parse(expression)
    except (ExpressionError, AttributeError, TypeError):
        parsed = None
    return sorted(_missing(parsed, allowed)) if parsed is not None else [expression]


def _missing(node: Any, allowed: frozenset[str]) -> set[str]:
    if isinstance(node, _SPDX.OR):
        return min((_missing(a, allowed) for a in node.args), key=lambda m: (len(m), sorted(m)))
    if isinstance(node, _SPDX.AND):
        return set().union(*(_missing(a, allowed) for a in node.args))
    key = str(getattr(node, "license_symbol", node).key)
    return set() if key in allowed else {key}
