"""Finds documents that contain a benchmark problem: its words, or its solution in other words.

Words alone, so that white space and punctuation do not hide a copy; and functions with names,
comments and annotations aside, so that renaming does not. Called by
:mod:`training.corpus.filters.screening`.
"""

import ast
import re
from collections.abc import Iterable, Iterator

from training.corpus.filters.ast_fingerprint import fingerprint, functions, parse, shape
from training.corpus.filters.benchmark_problems import BenchmarkProblem

PROBLEM, SOLUTION = "benchmark problem", "benchmark solution"
NGRAM_WORDS = 10
_WORD = re.compile(r"\w+")

Ngram = tuple[str, ...]


class ContaminationFilter:
    """Knows a set of problems.

    An n-gram tells a problem only if enough of its words differ (a row of digits or
    ``for i in range(n)`` is everybody's), and a function only if it is large enough.

    Source: Brown et al. 2020, arXiv:2005.14165 (word n-grams); the n is ours, for short problems.
    """

    def __init__(
        self, problems: Iterable[BenchmarkProblem], *, min_words: int, min_nodes: int
    ) -> None:
        self._ngrams: set[Ngram] = set()
        self._solutions: dict[tuple[object, ...], set[bytes]] = {}
        for problem in problems:
            for text in problem.texts:
                self._ngrams |= {g for g in _ngrams(text) if _n_words(g) >= min_words}
            tree = parse(problem.program)
            for function in functions(tree) if tree else ():
                mark, size = fingerprint(function)
                if size >= min_nodes:
                    self._solutions.setdefault(shape(function), set()).add(mark)

    def reason(self, text: str, tree: ast.Module | None) -> str | None:
        """Returns why a document is dropped, or None.

        Args:
            text: The document.
            tree: It parsed, or None if it does not.
        """
        if self._ngrams and any(g in self._ngrams for g in _ngrams(text)):
            return PROBLEM
        if tree is not None and self._solutions:
            for function in functions(tree):
                known = self._solutions.get(shape(function))
                if known and fingerprint(function)[0] in known:
                    return SOLUTION
        return None


def _ngrams(text: str) -> Iterator[Ngram]:
    words = _WORD.findall(text.lower())
    return zip(*(words[i:] for i in range(NGRAM_WORDS)), strict=False)


def _n_words(ngram: Ngram) -> int:
    return len({word for word in ngram if word[0].isalpha()})
