"""Estimates with confidence intervals: pass@k, shares, and the difference of two runs.

Pure functions of counts, for every command of evaluation. The intervals are over problems: they
cover the variation that another benchmark of the same kind would show.

Sources: the unbiased estimator of pass@k is from Chen et al. 2021, "Evaluating Large Language
Models Trained on Code", arXiv:2107.03374. The interval is Wilson's (1927) for a proportion, with
the effective sample size of Korn and Graubard (1998): a problem's pass@k lies anywhere between 0
and 1, so it carries more information than a coin toss. Unlike a bootstrap, this interval does not
collapse to zero width at 0% and 100%. The paired test is Fisher's sign-flip test (1935).
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod, sqrt
from statistics import NormalDist, fmean
from typing import Any, NamedTuple, Self

from evaluation.runs.record_fields import get_field
from training.foundation.config_schema import to_mapping
from training.foundation.errors import ConfigError

CONFIDENCE = 0.95
RESAMPLES = 10_000


class SampleCounts(NamedTuple):
    """How many samples of a problem were scored, and how many of them passed."""

    n: int
    n_passed: int


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A share or a mean with its interval, all three between 0 and 1.

    ``problems`` is the number of problems (or items) that it is estimated from.
    """

    value: float
    low: float
    high: float
    problems: int

    def to_json(self) -> dict[str, float]:
        """Returns the estimate as a run's ``summary.json`` records it."""
        found: dict[str, float] = to_mapping(self)
        return found

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Self:
        """Reads what :meth:`to_json` wrote."""
        shares = {name: get_field(record, name, float) for name in ("value", "low", "high")}
        return cls(**shares, problems=get_field(record, "problems", int))


@dataclass(frozen=True, kw_only=True)
class PairedDifference:
    """How much more the first of two runs solved, with its interval and p-value."""

    value: float
    low: float
    high: float
    p_value: float
    problems: int


def pass_at_k(n: int, n_passed: int, k: int) -> float:
    """Returns the chance that at least one of ``k`` samples drawn from ``n`` passes.

    Raises:
        ConfigError: There are fewer samples than ``k``, so no estimate exists.
    """
    if not 0 <= n_passed <= n:
        raise ValueError(f"{n_passed} of {n} samples cannot have passed")
    if k < 1 or n < k:
        raise ConfigError(
            f"pass@{k} needs at least {k} samples per problem, but there are {n}; lower --k or add"
            " samples"
        )
    if n - n_passed < k:
        return 1.0
    return 1.0 - prod(1.0 - k / i for i in range(n - n_passed + 1, n + 1))


def estimate_pass_at_k(counts: Sequence[SampleCounts], k: int) -> Estimate:
    """Returns the mean pass@k over problems, with its interval.

    Raises:
        ConfigError: There is no problem, or one has fewer than ``k`` samples.
    """
    if not counts:
        raise ConfigError("no problem has been judged yet; judge some samples first")
    values = [pass_at_k(n, n_passed, k) for n, n_passed in counts]
    draws = max(1, min(n for n, _ in counts) // k)  # independent draws of k samples per problem
    low, high = _wilson(values, draws)
    return Estimate(value=fmean(values), low=low, high=high, problems=len(values))


def estimate_share(n_true: int, n: int) -> Estimate:
    """Returns a plain share with Wilson's interval."""
    passed, failed = SampleCounts(1, 1), SampleCounts(1, 0)
    return estimate_pass_at_k([passed] * n_true + [failed] * (n - n_true), 1)


def format_percent(value: float, digits: int = 1) -> str:
    """Formats a share: ``12.3%``."""
    return f"{100 * value:.{digits}f}%"


def format_estimate(found: Estimate, digits: int = 1) -> str:
    """Formats an estimate: ``12.3% (10.1% to 14.9%)``."""
    value, low, high = (format_percent(x, digits) for x in (found.value, found.low, found.high))
    return f"{value} ({low} to {high})"


def _wilson(values: Sequence[float], draws: int) -> tuple[float, float]:
    mean, n = fmean(values), len(values)
    binomial = mean * (1 - mean)
    found = sum((v - mean) ** 2 for v in values) / max(1, n - 1)
    effective = n * min(draws, binomial / found) if binomial and found else float(n)
    effective = max(effective, 1.0)
    z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
    centre = mean + z * z / (2 * effective)
    spread = z * sqrt(binomial / effective + z * z / (4 * effective * effective))
    scale = 1 + z * z / effective
    return max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale)


def compare_paired(
    first: Sequence[SampleCounts],
    second: Sequence[SampleCounts],
    k: int,
    *,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> PairedDifference:
    """Compares pass@k of two runs on the same problems, in the same order.

    Args:
        first: The counts of one run.
        second: The counts of the other.
        k: The k of pass@k.
        seed: Seeds the sign flips and the bootstrap.
        resamples: The number of sign flips, and of bootstrap samples.

    Returns:
        How much more the first run solved, with a bootstrap interval over problems and the chance
        of a difference as large between two equal models.

    Raises:
        ConfigError: The runs have no problem in common.
    """
    if not first or len(first) != len(second):
        raise ConfigError(
            "the runs have no problem in common; compare runs on the same problem set"
        )
    pairs = zip(first, second, strict=True)
    gaps = [pass_at_k(*a, k) - pass_at_k(*b, k) for a, b in pairs]
    chance, n = random.Random(seed), len(gaps)
    value, tail = fmean(gaps), (1 - CONFIDENCE) / 2
    flips = (abs(sum(g if chance.getrandbits(1) else -g for g in gaps)) for _ in range(resamples))
    as_far = sum(flip >= abs(sum(gaps)) - 1e-12 for flip in flips)
    means = sorted(sum(chance.choices(gaps, k=n)) / n for _ in range(resamples))
    return PairedDifference(
        value=value,
        low=means[int(tail * resamples)],
        high=means[int((1 - tail) * resamples) - 1],
        p_value=(as_far + 1) / (resamples + 1),
        problems=n,
    )
