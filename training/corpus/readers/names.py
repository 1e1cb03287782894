"""Names that somebody else chose, made fit for reports, notices and file names.

Packages, versions and paths come from archives, repositories and records. Line feeds in them would
add lines to NOTICE, and half a surrogate pair cannot be written at all. Called by the readers.
"""

import re

from training.foundation.foreign_text import replace_surrogates

MAX_NAME_CHARS = 200  # of a package or a version
MAX_PATH_CHARS = 4096  # as Linux limits paths
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")


def clean_name(value: object, max_chars: int = MAX_NAME_CHARS) -> str:
    """Returns a name as one line of printable text; empty if it is not text or a whole number."""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    elif isinstance(value, int) and not isinstance(value, bool):
        value = str(value) if value.bit_length() < 64 else ""  # noqa: PLR2004 - of any database
    if not isinstance(value, str):
        return ""
    cut = replace_surrogates(value[: max_chars + 1])
    return _CONTROL.sub(" ", cut).strip()[:max_chars]
