"""What a problem is, whichever benchmark it comes from, and what a problem set is."""

import ast
import hashlib
import json
import re
import unicodedata
import warnings
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One problem: a prompt to complete, and the hidden test of the result.

    Attributes:
        task_id: The problem's name, unique in its set.
        prompt: The text before the completion.
        suffix: The text after it; empty unless this is an infilling problem.
        entry_point: The function that the test calls.
        canonical_solution: A completion known to be correct; None if none is known.
        test: A module that defines ``check(candidate)``, or asserts by itself.
        is_in_process: Whether the test needs more of the program than calls of its entry point.
            Both then run in one process, where a program can forge its verdict.
        overrides_process: Whether ``is_in_process`` was chosen against what the test suggests.
    """

    task_id: str
    prompt: str
    suffix: str = ""
    entry_point: str
    canonical_solution: str | None = None
    test: str
    is_in_process: bool = False
    overrides_process: bool = False

    @property
    def function_name(self) -> str:
        """The entry point as Python reads names."""
        return unicodedata.normalize("NFKC", self.entry_point)

    @property
    def is_module(self) -> bool:
        """Whether a completion is the rest of a module that must define the entry point itself.

        MBPP's are such problems. HumanEval's prompts end inside the function.
        """
        return bool(self.entry_point) and not _has_head(self.prompt, self.function_name)

    def program(self, completion: str) -> str:
        """Returns the whole program with a completion."""
        return f"{self.prompt}{completion}{self.suffix}\n"

    def prelude(self) -> str:
        """Returns a program that defines what a test may use of the prompt besides the function.

        It is empty if neither the prompt alone nor the problem's own solution makes a program.
        """
        solved = self.program(self.canonical_solution or "")
        unsolved = () if self.suffix else (self.program("\n    pass\n"), self.program(""))
        return next(filter(is_python, (*unsolved, solved)), "")


@dataclass(frozen=True, kw_only=True)
class ProblemSet:
    """Problems in the order of their source.

    Attributes:
        name: The name that was asked for, or that of the known set with the same contents.
        problems: The problems.
        cpu_s: The CPU time that a correct solution may need; None for the default.
        is_known: Whether it is, byte for byte, the set that this project was tested with.
    """

    name: str
    problems: tuple[Problem, ...]
    cpu_s: float | None = None
    is_known: bool = False

    @property
    def sha256(self) -> str:
        """A hash of the problems, independent of the file or service they came from."""
        return hash_problems(self.problems)


def is_python(text: str) -> bool:
    """Returns whether a text compiles; one that parses may not, for a ``break`` outside a loop."""
    return _compile(text) is not None


def _parse(text: str) -> ast.Module | None:
    tree: ast.Module | None = _compile(text, ast.PyCF_ONLY_AST)
    return tree


def _compile(text: str, flags: int = 0) -> Any:
    """Returns what ``compile`` does; None if the text is not Python."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about escapes in strings
            return compile(text, "<problem>", "exec", flags)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _has_head(prompt: str, name: str) -> bool:
    """Returns whether a prompt, which may end anywhere, begins a function or class of this name."""
    tree = _parse(f"{prompt}\n    pass\n") or _parse(prompt)
    if tree is None:
        head = rf"^[ \t]*(?:async[ \t]+def|def|class)[ \t]+{re.escape(name)}\b"
        return re.search(head, unicodedata.normalize("NFKC", prompt), re.MULTILINE) is not None
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return any(isinstance(node, kinds) and node.name == name for node in ast.walk(tree))


def hash_problems(problems: tuple[Problem, ...]) -> str:
    """Returns a SHA-256 over problems, independent of the format of their source."""
    text = json.dumps(list(map(_list_values, problems)), sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def _list_values(problem: Problem) -> dict[str, object]:
    """Returns what tells a problem from others; where its test runs follows from it as a rule."""
    values = asdict(problem)
    is_in_process = values.pop("is_in_process")
    if values.pop("overrides_process"):
        values["in_process"] = is_in_process
    return values
