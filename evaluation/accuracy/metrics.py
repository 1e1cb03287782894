"""How close completions come to the text of the file: pure functions, and their means.

Exact match compares without the white space at the end. Edit similarity is one less the Levenshtein
distance as a share of the longer text. A completion is valid if the document still parses with it.
"""

import ast
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist, fmean, stdev
from typing import Any

from evaluation.accuracy.items import Item
from evaluation.runs.estimators import CONFIDENCE, share
from training.foundation.config_schema import to_mapping

MAX_COMPARED_CHARS = 2000  # of each text in an edit distance
N_BINS = 10


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What was shown for an item.

    Attributes:
        item: The item.
        text: The completion; empty if nothing was shown.
        confidence: Between 0 and 1, of its first line; None if the model reports none.
        log_prob: Of its first line, in nats; None likewise.
        reason: Why nothing was shown.
    """

    item: Item
    text: str
    confidence: float | None = None
    log_prob: float | None = None
    reason: str | None = None

    @property
    def is_exact(self) -> bool:
        """Whether it is the text of the file."""
        return _plain(self.text) == _plain(self.item.target)

    @property
    def similarity(self) -> float:
        """Between 0 and 1."""
        return edit_similarity(_plain(self.text), _plain(self.item.target))

    @property
    def is_valid(self) -> bool:
        """Whether the document parses with it."""
        try:
            ast.parse(self.item.prefix + self.text + self.item.suffix)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return False
        return True

    def record(self) -> dict[str, Any]:
        """Returns the line of ``answers.jsonl``."""
        return {
            "id": self.item.id,
            "kind": self.item.kind,
            "completion": self.text,
            "target": self.item.target,
            "exact": self.is_exact,
            "similarity": round(self.similarity, 4),
            "valid": self.is_valid,
            "confidence": self.confidence,
            "log_prob": self.log_prob,
            "reason": self.reason,
        }


def figures(answers: Sequence[Answer]) -> dict[str, Any]:
    """Returns the figures of answers of one kind, with 95% intervals."""
    shown = [answer for answer in answers if answer.text]
    return {
        "items": len(answers),
        "shown": _share(answers, lambda a: bool(a.text)),
        "exact_match": _share(answers, lambda a: a.is_exact),
        "exact_match_of_shown": _share(shown, lambda a: a.is_exact) if shown else None,
        "edit_similarity": _mean([a.similarity for a in answers]),
        "syntax_valid": _share(answers, lambda a: a.is_valid),
    }


def calibration(answers: Sequence[Answer]) -> list[dict[str, Any]]:
    """Returns tenths of what was shown, by confidence, each with its share of exact matches."""
    known = sorted(
        ((a.confidence, a.is_exact) for a in answers if a.text and a.confidence is not None),
        key=lambda pair: pair[0],
    )
    bins = []
    for number in range(N_BINS):
        part = known[len(known) * number // N_BINS : len(known) * (number + 1) // N_BINS]
        if part:
            right = share(sum(is_exact for _, is_exact in part), len(part))
            confidence = fmean(confidence for confidence, _ in part)
            bins.append({"confidence": confidence, **to_mapping(right)})
    return bins


def expected_calibration_error(bins: Sequence[dict[str, Any]]) -> float | None:
    """Returns the mean distance of confidence and accuracy; None without bins.

    Source: Guo et al. 2017, arXiv:1706.04599, with bins of equal numbers.
    """
    total = sum(b["problems"] for b in bins)
    if not total:
        return None
    away = sum(b["problems"] * abs(b["confidence"] - b["value"]) for b in bins)
    return float(away / total)


def edit_similarity(first: str, second: str) -> float:
    """Returns one less the Levenshtein distance over the longer length; 1.0 for two empty texts."""
    a, b = first[:MAX_COMPARED_CHARS], second[:MAX_COMPARED_CHARS]
    longest = max(len(a), len(b))
    return 1.0 - _distance(a, b) / longest if longest else 1.0


def _distance(a: str, b: str) -> int:
    above = list(range(len(b) + 1))
    for row, char in enumerate(a, 1):
        left = row
        line = [left]
        for column, other in enumerate(b, 1):
            left = min(above[column] + 1, left + 1, above[column - 1] + (char != other))
            line.append(left)
        above = line
    return above[-1]


def _plain(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.rstrip().split("\n"))


def _share(answers: Sequence[Answer], holds: Callable[[Answer], bool]) -> dict[str, Any]:
    found: dict[str, Any] = to_mapping(share(sum(map(holds, answers)), len(answers)))
    return found


def _mean(values: Sequence[float]) -> dict[str, float | int]:
    """Returns a mean with the interval of the normal distribution."""
    mean = fmean(values)
    error = stdev(values) / sqrt(len(values)) if len(values) > 1 else 0.0
    spread = NormalDist().inv_cdf((1 + CONFIDENCE) / 2) * error
    low, high = max(0.0, mean - spread), min(1.0, mean + spread)
    return {"value": mean, "low": low, "high": high, "problems": len(values)}
