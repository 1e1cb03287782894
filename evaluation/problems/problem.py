"""What a problem is, whichever benchmark it comes from."""

import ast
import hashlib
import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One problem: a prompt to complete, and the hidden test of the result.

    Attributes:
        task_id: Its name, unique in its set.
        prompt: What stands before the completion.
        suffix: What stands behind it; empty unless the problem is one of infilling.
        entry_point: The function that the test calls.
        canonical_solution: A completion that is known to be right; None if none is known.
        test: A module that defines ``check(candidate)``, or asserts by itself.
        is_in_process: Whether the test needs more of the program than calls of its entry point, so
            that both must run in one process, where a program can forge its verdict.
    """

    task_id: str
    prompt: str
    suffix: str = ""
    entry_point: str
    canonical_solution: str | None = None
    test: str
    is_in_process: bool = False

    def program(self, completion: str) -> str:
        """Returns the whole program that a completion makes."""
        return f"{self.prompt}{completion}{self.suffix}\n"

    def prelude(self) -> str:
        """Returns a program that defines what of the prompt a test may use beside the function."""
        solved = self.program(self.canonical_solution or "")
        if self.suffix:
            return solved
        without = (self.program("\n    pass\n"), self.program(""))
        return next(filter(_is_python, without), solved)


@dataclass(frozen=True, kw_only=True)
class ProblemSet:
    """Problems in their source's order.

    Attributes:
        name: As it was asked for, or the known set that it turned out to be.
        problems: The problems.
        cpu_s: What a right solution may need; None if nothing special is known.
        is_known: Whether it is, to the byte, the set that this project has been tried with.
    """

    name: str
    problems: tuple[Problem, ...]
    cpu_s: float | None = None
    is_known: bool = False

    @property
    def sha256(self) -> str:
        """A hash of the problems, the same from whatever file or service they came."""
        return content_hash(self.problems)


def _is_python(text: str) -> bool:
    try:
        ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return False
    return True


def content_hash(problems: tuple[Problem, ...]) -> str:
    """Returns the SHA-256 of problems, whatever their source's format was."""
    values = [{k: v for k, v in asdict(p).items() if k != "is_in_process"} for p in problems]
    text = json.dumps(values, sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(text.encode("ascii")).hexdigest()
