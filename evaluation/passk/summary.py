"""The summary of a pass@k run: ``summary.json``, and the lines that the terminal shows."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from evaluation.passk.records import PasskIdentity
from evaluation.runs.estimators import CONFIDENCE, Estimate, format_estimate, format_percent
from evaluation.runs.run_folder import RecordedSettings
from training.foundation.errors import InvalidResultError

MAX_UNJUDGED_SHARE = 0.01
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
            corpus_sha256=record.get("corpus_sha256"),
            problems_in_corpus=tuple(record["problems_in_corpus"]),
            pass_at_k_without=_estimates_from_json(record["pass_at_k_without"]),
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
        invalid_problems: The problems whose own solution fails.
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
        """Reads what :meth:`to_json` wrote, also in an earlier version."""
        identity = {key: value for key, value in record.items() if key not in _NOT_OF_IDENTITY}
        decontamination = record.get("decontamination")
        return cls(
            identity=PasskIdentity.from_json(identity),
            problem_set=record["problem_set"],
            is_known_set=record.get("is_known_set", False),
            config=record.get("config", {}),
            is_partial=record["is_partial"],
            is_valid=record["is_valid"],
            samples=record["samples"],
            samples_wanted=record["samples_wanted"],
            samples_not_judged=record.get("samples_not_judged", 0),
            problems=record["problems"],
            invalid_problems=tuple(record["invalid_problems"]),
            in_process_problems=record.get("in_process_problems", 0),
            outcomes=record["outcomes"],
            pass_at_k=_estimates_from_json(record["pass_at_k"]),
            decontamination=Decontamination.from_json(decontamination) if decontamination else None,
            python=record["python"],
            packages=record.get("packages", {}),
            kernel=record["kernel"],
            machine=record["machine"],
        )


_NOT_OF_IDENTITY = {*PasskSummary.__dataclass_fields__, "confidence", "interval"}


def check_validity(summary: PasskSummary) -> None:
    """Refuses a result that does not count.

    Raises:
        InvalidResultError: The sandbox failed on too many samples.
    """
    if not summary.is_valid:
        raise InvalidResultError(
            f"the sandbox failed on {summary.samples_not_judged} of {summary.samples} samples, more"
            f" than {format_percent(MAX_UNJUDGED_SHARE, 0)}, so the result does not count; run the"
            " same command again to judge them"
        )


def format_summary(summary: PasskSummary) -> str:
    """Returns the lines that the terminal shows: the scores, and what qualifies them."""
    head = f"{_count(summary.samples, 'sample')} of {_count(summary.problems, 'problem')}"
    if summary.is_partial:
        head += (
            f"; partial results: {summary.samples_wanted} samples are planned, run again to resume"
        )
    outcomes = ", ".join(f"{name.replace('_', ' ')} {n}" for name, n in summary.outcomes.items())
    lines = [
        head,
        *(_format_score(k, found) for k, found in summary.pass_at_k.items()),
        f"outcomes: {outcomes}",
        f"isolation: {summary.identity.isolation}",
    ]
    if summary.invalid_problems:
        names = ", ".join(summary.invalid_problems)
        lines.append(f"not scored, because their own solution fails: {names}")
    lines.append(_format_contamination(summary.decontamination))
    if summary.in_process_problems:
        lines.append(
            f"warning: {_count(summary.in_process_problems, 'problem')} judged inside the program's"
            " own process, where a verdict is easier to forge"
        )
    return "\n".join(lines) + "\n"


def _format_score(k: int, found: Estimate) -> str:
    value, low, high = (format_percent(x, 2) for x in (found.value, found.low, found.high))
    return (
        f"pass@{k:<4} {value:>8}   {format_percent(CONFIDENCE, 0)} interval {low} to {high}"
        f" (Wilson), {_count(found.problems, 'problem')}"
    )


def _format_contamination(found: Decontamination | None) -> str:
    if found is None:
        return "contamination not checked (use --overlap)"
    held = _count(len(found.problems_in_corpus), "problem")
    without = ", ".join(
        f"pass@{k} {format_estimate(estimate, 2)}"
        for k, estimate in found.pass_at_k_without.items()
    )
    return f"in the training corpus: {held}; without them {without}"


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def _estimates_to_json(estimates: Mapping[int, Estimate]) -> dict[str, object]:
    return {str(k): found.to_json() for k, found in estimates.items()}


def _estimates_from_json(record: Mapping[str, Any]) -> dict[int, Estimate]:
    return {int(k): Estimate.from_json(found) for k, found in record.items()}
