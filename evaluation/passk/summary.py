"""The summary of a pass@k run: ``summary.json``, and the lines that the terminal shows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from evaluation.passk.records import PasskIdentity
from evaluation.runs.estimators import CONFIDENCE, Estimate, format_estimate, format_percent
from evaluation.runs.record_fields import get_counts, get_field, get_optional_field, get_texts
from evaluation.runs.run_folder import RecordedSettings
from training.foundation.errors import InvalidResultError

MAX_UNJUDGED_SHARE = 0.01
WHY_INVALID = "because their own solution fails, or their test never calls the function"
_MAX_NAMED = 20
_INTERVAL = "Wilson, effective number of problems"


@dataclass(frozen=True, kw_only=True)
class Decontamination:
    """The problems in the training corpus, and pass@k without them."""

    corpus_sha256: str | None
    problems_in_corpus: tuple[str, ...]
    pass_at_k_without: Mapping[int, Estimate]

    def to_json(self) -> dict[str, object]:
        """Returns the object that ``summary.json`` contains."""
        return {
            "corpus_sha256": self.corpus_sha256,
            "problems_in_corpus": list(self.problems_in_corpus),
            "pass_at_k_without": _estimates_to_json(self.pass_at_k_without),
        }

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Self:
        """Reads what :meth:`to_json` wrote."""
        return cls(
            corpus_sha256=get_optional_field(record, "corpus_sha256", str),
            problems_in_corpus=get_texts(record, "problems_in_corpus"),
            pass_at_k_without=_estimates_from_json(get_field(record, "pass_at_k_without", dict)),
        )


@dataclass(frozen=True, kw_only=True)
class PasskSummary:
    """The scores of a run, and what qualifies them.

    Attributes:
        identity: What identifies the run.
        problem_set: The name of the problem set.
        is_known_set: Whether the set is, byte for byte, the one this project was tested with.
        config: The run's settings.
        is_partial: Whether samples are still missing or not judged.
        is_valid: Whether the sandbox failed on so few samples that the scores count.
        samples: How many samples there are.
        samples_wanted: How many the whole run has.
        samples_not_judged: How many the sandbox failed on.
        problems: How many problems were scored.
        problems_in_set: How many problems the set has.
        problems_without_samples: Those that have no sample at all.
        invalid_problems: The problems whose own solution fails, or whose test never calls the
            function.
        in_process_problems: How many problems run their test inside the program's process.
        outcomes: How often each outcome occurred, most frequent first.
        pass_at_k: The estimate for each k.
        decontamination: The scores without problems in the training corpus; None if unknown.
        python: The version that ran the programs.
        packages: The packages that programs could import, with their versions.
        kernel: The release of the operating system.
        machine: The processor architecture.
    """

    identity: PasskIdentity
    problem_set: str
    is_known_set: bool
    config: RecordedSettings
    is_partial: bool
    is_valid: bool
    samples: int
    samples_wanted: int
    samples_not_judged: int
    problems: int
    problems_in_set: int
    problems_without_samples: tuple[str, ...]
    invalid_problems: tuple[str, ...]
    in_process_problems: int
    outcomes: Mapping[str, int]
    pass_at_k: Mapping[int, Estimate]
    decontamination: Decontamination | None
    python: str
    packages: Mapping[str, str]
    kernel: str
    machine: str

    def to_json(self) -> dict[str, object]:
        """Returns the contents of ``summary.json``."""
        return {
            **self.identity.to_json(),
            "problem_set": self.problem_set,
            "is_known_set": self.is_known_set,
            "config": self.config,
            "is_partial": self.is_partial,
            "is_valid": self.is_valid,
            "samples": self.samples,
            "samples_wanted": self.samples_wanted,
            "samples_not_judged": self.samples_not_judged,
            "problems": self.problems,
            "problems_in_set": self.problems_in_set,
            "problems_without_samples": list(self.problems_without_samples),
            "invalid_problems": list(self.invalid_problems),
            "in_process_problems": self.in_process_problems,
            "outcomes": self.outcomes,
            "confidence": CONFIDENCE,
            "interval": _INTERVAL,
            "pass_at_k": _estimates_to_json(self.pass_at_k),
            "decontamination": self.decontamination.to_json() if self.decontamination else None,
            "python": self.python,
            "packages": self.packages,
            "kernel": self.kernel,
            "machine": self.machine,
        }

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Self:
        """Reads what :meth:`to_json` wrote, also in an earlier version.

        Raises:
            KeyError, TypeError, ValueError: It is not a summary.
        """
        identity = {key: value for key, value in record.items() if key not in _NOT_OF_IDENTITY}
        decontamination = get_optional_field(record, "decontamination", dict)
        n_problems = get_field(record, "problems", int)
        return cls(
            identity=PasskIdentity.from_json(identity),
            problem_set=get_field(record, "problem_set", str),
            is_known_set=get_optional_field(record, "is_known_set", bool) or False,
            config=get_optional_field(record, "config", dict) or {},
            is_partial=get_field(record, "is_partial", bool),
            is_valid=get_field(record, "is_valid", bool),
            samples=get_field(record, "samples", int),
            samples_wanted=get_field(record, "samples_wanted", int),
            samples_not_judged=get_optional_field(record, "samples_not_judged", int) or 0,
            problems=n_problems,
            problems_in_set=get_optional_field(record, "problems_in_set", int) or n_problems,
            problems_without_samples=get_texts(record, "problems_without_samples"),
            invalid_problems=get_texts(record, "invalid_problems"),
            in_process_problems=get_optional_field(record, "in_process_problems", int) or 0,
            outcomes=get_counts(record, "outcomes"),
            pass_at_k=_estimates_from_json(get_field(record, "pass_at_k", dict)),
            decontamination=Decontamination.from_json(decontamination) if decontamination else None,
            python=get_field(record, "python", str),
            packages=get_optional_field(record, "packages", dict) or {},
            kernel=get_field(record, "kernel", str),
            machine=get_field(record, "machine", str),
        )


_NOT_OF_IDENTITY = {*PasskSummary.__dataclass_fields__, "confidence", "interval"}


def check_validity(summary: PasskSummary, *, allows_missing: bool) -> None:
    """Refuses a result that does not count.

    Args:
        summary: The scores.
        allows_missing: Whether problems may be without samples.

    Raises:
        InvalidResultError: The sandbox failed on too many samples, or problems have none.
    """
    if not summary.is_valid:
        raise InvalidResultError(
            f"the sandbox failed on {summary.samples_not_judged} of {summary.samples} samples, more"
            f" than {format_percent(MAX_UNJUDGED_SHARE, 0)}, so the result does not count; run the"
            " same command again to judge them"
        )
    missing = summary.problems_without_samples
    if missing and not allows_missing:
        raise InvalidResultError(
            f"{len(missing)} of {summary.problems_in_set} problems have no samples, so the scores"
            f" do not count for {summary.problem_set}; add samples of {list_names(missing)}, or"
            " pass --allow-missing to score the other problems alone"
        )


def format_summary(summary: PasskSummary) -> str:
    """Returns the lines that the terminal shows: the scores, and what qualifies them."""
    n_set = summary.problems_in_set
    head = f"{_count(summary.samples, 'sample')} of {_share_of_set(summary.problems, n_set)}"
    if summary.is_partial:
        head += (
            f"; partial results: {summary.samples_wanted} samples are planned, run again to resume"
        )
    outcomes = ", ".join(f"{name.replace('_', ' ')} {n}" for name, n in summary.outcomes.items())
    lines = [
        head,
        *(_format_score(k, found, n_set) for k, found in summary.pass_at_k.items()),
        f"outcomes: {outcomes}",
        f"isolation: {summary.identity.isolation}",
    ]
    if summary.problems_without_samples:
        missing = summary.problems_without_samples
        lines.append(
            f"not scored, because they have no samples: {len(missing)} of {n_set} problems:"
            f" {list_names(missing)}"
        )
    if summary.invalid_problems:
        names = list_names(summary.invalid_problems)
        lines.append(f"not scored, {WHY_INVALID}: {names}")
    lines.append(_format_contamination(summary.decontamination))
    if summary.in_process_problems:
        lines.append(
            f"warning: {_count(summary.in_process_problems, 'problem')} judged inside the program's"
            " own process, where a verdict is easier to forge"
        )
    return "\n".join(lines) + "\n"


def list_names(names: Sequence[str]) -> str:
    """Returns names for a line of text: the first, and how many more there are."""
    shown = ", ".join(name if name.isprintable() else repr(name) for name in names[:_MAX_NAMED])
    left = len(names) - _MAX_NAMED
    return f"{shown} and {left} more" if left > 0 else shown


def _share_of_set(n: int, n_set: int) -> str:
    return _count(n, "problem") if n == n_set else f"{n} of {_count(n_set, 'problem')}"


def _format_score(k: int, found: Estimate, n_set: int) -> str:
    value, low, high = (format_percent(x, 2) for x in (found.value, found.low, found.high))
    return (
        f"pass@{k:<4} {value:>8}   {format_percent(CONFIDENCE, 0)} interval {low} to {high}"
        f" (Wilson), {_share_of_set(found.problems, n_set)}"
    )


def _format_contamination(found: Decontamination | None) -> str:
    if found is None:
        return "contamination not checked (use --overlap)"
    held = _count(len(found.problems_in_corpus), "problem")
    without = ", ".join(
        f"pass@{k} {format_estimate(estimate, 2)}, {_count(estimate.problems, 'problem')}"
        for k, estimate in found.pass_at_k_without.items()
    )
    return f"in the training corpus: {held}; without them {without}"


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def _estimates_to_json(estimates: Mapping[int, Estimate]) -> dict[str, object]:
    return {str(k): found.to_json() for k, found in estimates.items()}


def _estimates_from_json(record: Mapping[str, Any]) -> dict[int, Estimate]:
    return {int(k): Estimate.from_json(get_field(record, k, dict)) for k in record}
