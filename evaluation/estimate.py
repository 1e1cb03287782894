"""pass@k and its interval: pure functions of counts.

Source: Chen et al. 2021, "Evaluating Large Language Models Trained on Code", arXiv:2107.03374 (the
unbiased estimator). The interval is a percentile bootstrap over problems (Efron and Tibshirani
1993): problems are what another benchmark of the same kind would differ in, and resampling them
keeps each problem's samples together.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from training.artifact.errors import ConfigError

CONFIDENCE = 0.95
RESAMPLES = 2000


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A share of problems solved, with its interval; all three between 0 and 1."""

    value: float
    low: float
    high: float


def pass_at_k(n: int, n_passed: int, k: int) -> float:
    """Returns the chance that one of ``k`` samples drawn from these ``n`` passed.

    Raises:
        ConfigError: There are fewer samples than ``k``; no estimate exists then.
    """
    if not 0 <= n_passed <= n:
        raise ValueError(f"{n_passed} of {n} samples cannot have passed")
    if k < 1 or n < k:
        raise ConfigError(
            f"pass@{k} needs at least {k} samples a problem, there are {n}; raise --n"
        )
    if n - n_passed < k:
        return 1.0
    return 1.0 - prod(1.0 - k / i for i in range(n - n_passed + 1, n + 1))


def estimate(counts: Sequence[tuple[int, int]], k: int, *, seed: int = 0) -> Estimate:
    """Returns the mean pass@k over problems with its bootstrap interval.

    Args:
        counts: For each problem the number of samples and how many of them passed.
        k: The k.
        seed: Of the resampling.

    Raises:
        ConfigError: No problem, or too few samples for one of them.
    """
    if not counts:
        raise ConfigError("there is no judged problem to estimate from; judge some samples first")
    values = [pass_at_k(n, n_passed, k) for n, n_passed in counts]
    chance = random.Random(seed)
    means = sorted(
        sum(chance.choices(values, k=len(values))) / len(values) for _ in range(RESAMPLES)
    )
    tail = (1 - CONFIDENCE) / 2
    return Estimate(
        value=sum(values) / len(values),
        low=means[int(tail * RESAMPLES)],
        high=means[int((1 - tail) * RESAMPLES) - 1],
    )
