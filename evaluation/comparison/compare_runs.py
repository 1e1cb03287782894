"""Compares two pass@k runs problem by problem.

A paired comparison detects smaller differences than two separate intervals do, and says how likely
the difference would be between two equal models.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from evaluation.passk.judging import read_results
from evaluation.passk.records import PasskIdentity, count_samples
from evaluation.passk.summary import list_names
from evaluation.runs.estimators import (
    CONFIDENCE,
    PairedDifference,
    SampleCounts,
    compare_paired,
    format_percent,
)
from evaluation.runs.run_folder import read_identity
from training.foundation.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class RunComparison:
    """The difference in pass@k for each k, and the problems that only one run scored."""

    differences: Mapping[int, PairedDifference]
    only_first: Sequence[str]
    only_second: Sequence[str]


def compare_runs(first: Path, second: Path, ks: Sequence[int]) -> RunComparison:
    """Compares two runs on the problems that both of them scored.

    Raises:
        ConfigError: The runs cannot be compared, or have too few samples for a k.
    """
    identities = [
        read_identity(run, command="passk", parse=PasskIdentity.from_json)
        for run in (first, second)
    ]
    _check_comparable(*identities)
    counts, baseline = (_read_counts(run) for run in (first, second))
    shared = sorted(counts.keys() & baseline.keys())
    if not shared:
        raise ConfigError(
            f"there is no problem that both {first} and {second} have scored; run their commands"
            " again to finish them"
        )
    for run, found in ((first, counts), (second, baseline)):
        _check_counts(run, {task_id: found[task_id].n for task_id in shared}, max(ks))
    pairs = [counts[task_id] for task_id in shared], [baseline[task_id] for task_id in shared]
    return RunComparison(
        differences={k: compare_paired(*pairs, k) for k in ks},
        only_first=sorted(counts.keys() - baseline.keys()),
        only_second=sorted(baseline.keys() - counts.keys()),
    )


def format_comparison(first: Path, second: Path, found: RunComparison) -> str:
    """Returns the lines that the terminal shows."""
    lines = [format_difference(first, second, k, gap) for k, gap in found.differences.items()]
    lines += [
        f"not compared, because only {run} scored them: {list_names(names)}\n"
        for run, names in ((first, found.only_first), (second, found.only_second))
        if names
    ]
    return "".join(lines)


def format_difference(first: Path, second: Path, k: int, found: PairedDifference) -> str:
    """Returns the line that the terminal shows for one k."""
    return (
        f"pass@{k}: {first} scores {100 * found.value:+.2f} percentage points compared with"
        f" {second} ({format_percent(CONFIDENCE, 0)} interval {100 * found.low:+.2f} to"
        f" {100 * found.high:+.2f}, bootstrap; p = {found.p_value:.4f}, sign-flip test;"
        f" {found.problems} problems)\n"
    )


def _read_counts(run: Path) -> dict[str, SampleCounts]:
    counts = count_samples(read_results(run))
    if not counts:
        raise ConfigError(f"{run} has no results yet; run its command again to judge its samples")
    return counts


def _check_counts(run: Path, counts: Mapping[str, int], k: int) -> None:
    """Refuses a run in which a problem has fewer samples than ``k``."""
    for task_id, n in counts.items():
        if n < k:
            raise ConfigError(
                f"pass@{k} needs at least {k} samples of each problem, but {run} has {n} of"
                f" {list_names([task_id])}; lower --k"
            )


def _check_comparable(first: PasskIdentity, second: PasskIdentity) -> None:
    for name in ("problems_sha256", "limits", "isolation"):
        values = getattr(first, name), getattr(second, name)
        if values[0] != values[1]:
            raise ConfigError(
                f"the runs differ in {name}: {values[0]} and {values[1]}; compare runs on the same"
                " problems, with the same limits and isolation"
            )
