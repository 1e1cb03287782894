"""What an adaptation brought: paired differences with intervals, and whether that is an advance.

Positions of one file resemble each other, so intervals are bootstrapped over files. Called by
:mod:`evaluation.adaptation.__main__`.

Source: Efron 1979, "Bootstrap methods: another look at the jackknife".
"""

import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from evaluation.adaptation.measurements import Measurements
from evaluation.runs.estimators import CONFIDENCE

RESAMPLES = 2000
MAX_FORGOTTEN = 0.02  # of the bits a byte of general code
MAX_LOST = 0.01  # of exact matches that may be chance
BETTER, NO_BETTER = "better", "no better"


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A figure before and after, and how far it moved, with an interval.

    ``change`` is a difference for shares, and relative for bits.
    """

    before: float
    after: float
    change: float
    low: float
    high: float
    n: int
    files: int


@dataclass(frozen=True, kw_only=True)
class AdaptationResult:
    """All figures; None for what was not measured."""

    lines: Figure | None
    blocks: Figure | None
    bits: Figure | None
    general: Figure | None
    saved: Figure | None
    outcome: str
    sentence: str


def judge(before: Measurements, after: Measurements) -> AdaptationResult:
    """Compares what was measured before and after."""
    lines = _compare_shares(before.lines, after.lines)
    blocks = _compare_shares(before.blocks, after.blocks)
    bits = _compare_ratios(
        {name: (f.nats, after.bits[name].nats, f.n_bytes) for name, f in before.bits.items()
         if name in after.bits}
    )  # fmt: skip
    general = _compare_ratios(
        {name: (f.nats, after.general[name].nats, f.n_bytes) for name, f in before.general.items()
         if name in after.general}
    )  # fmt: skip
    saved = _compare_saved(before, after)
    reason = _find_fault(lines, bits, general)
    return AdaptationResult(
        lines=lines,
        blocks=blocks,
        bits=bits,
        general=general,
        saved=saved,
        outcome=BETTER if reason is None else NO_BETTER,
        sentence=_describe(lines, bits, reason),
    )


def _find_fault(lines: Figure | None, bits: Figure | None, general: Figure | None) -> str | None:
    """Returns why the adapted model is not used; None if it is better."""
    if bits is None or bits.high >= 0:
        return "it predicts the files that it had not seen no better"
    if general is not None and general.low > MAX_FORGOTTEN:
        return f"it predicts other code {general.change:.1%} worse"
    if lines is not None and (lines.high < 0 or lines.change < -MAX_LOST):
        return f"it completes {-lines.change:.1%} fewer lines exactly"
    return None


def _describe(lines: Figure | None, bits: Figure | None, reason: str | None) -> str:
    if reason is not None:
        return f"The adaptation brought nothing: {reason}. The model stays as it is."
    assert bits is not None
    saved = f"{-bits.change:.0%} fewer bits for {bits.files} files that it had not seen"
    if lines is None:
        return f"The adapted model needs {saved}."
    move = "rise" if lines.change > 0 else "stay about the same" if lines.change == 0 else "fall"
    points = 100 * lines.change
    interval = f"{100 * lines.low:+.1f} to {100 * lines.high:+.1f}"
    return (
        f"Exact lines {move} from {lines.before:.1%} to {lines.after:.1%} ({points:+.1f} points,"
        f" 95% interval {interval}), and the adapted model needs {saved}."
    )


def _compare_shares(before: Mapping[str, bool], after: Mapping[str, bool]) -> Figure | None:
    names = [name for name in before if name in after]
    if not names:
        return None
    files: dict[str, list[tuple[float, float, float]]] = {}
    for name in names:
        row = (float(before[name]), float(after[name]), 1.0)
        files.setdefault(_file_of(name), []).append(row)
    return _bootstrap([_add(rows) for rows in files.values()], _difference, n=len(names))


def _compare_ratios(rows: Mapping[str, tuple[float, float, float]]) -> Figure | None:
    if not rows:
        return None
    scaled = [(a / math.log(2), b / math.log(2), float(n)) for a, b, n in rows.values()]
    return _bootstrap(scaled, _relative, n=int(sum(row[2] for row in scaled)))


def _compare_saved(before: Measurements, after: Measurements) -> Figure | None:
    rows = [
        (float(typed.n_saved), float(after.typed[name].n_saved), float(typed.n_chars))
        for name, typed in before.typed.items()
        if name in after.typed
    ]
    n_chars = int(sum(row[2] for row in rows))
    return _bootstrap(rows, _difference, n=n_chars) if n_chars else None


def _bootstrap(
    rows: Sequence[tuple[float, float, float]],
    change: Callable[[tuple[float, float, float]], float],
    *,
    n: int,
) -> Figure:
    """Returns the figure of files, each with a sum before, a sum after and a weight."""
    chance = random.Random(0)
    total = _add(rows)
    changes = sorted(change(_add(chance.choices(rows, k=len(rows)))) for _ in range(RESAMPLES))
    tail = (1 - CONFIDENCE) / 2
    return Figure(
        before=total[0] / total[2],
        after=total[1] / total[2],
        change=change(total),
        low=changes[int(tail * RESAMPLES)],
        high=changes[int((1 - tail) * RESAMPLES) - 1],
        n=n,
        files=len(rows),
    )


def _add(rows: Sequence[tuple[float, float, float]]) -> tuple[float, float, float]:
    return (sum(r[0] for r in rows), sum(r[1] for r in rows), sum(r[2] for r in rows))


def _difference(row: tuple[float, float, float]) -> float:
    return (row[1] - row[0]) / row[2]


def _relative(row: tuple[float, float, float]) -> float:
    return row[1] / row[0] - 1 if row[0] else 0.0


def _file_of(item_id: str) -> str:
    """Returns the file of a position: its id without the kind and the number."""
    return item_id.partition("/")[2].partition("#")[0]
