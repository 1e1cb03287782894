"""Results to scores: ``summary.json`` and what the terminal shows."""

import json
import platform
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from evaluation.judge import sandbox_packages
from evaluation.judge.verdict import Outcome
from evaluation.runs.estimators import CONFIDENCE, estimate, percent, percent_with_interval
from evaluation.runs.journal import read_journal
from training.foundation.atomic_files import write_json_atomically
from training.foundation.config_schema import to_mapping
from training.foundation.errors import ConfigError, InvalidResultError

MAX_UNJUDGED_SHARE = 0.01
SUMMARY_FILE = "summary.json"
_NOT_SCORED = {Outcome.SANDBOX_FAILURE, Outcome.INVALID_PROBLEM}


def counts_of(results: Sequence[Mapping[str, Any]]) -> dict[str, tuple[int, int]]:
    """Returns for each problem how many samples were scored, and how many of them passed."""
    counts: dict[str, tuple[int, int]] = {}
    for result in results:
        if result["outcome"] not in _NOT_SCORED:
            n, passed = counts.get(result["task_id"], (0, 0))
            counts[result["task_id"]] = (n + 1, passed + bool(result["passed"]))
    return counts


def summarise(
    out: Path,
    *,
    ks: Sequence[int],
    n_wanted: int,
    about: Mapping[str, Any],
    overlap: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Writes ``summary.json`` from ``results.jsonl`` and returns it.

    Args:
        out: The run's folder.
        ks: The k of each pass@k.
        n_wanted: How many samples the whole run has; with fewer judged it is a partial one, and
            says so.
        about: What else to record (model, problem set, isolation).
        overlap: Which problems the training corpus holds; pass@k without them is reported too.

    Raises:
        ConfigError: No problem has as many samples as a k.
    """
    results = list(read_journal(out / "results.jsonl"))
    counts = counts_of(results)
    unjudged = sum(r["outcome"] == Outcome.SANDBOX_FAILURE for r in results)
    invalid = {r["task_id"] for r in results if r["outcome"] == Outcome.INVALID_PROBLEM}
    is_partial = len(results) - unjudged < n_wanted
    summary = {
        **about,
        "is_partial": is_partial,
        "is_valid": unjudged <= MAX_UNJUDGED_SHARE * max(1, len(results)),
        "samples": len(results),
        "samples_wanted": n_wanted,
        "samples_not_judged": unjudged,
        "problems": len(counts),
        "invalid_problems": sorted(invalid),
        "in_process_problems": len({r["task_id"] for r in results if r["mode"] == "in-process"}),
        "outcomes": dict(Counter(r["outcome"] for r in results).most_common()),
        "confidence": CONFIDENCE,
        "interval": "Wilson, effective number of problems",
        "pass_at_k": {str(k): _estimate(counts, k, may_lack=is_partial) for k in ks},
        "decontamination": _decontaminated(counts, ks, overlap),
        "python": platform.python_version(),
        "packages": sandbox_packages.list_versions(),
        "kernel": platform.release(),
        "machine": platform.machine(),
    }
    write_json_atomically(out / SUMMARY_FILE, summary)
    return summary


def read_overlap(path: Path | None) -> dict[str, Any] | None:
    """Reads what was found of the problems in the training corpus; None without a file.

    Raises:
        ConfigError: It is no such file.
    """
    if path is None:
        return None
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        found["problems"].keys()
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(
            f"{path} is not an overlap file ({error!r}); make one with: parrotlet overlap"
        ) from error
    return found


def _decontaminated(
    counts: dict[str, tuple[int, int]], ks: Sequence[int], overlap: Mapping[str, Any] | None
) -> dict[str, Any] | None:
    """Returns which problems the corpus holds, and pass@k on the others."""
    if overlap is None:
        return None
    held = sorted(counts.keys() & overlap["problems"].keys())
    others = {name: pair for name, pair in counts.items() if name not in held}
    return {
        "corpus_sha256": overlap.get("corpus_sha256"),
        "problems_in_corpus": held,
        "pass_at_k_without": {
            str(k): _estimate(others, k, may_lack=True)
            for k in ks
            if any(n >= k for n, _ in others.values())
        },
    }


def _estimate(counts: dict[str, tuple[int, int]], k: int, *, may_lack: bool) -> Any:
    """A partial run is estimated from the problems that have enough samples already."""
    enough = [pair for pair in counts.values() if pair[0] >= k]
    if not enough or not (may_lack or len(enough) == len(counts)):
        fewest = min((n for n, _ in counts.values()), default=0)
        raise ConfigError(
            f"pass@{k} needs at least {k} samples of each problem, but one has {fewest}; lower --k"
            " or add samples"
        )
    return to_mapping(estimate(enough, k))


def check_validity(summary: Mapping[str, Any]) -> None:
    """Refuses a result that does not count.

    Raises:
        InvalidResultError: The sandbox failed on more than one sample in a hundred.
    """
    if not summary["is_valid"]:
        raise InvalidResultError(
            f"the sandbox failed on {summary['samples_not_judged']} of {summary['samples']}"
            f" samples, more than {percent(MAX_UNJUDGED_SHARE, 0)}, so the result does not count;"
            " run the same command again to judge them"
        )


def show(summary: Mapping[str, Any]) -> None:
    """Prints the scores and what qualifies them."""
    samples, problems = _count(summary["samples"], "sample"), _count(summary["problems"], "problem")
    lines = [f"{samples} of {problems}"]
    if summary["is_partial"]:
        wanted = summary["samples_wanted"]
        lines[0] += f"; partial results: {wanted} samples are planned, run again to resume"
    for k, found in summary["pass_at_k"].items():
        low, high = percent(found["low"], 2), percent(found["high"], 2)
        lines.append(
            f"pass@{k:<4} {percent(found['value'], 2):>8}   {percent(CONFIDENCE, 0)} interval {low}"
            f" to {high} (Wilson), {_count(found['problems'], 'problem')}"
        )
    outcomes: Mapping[str, int] = summary["outcomes"]
    found = ", ".join(f"{name.replace('_', ' ')} {n}" for name, n in outcomes.items())
    lines.append(f"outcomes: {found}")
    lines.append(f"isolation: {summary['isolation']}")
    if summary["invalid_problems"]:
        names = ", ".join(summary["invalid_problems"])
        lines.append(f"not scored, because their own solution fails: {names}")
    lines.append(_contamination(summary["decontamination"]))
    if summary["in_process_problems"]:
        judged = _count(summary["in_process_problems"], "problem")
        lines.append(
            f"warning: {judged} judged inside the program's own process, where a hostile program"
            " can forge its verdict"
        )
    sys.stdout.write("\n".join(lines) + "\n")


def _contamination(overlap: Mapping[str, Any] | None) -> str:
    if overlap is None:
        return "contamination not checked (use --overlap)"
    held = _count(len(overlap["problems_in_corpus"]), "problem")
    without = ", ".join(
        f"pass@{k} {percent_with_interval(found, 2)}"
        for k, found in overlap["pass_at_k_without"].items()
    )
    return f"in the training corpus: {held}; without them {without}"


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"
