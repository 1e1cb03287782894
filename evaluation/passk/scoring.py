"""Results to scores: pass@k with intervals, with and without problems in the training corpus."""

import platform
from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from evaluation.judge import sandbox_packages
from evaluation.judge.verdict import Outcome
from evaluation.passk.config import CorpusOverlap, PasskConfig
from evaluation.passk.judging import VALIDITY_FILE
from evaluation.passk.records import IN_PROCESS, PasskIdentity, Result, count_samples
from evaluation.passk.summary import MAX_UNJUDGED_SHARE, Decontamination, PasskSummary, list_names
from evaluation.problems.problem import ProblemSet
from evaluation.runs.estimators import Estimate, SampleCounts, estimate_pass_at_k
from training.foundation.config_schema import to_mapping
from training.foundation.errors import ConfigError, InvalidResultError


def summarise(
    results: Sequence[Result],
    *,
    sampled: Collection[str],
    n_wanted: int,
    identity: PasskIdentity,
    problem_set: ProblemSet,
    config: PasskConfig,
    overlap: CorpusOverlap | None,
) -> PasskSummary:
    """Returns the scores of a run and what qualifies them.

    Args:
        results: What has been judged.
        sampled: The problems that have samples, judged or not.
        n_wanted: How many samples the whole run has; with fewer the summary is marked as partial.
        identity: What identifies the run.
        problem_set: The problems.
        config: The run's settings, with each k to estimate.
        overlap: The problems in the training corpus; None if that is unknown.

    Raises:
        ConfigError: A problem, or in a partial run every problem, has fewer samples than a k.
        InvalidResultError: No problem is valid, or no sample was judged.
    """
    counts = count_samples(results)
    unjudged = sum(r.outcome is Outcome.SANDBOX_FAILURE for r in results)
    is_partial = len(results) - unjudged < n_wanted
    invalid = sorted({r.task_id for r in results if r.outcome is Outcome.INVALID_PROBLEM})
    if results and unjudged == len(results):
        raise InvalidResultError(
            f"the sandbox failed on all {unjudged} samples, so there is no result; run the same"
            " command again to judge them"
        )
    if invalid and not counts:
        raise InvalidResultError(
            "nothing is scored, because the problems' own solutions fail, or their tests never call"
            f" the function: {list_names(invalid)} ({VALIDITY_FILE} says why); programs in the"
            " sandbox can import NumPy and the standard library only: correct the problems, or what"
            " they need, and run the command again"
        )
    return PasskSummary(
        identity=identity,
        problem_set=problem_set.name,
        is_known_set=problem_set.is_known,
        config=to_mapping(config),
        is_partial=is_partial,
        is_valid=unjudged <= MAX_UNJUDGED_SHARE * max(1, len(results)),
        samples=len(results),
        samples_wanted=n_wanted,
        samples_not_judged=unjudged,
        problems=len(counts),
        problems_in_set=len(problem_set.problems),
        problems_without_samples=_find_missing(problem_set, sampled),
        invalid_problems=tuple(invalid),
        in_process_problems=len({r.task_id for r in results if r.mode == IN_PROCESS}),
        outcomes=dict(Counter(r.outcome.value for r in results).most_common()),
        pass_at_k={k: _estimate(counts, k, is_partial=is_partial) for k in config.k},
        decontamination=_exclude_corpus(counts, config.k, overlap) if overlap else None,
        python=platform.python_version(),
        packages=sandbox_packages.list_versions(),
        kernel=platform.release(),
        machine=platform.machine(),
    )


def _find_missing(problem_set: ProblemSet, sampled: Collection[str]) -> tuple[str, ...]:
    """Returns the problems without a sample, in the order of the set."""
    return tuple(p.task_id for p in problem_set.problems if p.task_id not in sampled)


def _exclude_corpus(
    counts: Mapping[str, SampleCounts], ks: Sequence[int], overlap: CorpusOverlap
) -> Decontamination:
    others = {name: found for name, found in counts.items() if name not in overlap.problems}
    return Decontamination(
        corpus_sha256=overlap.corpus_sha256,
        problems_in_corpus=tuple(sorted(counts.keys() & overlap.problems)),
        pass_at_k_without={
            k: _estimate(others, k, is_partial=True)
            for k in ks
            if any(found.n >= k for found in others.values())
        },
    )


def _estimate(counts: Mapping[str, SampleCounts], k: int, *, is_partial: bool) -> Estimate:
    """Estimates pass@k; in a partial run, from the problems that already have k samples."""
    if not counts:
        raise ConfigError(
            "no sample has been judged yet; wait, or run the same command without --partial"
        )
    enough = [found for found in counts.values() if found.n >= k]
    if not enough or not (is_partial or len(enough) == len(counts)):
        fewest = min(found.n for found in counts.values())
        raise ConfigError(
            f"pass@{k} needs at least {k} samples of each problem, but one has {fewest}; lower --k"
            " or add samples"
        )
    return estimate_pass_at_k(enough, k)
