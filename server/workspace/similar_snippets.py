"""The piece of another open file that is most like the place of the cursor.

Likeness is that of the names in both: how many they share of all they have (Jaccard's index). As in
Zhang et al. 2023, "RepoCoder", arXiv:2303.12570, who retrieve windows of lines by it.
"""

import re
from collections.abc import Iterable, Mapping

_LINES = 10
_STEP = 5
_LEAST_LIKENESS = 0.12
_MOST_CHARS = 64_000  # of each other file
_NAME = re.compile(r"[^\W\d]\w{2,}")


def most_similar(place: str, others: Mapping[str, str]) -> tuple[str, str] | None:
    """Returns a file's name and some lines of it, None if nothing is like ``place``.

    Args:
        place: The text around the cursor.
        others: The texts of other files by name, the latest edited first.
    """
    wanted = set(_NAME.findall(place))
    if not wanted:
        return None
    best: tuple[float, str, str] | None = None
    for name, text in others.items():
        for piece in _pieces(text):
            found = set(_NAME.findall(piece))
            likeness = len(wanted & found) / len(wanted | found)
            if likeness >= _LEAST_LIKENESS and (best is None or likeness > best[0]):
                best = (likeness, name, piece)
    return None if best is None else best[1:]


def _pieces(text: str) -> Iterable[str]:
    lines = text[:_MOST_CHARS].splitlines(keepends=True)
    for start in range(0, max(1, len(lines) - _LINES + _STEP), _STEP):
        yield "".join(lines[start : start + _LINES])
