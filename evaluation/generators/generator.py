"""What a run of samples needs of whoever generates them."""

import hashlib
from collections.abc import Mapping
from typing import Protocol

from evaluation.passk.config import Generation
from evaluation.problems.problem import Problem


class Generator(Protocol):
    """Generates completions of problems."""

    @property
    def identity(self) -> Mapping[str, str]:
        """What identifies it in a run: the weights themselves, not only where they are."""
        ...

    def generate(self, problem: Problem, generation: Generation, *, first: int) -> list[str]:
        """Returns the samples from number ``first`` up to ``generation.n``.

        Equal seeds give equal samples, whatever was generated before, if the generator can do that
        (a server may not).
        """
        ...


def stop_strings(problem: Problem, generation: Generation) -> tuple[str, ...]:
    """Returns the stop strings for a problem: none if text follows the completion."""
    return () if problem.suffix else generation.stop


def problem_seed(seed: int, task_id: str) -> int:
    """Returns a problem's own seed, which does not depend on other problems."""
    digest = hashlib.sha256(f"{seed}:{task_id}".encode()).digest()
    return int.from_bytes(digest[:6], "big")
