"""What a run of samples needs of whoever generates them."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from evaluation.problems.problem import Problem
from evaluation.runs.arguments import MAX_SEED
from training.foundation.config_schema import RangedConfig, number_field

# A function's body ends where something new begins in the first column.
# Source: Chen et al. 2021, arXiv:2107.03374, section 2; extended by decorators and comments.
STOP = (
    "\nclass",
    "\ndef",
    "\n#",
    "\n@",
    "\nif",
    "\nprint",
    "\nfor",
    "\nwhile",
    "\nassert",
    "\nimport",
    "\nfrom",
)


@dataclass(frozen=True, kw_only=True)
class Generation(RangedConfig):
    """How samples are generated.

    ``stop`` ends the completion of a prompt; an infilling ends where the model ends it.
    """

    n: int = number_field(5, least=1, most=10_000)
    temperature: float = number_field(0.2, least=0, most=100)
    top_p: float = number_field(0.95, least=1e-6, most=1)
    max_new_tokens: int = number_field(256, least=1, most=1_000_000)
    seed: int = number_field(0, least=0, most=MAX_SEED)
    stop: tuple[str, ...] = STOP


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
