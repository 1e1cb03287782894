"""Drops what the token limit leaves unfinished after a function that is complete.

A function's completion ends at its first stop string, so whatever a model would write next never
counts. A module's goes on: the model may have written the function, and be in the middle of
another when its tokens are used up. Called for each sample that is generated.
"""

import re
import warnings

from evaluation.problems.formats import find_defined_names
from evaluation.problems.problem import Problem

MAX_CHARS = 100_000  # a longer text takes too long to parse
MAX_TRIES = 64
_STATEMENT = re.compile(r"^(?=[^\s#)\]}])", re.MULTILINE)


def drop_unfinished(problem: Problem, text: str) -> str:
    """Returns a module without the statements at its end that make it no Python.

    It is returned as it is if it is Python, or if no beginning of it defines the entry point.
    """
    if not problem.is_module or problem.suffix or len(text) > MAX_CHARS:
        return text
    if _defines_function(problem, text):
        return text
    ends = [found.start() for found in _STATEMENT.finditer(text) if found.start() > 0]
    kept = (text[:end] for end in reversed(ends[-MAX_TRIES:]))
    return next((part for part in kept if _defines_function(problem, part)), text)


def _defines_function(problem: Problem, text: str) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about escapes in the model's strings
        return problem.function_name in find_defined_names(problem.program(text))
