"""The records of a pass@k run: what identifies it, its samples, and the results of judging them.

Each is a line or an object of JSON in the run's folder. The keys are part of the format: earlier
runs are read with the same functions.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self, TypeAlias

from evaluation.judge.verdict import Outcome, Verdict
from evaluation.problems.problem import Problem
from evaluation.runs.estimators import SampleCounts
from evaluation.runs.record_fields import get_field, get_optional_field
from evaluation.runs.run_folder import RecordedSettings

SampleKey: TypeAlias = tuple[str, int]  # the problem, and the sample's number within it

_NOT_SCORED = {Outcome.SANDBOX_FAILURE, Outcome.INVALID_PROBLEM}
IN_PROCESS, SPLIT = "in-process", "split"  # where a test runs: beside its program, or apart


@dataclass(frozen=True, kw_only=True)
class PasskIdentity:
    """What identifies a run; the same identity resumes it.

    Attributes:
        source: Where the samples come from: the model, and whatever fixes its version.
        problems_sha256: A hash of the problems.
        generation: How the samples are generated.
        limits: What a program may use.
        isolation: The isolation level that judges.
        memory_bounded: What limits the memory of a program's processes together.
    """

    source: Mapping[str, str]
    problems_sha256: str
    generation: RecordedSettings
    limits: RecordedSettings
    isolation: str
    memory_bounded: str

    def to_json(self) -> dict[str, object]:
        """Returns the contents of ``run.json``."""
        return {
            **self.source,
            "problems_sha256": self.problems_sha256,
            "generation": self.generation,
            "limits": self.limits,
            "isolation": self.isolation,
            "memory_bounded": self.memory_bounded,
        }

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Self:
        """Reads a run's identity; what an earlier version did not record is left empty.

        Raises:
            TypeError: A value is of the wrong type.
        """
        settings = ("problems_sha256", "generation", "limits", "isolation", "memory_bounded")
        return cls(
            source={key: record[key] for key in record if key not in settings},
            problems_sha256=get_optional_field(record, "problems_sha256", str) or "",
            generation=get_optional_field(record, "generation", dict) or {},
            limits=get_optional_field(record, "limits", dict) or {},
            isolation=get_optional_field(record, "isolation", str) or "",
            memory_bounded=get_optional_field(record, "memory_bounded", str) or "",
        )


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One attempt at a problem.

    Attributes:
        task_id: The problem.
        number: Which of the problem's samples this is, from 0.
        text: The completion of the prompt, or the whole program.
        is_program: Whether ``text`` is the whole program.
    """

    task_id: str
    number: int
    text: str
    is_program: bool = False

    @property
    def key(self) -> SampleKey:
        """What identifies the sample within its run."""
        return self.task_id, self.number

    def program(self, problem: Problem) -> str:
        """Returns the program to judge."""
        return f"{self.text}\n" if self.is_program else problem.program(self.text)

    def to_json(self) -> dict[str, object]:
        """Returns the sample's line of ``samples.jsonl``."""
        form = "solution" if self.is_program else "completion"
        return {"task_id": self.task_id, form: self.text, "sample": self.number}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Self:
        """Reads what :meth:`to_json` wrote."""
        is_program = "solution" in record
        return cls(
            task_id=get_field(record, "task_id", str),
            number=get_field(record, "sample", int),
            text=get_field(record, "solution" if is_program else "completion", str),
            is_program=is_program,
        )


@dataclass(frozen=True, kw_only=True)
class Result:
    """What became of one sample.

    Attributes:
        task_id: The problem.
        number: The sample's number.
        outcome: How the program ended, or why it was not judged.
        verdict: The judge's verdict; None if the sample was not judged.
        mode: Where the test ran.
        isolation: The isolation level.
    """

    task_id: str
    number: int
    outcome: Outcome
    verdict: Verdict | None
    mode: str
    isolation: str

    @property
    def key(self) -> SampleKey:
        """What identifies the sample within its run."""
        return self.task_id, self.number

    @property
    def has_passed(self) -> bool:
        """Whether the program solves the problem."""
        return self.outcome is Outcome.PASSED

    @property
    def detail(self) -> str:
        """What the judge adds to the outcome, for people."""
        return self.verdict.detail if self.verdict else ""

    def to_json(self) -> dict[str, object]:
        """Returns the result's line of ``results.jsonl``."""
        outcome = {"outcome": self.outcome, "passed": self.has_passed}
        return {
            "task_id": self.task_id,
            "sample": self.number,
            **(verdict_to_json(self.verdict) if self.verdict else outcome),
            "mode": self.mode,
            "isolation": self.isolation,
        }

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Self:
        """Reads what :meth:`to_json` wrote."""
        return cls(
            task_id=get_field(record, "task_id", str),
            number=get_field(record, "sample", int),
            outcome=Outcome(record["outcome"]),
            verdict=verdict_from_json(record) if "cpu_s" in record else None,
            mode=get_optional_field(record, "mode", str) or SPLIT,
            isolation=get_optional_field(record, "isolation", str) or "",
        )


def count_samples(results: Iterable[Result]) -> dict[str, SampleCounts]:
    """Returns for each problem how many samples were scored, and how many of them passed."""
    counts: dict[str, SampleCounts] = {}
    for result in results:
        if result.outcome not in _NOT_SCORED:
            n, n_passed = counts.get(result.task_id, SampleCounts(0, 0))
            counts[result.task_id] = SampleCounts(n + 1, n_passed + result.has_passed)
    return counts


def verdict_to_json(verdict: Verdict) -> dict[str, object]:
    """Returns the keys by which a verdict is recorded."""
    return {
        "outcome": verdict.outcome,
        "passed": verdict.outcome is Outcome.PASSED,
        "detail": verdict.detail,
        "calls": verdict.calls,
        "cpu_s": verdict.cpu_s,
        "wall_s": verdict.wall_s,
        "output": verdict.output,
    }


def verdict_from_json(record: Mapping[str, Any]) -> Verdict:
    """Reads what :func:`verdict_to_json` returned."""
    kinds = {"detail": str, "calls": int, "cpu_s": float, "wall_s": float, "output": str}
    found: dict[str, Any] = {
        key: get_field(record, key, kind) for key, kind in kinds.items() if key in record
    }
    return Verdict(outcome=Outcome(record["outcome"]), **found)
