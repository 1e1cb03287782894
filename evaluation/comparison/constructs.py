"""Which constructs completions use and how much they repeat themselves: pure functions."""

import ast
import re
from collections import Counter
from collections.abc import Iterable, Sequence

PHRASE_WORDS = 6
_WORD = re.compile(r"\w+|[^\w\s]")
_CONSTRUCTS: dict[str, tuple[type[ast.AST], ...]] = {
    "function": (ast.FunctionDef, ast.AsyncFunctionDef),
    "class": (ast.ClassDef,),
    "lambda": (ast.Lambda,),
    "if": (ast.If, ast.IfExp),
    "for": (ast.For, ast.AsyncFor),
    "while": (ast.While,),
    "comprehension": (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp),
    "try": (ast.Try,),
    "raise": (ast.Raise,),
    "with": (ast.With, ast.AsyncWith),
    "return": (ast.Return,),
    "yield": (ast.Yield, ast.YieldFrom),
    "import": (ast.Import, ast.ImportFrom),
    "assert": (ast.Assert,),
    "call": (ast.Call,),
    "assignment": (ast.Assign, ast.AugAssign, ast.AnnAssign),
    "f-string": (ast.JoinedStr,),
}


def construct_shares(programs: Iterable[tuple[str, str]]) -> dict[str, float]:
    """Returns for each construct the share of completions that use it, of those that parse.

    Args:
        programs: Prompt and completion; a construct counts if it starts within the completion.
    """
    counts: Counter[str] = Counter()
    total = 0
    for prompt, completion in programs:
        found = _find_constructs(prompt, completion)
        if found is not None:
            total += 1
            counts.update(found)
    return {name: counts[name] / total if total else 0.0 for name in _CONSTRUCTS}


def _find_constructs(prompt: str, completion: str) -> set[str] | None:
    try:
        tree = ast.parse(prompt + completion)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    first = prompt.count("\n") + 1
    column = len((prompt.rpartition("\n")[2]).encode())
    return {
        name
        for node in ast.walk(tree)
        if (getattr(node, "lineno", 0), getattr(node, "col_offset", 0)) >= (first, column)
        for name, kinds in _CONSTRUCTS.items()
        if isinstance(node, kinds)
    }


def repeated_share(completions: Sequence[str]) -> float:
    """Returns the share of phrases that occurred earlier in the same completion."""
    repeated = total = 0
    for completion in completions:
        phrases = _phrases(completion)
        total += len(phrases)
        repeated += len(phrases) - len(set(phrases))
    return repeated / total if total else 0.0


def common_phrases(completions: Sequence[str], limit: int) -> list[tuple[str, int]]:
    """Returns the phrases that occur in the most completions, with the number of completions."""
    counts: Counter[str] = Counter()
    for completion in completions:
        counts.update(set(_phrases(completion)))
    return [(phrase, n) for phrase, n in counts.most_common(limit) if n > 1]


def _phrases(text: str) -> list[str]:
    words = _WORD.findall(text)
    return [" ".join(words[i : i + PHRASE_WORDS]) for i in range(len(words) - PHRASE_WORDS + 1)]
