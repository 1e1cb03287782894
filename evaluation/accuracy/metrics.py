"""How close completions come to the text of the file: pure functions, and their means.

Exact match compares without trailing white space. A completion is valid if the document with it
still parses.
"""

import ast
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist, fmean, stdev
from typing import Any, Self

from evaluation.accuracy.edit_similarity import edit_similarity
from evaluation.accuracy.items import Item
from evaluation.runs.estimators import CONFIDENCE, Estimate, estimate_share
from evaluation.runs.record_fields import get_field, get_optional_field


@dataclass(frozen=True, kw_only=True)
class CompletedItem:
    """An item with the model's completion.

    Attributes:
        item: The item.
        text: The completion; empty if nothing was shown.
        confidence: Of its first line, from 0 to 1; None if the model reports none.
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
        """Whether the completion is the text of the file."""
        return _strip_trailing(self.text) == _strip_trailing(self.item.target)

    @property
    def is_first_line_exact(self) -> bool:
        """Whether the completion begins with the first line of the text of the file.

        Empty lines before it do not count.
        """
        return _first_line(self.text) == _first_line(self.item.target)

    @property
    def similarity(self) -> float:
        """The edit similarity of the completion and the text of the file."""
        return edit_similarity(_strip_trailing(self.text), _strip_trailing(self.item.target))

    @property
    def is_valid(self) -> bool:
        """Whether the document parses with the completion."""
        try:
            ast.parse(self.item.prefix + self.text + self.item.suffix)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return False
        return True

    def to_json(self) -> dict[str, object]:
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

    @classmethod
    def from_json(cls, record: Mapping[str, Any], item: Item) -> Self:
        """Reads what :meth:`to_json` wrote of this item."""
        return cls(
            item=item,
            text=get_field(record, "completion", str),
            confidence=get_optional_field(record, "confidence", float),
            log_prob=get_optional_field(record, "log_prob", float),
            reason=get_optional_field(record, "reason", str),
        )


@dataclass(frozen=True, kw_only=True)
class AccuracyMetrics:
    """The metrics of items of one kind.

    ``first_line_exact_match`` is None for single lines, ``exact_match_of_shown`` if nothing was
    shown.
    """

    items: int
    shown: Estimate
    exact_match: Estimate
    first_line_exact_match: Estimate | None
    exact_match_of_shown: Estimate | None
    edit_similarity: Estimate
    syntax_valid: Estimate


def measure_accuracy(completed: Sequence[CompletedItem]) -> AccuracyMetrics:
    """Returns the metrics of items of one kind, with 95% intervals."""
    shown = [c for c in completed if c.text]
    are_blocks = all(c.item.kind == "block" for c in completed)
    return AccuracyMetrics(
        items=len(completed),
        shown=_share(completed, lambda c: bool(c.text)),
        exact_match=_share(completed, lambda c: c.is_exact),
        first_line_exact_match=(
            _share(completed, lambda c: c.is_first_line_exact) if are_blocks else None
        ),
        exact_match_of_shown=_share(shown, lambda c: c.is_exact) if shown else None,
        edit_similarity=_mean([c.similarity for c in completed]),
        syntax_valid=_share(completed, lambda c: c.is_valid),
    )


def _strip_trailing(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.rstrip().split("\n"))


def _first_line(text: str) -> str:
    return text.lstrip("\n").partition("\n")[0].rstrip()


def _share(completed: Sequence[CompletedItem], holds: Callable[[CompletedItem], bool]) -> Estimate:
    return estimate_share(sum(map(holds, completed)), len(completed))


def _mean(values: Sequence[float]) -> Estimate:
    """Returns a mean with the interval of the normal distribution."""
    mean = fmean(values)
    error = stdev(values) / sqrt(len(values)) if len(values) > 1 else 0.0
    spread = NormalDist().inv_cdf((1 + CONFIDENCE) / 2) * error
    low, high = max(0.0, mean - spread), min(1.0, mean + spread)
    return Estimate(value=mean, low=low, high=high, problems=len(values))
