"""pass@k, its interval, and the comparison of two runs: pure functions of counts.

Sources: the unbiased estimator is of Chen et al. 2021, "Evaluating Large Language Models Trained on
Code", arXiv:2107.03374. The interval is Wilson's (1927) for a share, with the effective number of
problems of Korn and Graubard (1998) in place of their number, since a problem's pass@k lies between
0 and 1 and so carries more information than a coin toss; it stays honest at 0% and 100%, where a
bootstrap has no width. The problems are the sample: another benchmark of the same kind would have
others. The paired test flips the signs of the problems' differences (Fisher 1935).
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod, sqrt
from statistics import NormalDist, fmean
from typing import Any

from training.foundation.errors import ConfigError

CONFIDENCE = 0.95
RESAMPLES = 10_000


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A share of problems solved, with its interval; all three between 0 and 1."""

    value: float
    low: float
    high: float
    problems: int


@dataclass(frozen=True, kw_only=True)
class Difference:
    """How much more one run solved than another, on the problems of both."""

    value: float
    low: float
    high: float
    p_value: float
    problems: int


def pass_at_k(n: int, n_passed: int, k: int) -> float:
    """Returns the chance that one of ``k`` samples drawn from these ``n`` passed.

    Raises:
        ConfigError: There are fewer samples than ``k``; no estimate exists then.
    """
    if not 0 <= n_passed <= n:
        raise ValueError(f"{n_passed} of {n} samples cannot have passed")
    if k < 1 or n < k:
        raise ConfigError(
            f"pass@{k} needs at least {k} samples per problem, but there are {n}; raise --n"
        )
    if n - n_passed < k:
        return 1.0
    return 1.0 - prod(1.0 - k / i for i in range(n - n_passed + 1, n + 1))


def estimate(counts: Sequence[tuple[int, int]], k: int) -> Estimate:
    """Returns the mean pass@k over problems with its interval.

    Args:
        counts: For each problem the number of samples and how many of them passed.
        k: The k.

    Raises:
        ConfigError: No problem, or too few samples for one of them.
    """
    if not counts:
        raise ConfigError("no problem has been judged yet; judge some samples first")
    values = [pass_at_k(n, n_passed, k) for n, n_passed in counts]
    draws = max(1, min(n for n, _ in counts) // k)  # independent ones of k samples, in a problem
    low, high = _wilson(values, draws)
    return Estimate(value=fmean(values), low=low, high=high, problems=len(values))


def share(n_true: int, n: int) -> Estimate:
    """Returns a plain share with Wilson's interval."""
    return estimate([(1, 1)] * n_true + [(1, 0)] * (n - n_true), 1)


def percent(value: float, digits: int = 1) -> str:
    """Returns a share as people read it: ``12.3%``."""
    return f"{100 * value:.{digits}f}%"


def percent_with_interval(found: Mapping[str, Any], digits: int = 1) -> str:
    """Returns a recorded estimate as people read it: ``12.3% (10.1% to 14.9%)``."""
    value, low, high = (percent(found[name], digits) for name in ("value", "low", "high"))
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


def difference(
    first: Sequence[tuple[int, int]],
    second: Sequence[tuple[int, int]],
    k: int,
    *,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> Difference:
    """Compares two runs on the same problems, in the same order.

    Args:
        first: Samples and passed ones of each problem, of the one run.
        second: Of the other.
        k: The k.
        seed: Of the test's flips.
        resamples: Of flips, and of problems.

    Returns:
        How much more the first solved, with a bootstrap interval over problems, and the chance of
        such a difference if the runs were alike.
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
    return Difference(
        value=value,
        low=means[int(tail * resamples)],
        high=means[int((1 - tail) * resamples) - 1],
        p_value=(as_far + 1) / (resamples + 1),
        problems=n,
    )
