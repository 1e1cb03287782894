"""What a run of samples needs of whoever generates them."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from evaluation.problems.problem import Problem
from evaluation.runs.arguments import MAX_SEED
from training.foundation.config_schema import RangedConfig, number_field, to_mapping

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
# A module that defines the function has several blocks; it ends where tests of it, output or the
# next task begin.
# Source: the stop strings for MBPP of EvalPlus, Liu et al. 2023, arXiv:2305.01210.
MODULE_STOP = ("\nassert", "\nprint(", "\nif __name__", '\n"""')


@dataclass(frozen=True, kw_only=True)
class Generation(RangedConfig):
    """How samples are generated.

    ``stop`` ends the completion of a function, ``module_stop`` that of a module
    (:attr:`Problem.is_module`); an infilling ends where the model ends it.
    """

    n: int = number_field(5, least=1, most=10_000)
    temperature: float = number_field(0.2, least=0, most=100)
    top_p: float = number_field(0.95, least=1e-6, most=1)
    max_new_tokens: int = number_field(256, least=1, most=1_000_000)
    seed: int = number_field(0, least=0, most=MAX_SEED)
    stop: tuple[str, ...] = STOP
    module_stop: tuple[str, ...] = MODULE_STOP


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


def stop_strings(
    problem: Problem, generation: Generation, *, infills: bool | None = None
) -> tuple[str, ...]:
    """Returns the stop strings for a problem.

    Args:
        problem: The problem.
        generation: How to generate.
        infills: Whether the model sees the text after the completion, and ends where that begins;
            None if it does so whenever there is any.
    """
    if bool(problem.suffix) if infills is None else infills:
        return ()
    return generation.module_stop if problem.is_module else generation.stop


def describe_generation(generation: Generation, problems: Sequence[Problem]) -> dict[str, object]:
    """Returns the settings that identify a run on these problems: those that they use.

    So runs on functions alone, as HumanEval's, are those of versions without ``module_stop``.
    """
    found: dict[str, object] = to_mapping(generation)
    if not any(problem.is_module for problem in problems):
        del found["module_stop"]
    return found


def problem_seed(seed: int, task_id: str) -> int:
    """Returns a problem's own seed, which does not depend on other problems."""
    digest = hashlib.sha256(f"{seed}:{task_id}".encode()).digest()
    return int.from_bytes(digest[:6], "big")
