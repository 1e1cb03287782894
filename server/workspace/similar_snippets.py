"""Finds the snippet of another open file that is most similar to the text around the cursor.

Similarity is the Jaccard index of the identifiers in both.

Source: Zhang et al. 2023, "RepoCoder", arXiv:2303.12570 (windows of lines, retrieved this way).
"""

import re
from collections.abc import Iterable, Mapping

_SNIPPET_LINES = 10
_STEP_LINES = 5
_MIN_SIMILARITY = 0.12
_MAX_FILE_CHARS = 64_000
_NAME = re.compile(r"[^\W\d]\w{2,}")


def find_most_similar(place: str, others: Mapping[str, str]) -> tuple[str, str] | None:
    """Returns a file's name and some of its lines, None if nothing is similar to ``place``.

    Args:
        place: The text around the cursor.
        others: The texts of other files by name, the last edited first.
    """
    wanted = set(_NAME.findall(place))
    if not wanted:
        return None
    best: tuple[float, str, str] | None = None
    for name, text in others.items():
        for snippet in _snippets(text):
            found = set(_NAME.findall(snippet))
            similarity = len(wanted & found) / len(wanted | found)
            if similarity >= _MIN_SIMILARITY and (best is None or similarity > best[0]):
                best = (similarity, name, snippet)
    return None if best is None else best[1:]


def _snippets(text: str) -> Iterable[str]:
    lines = text[:_MAX_FILE_CHARS].splitlines(keepends=True)
    for start in range(0, max(1, len(lines) - _SNIPPET_LINES + _STEP_LINES), _STEP_LINES):
        yield "".join(lines[start : start + _SNIPPET_LINES])
