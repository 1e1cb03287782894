"""Results to figures: ``summary.json`` and what the terminal shows."""

import platform
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from evaluation.config import PassConfig
from evaluation.estimate import CONFIDENCE, estimate
from evaluation.journal import read_journal
from training.artifact.errors import InvalidResultError
from training.artifact.files import write_json_atomically
from training.artifact.schema import to_mapping

MAX_UNJUDGED_SHARE = 0.01


def summarise(
    out: Path, config: PassConfig, *, n_samples: int, about: Mapping[str, Any]
) -> dict[str, Any]:
    """Writes ``summary.json`` from ``results.jsonl`` and returns it.

    Args:
        out: The run's folder.
        config: What the run was.
        n_samples: How many samples there should be results for.
        about: What else to record (model, problem set, isolation).

    Raises:
        InvalidResultError: The sandbox failed on more than one sample in a hundred.
    """
    results = list(read_journal(out / "results.jsonl"))
    counts: dict[str, list[int]] = {}
    for result in results:
        count = counts.setdefault(result["task_id"], [0, 0])
        count[0] += 1
        count[1] += bool(result["passed"])
    pairs = [(n, passed) for n, passed in counts.values()]
    n_missing = n_samples - len(results)
    if n_missing > MAX_UNJUDGED_SHARE * n_samples:
        raise InvalidResultError(
            f"the sandbox failed on {n_missing} of {n_samples} samples;"
            " run the same command again to judge them"
        )
    summary = {
        **about,
        "config": to_mapping(config),
        "problems": len(pairs),
        "samples": len(results),
        "samples_not_judged": n_missing,
        "outcomes": dict(Counter(r["outcome"] for r in results).most_common()),
        "confidence": CONFIDENCE,
        "pass_at_k": {str(k): to_mapping(estimate(pairs, k)) for k in _ks(config.k, pairs)},
        "python": platform.python_version(),
        "kernel": platform.release(),
        "machine": platform.machine(),
    }
    write_json_atomically(out / "summary.json", summary)
    return summary


def _ks(ks: Sequence[int], pairs: Sequence[tuple[int, int]]) -> list[int]:
    """A sample or two may be missing for a sandbox failure; then the largest k may be, too."""
    fewest = min((n for n, _ in pairs), default=0)
    return [k for k in ks if k <= fewest] or list(ks)


def show(summary: Mapping[str, Any]) -> None:
    """Prints the figures."""
    lines = [f"{summary['problems']} problems, {summary['samples']} samples"]
    for k, found in summary["pass_at_k"].items():
        lines.append(
            f"pass@{k:<4} {100 * found['value']:6.2f} %"
            f"   ({100 * found['low']:.2f} to {100 * found['high']:.2f}, bootstrap"
            f" {100 * CONFIDENCE:.0f} %)"
        )
    outcomes = ", ".join(f"{name} {n}" for name, n in summary["outcomes"].items())
    sys.stdout.write("\n".join([*lines, outcomes]) + "\n")
