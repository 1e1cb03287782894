"""Edit similarity: one minus the Levenshtein distance as a share of the longer text."""

MAX_COMPARED_CHARS = 2000  # of each text


def edit_similarity(first: str, second: str) -> float:
    """Returns the similarity of two texts, from 0 to 1; two empty texts are equal."""
    a, b = first[:MAX_COMPARED_CHARS], second[:MAX_COMPARED_CHARS]
    longest = max(len(a), len(b))
    return 1.0 - _levenshtein_distance(a, b) / longest if longest else 1.0


def _levenshtein_distance(a: str, b: str) -> int:
    above = list(range(len(b) + 1))
    for row, char in enumerate(a, 1):
        left = row
        line = [left]
        for column, other in enumerate(b, 1):
            left = min(above[column] + 1, left + 1, above[column - 1] + (char != other))
            line.append(left)
        above = line
    return above[-1]
