"""What generation asks of whoever writes samples."""

import hashlib
from collections.abc import Mapping
from typing import Protocol

from evaluation.passk.config import Generation
from evaluation.problems.problem import Problem


class Writer(Protocol):
    """Writes completions of problems."""

    @property
    def identity(self) -> Mapping[str, str]:
        """What a run with it is known by: the weights, not only where they stand."""
        ...

    def write(self, problem: Problem, generation: Generation, *, first: int) -> list[str]:
        """Returns the samples from number ``first`` up to ``generation.n``.

        Equal seeds give equal samples, whatever was written before them, if the writer can do that
        at all (a server may not).
        """
        ...


def before_stop(text: str, stops: tuple[str, ...]) -> str:
    """Returns what stands before the first stop string: all of it, if there is none."""
    return text[: min((at for s in stops if (at := text.find(s)) >= 0), default=len(text))]


def stops_of(problem: Problem, generation: Generation) -> tuple[str, ...]:
    """Returns the stop strings for a problem: none where text follows."""
    return () if problem.suffix else generation.stop


def problem_seed(seed: int, task_id: str) -> int:
    """Returns a problem's own seed, the same whatever was generated before it."""
    digest = hashlib.sha256(f"{seed}:{task_id}".encode()).digest()
    return int.from_bytes(digest[:6], "big")
