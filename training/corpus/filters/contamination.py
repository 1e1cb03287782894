"""Finds documents that contain a benchmark problem or its solution.

Problems are compared by words, so that white space and punctuation do not hide a copy; solutions by
functions without names, comments and annotations, so that renaming does not. Called by
:mod:`training.corpus.filters.screening` and :mod:`training.corpus.output.benchmark_overlap`.
"""

import ast
import re
from collections.abc import Iterable, Iterator

from training.corpus.filters.ast_fingerprint import (
    fingerprint_function,
    iter_functions,
    parse_python,
    summarize_shape,
)
from training.corpus.filters.benchmark_problems import BenchmarkProblem

PROBLEM, SOLUTION = "benchmark problem", "benchmark solution"
NGRAM_WORDS = 10
_WORD = re.compile(r"\w+")

Ngram = tuple[str, ...]


class ContaminationFilter:
    """Detects the problems of a set.

    An n-gram identifies a problem only if it has enough different words (digits in a row and
    ``for i in range(n)`` occur everywhere), a function only if it is large enough.

    Args:
        problems: The problems to detect.
        min_words: Different words that an n-gram must have.
        min_nodes: Syntax tree nodes that a solution's function must have.

    Source: Brown et al. 2020, arXiv:2005.14165 (word n-grams); n is smaller here, because the
    problems are short.
    """

    def __init__(
        self, problems: Iterable[BenchmarkProblem], *, min_words: int, min_nodes: int
    ) -> None:
        self._ngrams: set[Ngram] = set()
        self._solutions: dict[tuple[object, ...], set[bytes]] = {}
        for problem in problems:
            for text in problem.texts:
                self._ngrams |= {g for g in _iter_ngrams(text) if _count_words(g) >= min_words}
            tree = parse_python(problem.program)
            for function in iter_functions(tree) if tree else ():
                mark, size = fingerprint_function(function)
                if size >= min_nodes:
                    self._solutions.setdefault(summarize_shape(function), set()).add(mark)

    def check(self, text: str, tree: ast.Module | None) -> str | None:
        """Returns why a document is dropped, or None.

        Args:
            text: The document.
            tree: Its syntax tree; None if it does not parse.
        """
        if self._ngrams and any(g in self._ngrams for g in _iter_ngrams(text)):
            return PROBLEM
        if tree is not None and self._solutions:
            for function in iter_functions(tree):
                known = self._solutions.get(summarize_shape(function))
                if known and fingerprint_function(function)[0] in known:
                    return SOLUTION
        return None


def _iter_ngrams(text: str) -> Iterator[Ngram]:
    words = _WORD.findall(text.lower())
    return zip(*(words[i:] for i in range(NGRAM_WORDS)), strict=False)


def _count_words(ngram: Ngram) -> int:
    return len({word for word in ngram if word[0].isalpha()})
