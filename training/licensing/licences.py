"""Licence names and texts to SPDX identifiers, and which expressions the policy allows.

Where a package's licence is declared is :mod:`training.corpus.readers.package_metadata`'s business.
"""

import re
from collections.abc import Iterable
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
# What the BSD licences do not ask for, but BSD-4-Clause, Apache 1.1, OpenSSL's and Zope's do.
_MORE_CLAUSES = r"(?:display|include) the following acknowledge?ment|Zope Public Licen[sc]e"
# Texts of licences, and names of clauses, with which a permissive text does not stand for all.
_RESTRICTIONS = re.compile(
    r"GNU (?:Lesser |Library |Affero )?General Public Licen[sc]e"
    r"|(?:Mozilla|Eclipse|Server Side) Public Licen[sc]e|European Union Public"
    r"|(?:Business Source|Elastic|Open Font) Licen[sc]e"
    r"|Commons Clause|Non[- ]?Commercial|PolyForm|Good, not Evil"
    r"|(?:research|academic|educational|evaluation) (?:purposes?|use) only"
    rf"|{_MORE_CLAUSES}",
    re.IGNORECASE,
)
# Words that no other licence has: Boost and SIL OFL also grant "free of charge, to any person".
_WORDS = {
    "Apache-2.0": "Apache License Version 2.0",
    "BSL-1.0": "Boost Software License - Version 1.0",
    "MIT": "Permission is hereby granted, free of charge, to any person obtaining a copy of this"
    " software and associated documentation",
}
_COPYLEFT = re.compile(r"AGPL|LGPL|GPL|MPL|EPL|EUPL|CC-BY-SA|BUSL|SSPL", re.IGNORECASE)
_CLOSED = {"proprietary", "unlicensed"}  # written like SPDX names of terms that permit nothing
_COMMENT_MARK = re.compile(r"^[ \t]*+[*#/;]++(?=\s)", re.MULTILINE)
_CHOICE = re.compile(r"\bor\b", re.IGNORECASE)
MAX_EXPRESSION_CHARS = 2000
_PARSE_ERRORS = (ExpressionError, AttributeError, TypeError, ValueError, RecursionError)


def detect_licence(text: str) -> str:
    """Returns the SPDX expression of a licence file, or "" if it has no common text.

    A file may have several texts, whose licences are joined by AND: which of them are of bundled
    code is not known. With terms that forbid more, it counts as unknown.
    """
    plain = _join_words(text)
    if _RESTRICTIONS.search(plain):
        return ""
    found = [licence for licence, words in _WORDS.items() if words in plain]
    return join_licences([_find_bsd(plain), *found])


def detect_bsd(text: str) -> str:
    """Returns which of the BSD licences a text has, of two or three clauses; "" if none."""
    return _find_bsd(_join_words(text))


def _find_bsd(plain: str) -> str:
    is_other = re.search(_MORE_CLAUSES, plain, re.IGNORECASE)
    if "Redistributions in binary form" not in plain or is_other:
        return ""
    endorsement = r"[Nn]either the name|used to endorse|may not be used"
    return "BSD-3-Clause" if re.search(endorsement, plain) else "BSD-2-Clause"


def _join_words(text: str) -> str:
    """Returns a text with single spaces, and without what marks its lines as a comment's."""
    return " ".join(_COMMENT_MARK.sub(" ", text).split())


def join_licences(expressions: Iterable[str]) -> str:
    """Returns the expression that asks for all of some; choices among them stay choices."""
    distinct = sorted({expression for expression in expressions if expression})
    if len(distinct) > 1:
        distinct = [f"({e})" if _CHOICE.search(e) else e for e in distinct]
    return " AND ".join(distinct)


def normalize_licence(text: str) -> str:
    """Returns the SPDX spelling of a licence's name, or the name itself if SPDX has none."""
    text = SPELLINGS.get(text.strip(), text.strip())
    if not text or len(text) > MAX_EXPRESSION_CHARS:
        return UNKNOWN
    try:
        return str(_SPDX.parse(text, validate=True))
    except _PARSE_ERRORS:
        return text


def list_copyleft(expression: str) -> frozenset[str]:
    """Returns the families of copyleft, such as "LGPL", that an SPDX expression names.

    Those that restrict use (BUSL, SSPL) are among them; versions and exceptions make no difference.
    """
    return frozenset(name.upper() for name in _COPYLEFT.findall(expression))


def states_other_terms(expression: str, allowed: frozenset[str]) -> bool:
    """Returns whether an SPDX expression names licences that the policy does not allow.

    What is no name of a licence, as in a template, states nothing.
    """
    return any(
        name in _SPDX.known_symbols or name.startswith("LicenseRef-") or name.lower() in _CLOSED
        for name in find_disallowed(expression, allowed)
    )


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
