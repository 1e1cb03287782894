"""Exact duplicates, blind to white space; and text that repeats a benchmark's problems."""

import hashlib
import re
from collections.abc import Iterable

from training.corpus.document import Document

NGRAM_WORDS = 10
_WORD = re.compile(r"\w+")
_SPACE = re.compile(r"\s+")


def content_key(text: str) -> bytes:
    """Returns a hash of the text that white space does not change."""
    return hashlib.blake2b(_SPACE.sub("", text).encode(), digest_size=16).digest()


class DuplicateFilter:
    """Remembers what was kept; the first of several equal documents wins."""

    def __init__(self) -> None:
        self._seen: set[bytes] = set()

    def is_new(self, document: Document) -> bool:
        """Says whether no equal document came before, and remembers this one."""
        key = content_key(document.text)
        if key in self._seen:
            return False
        self._seen.add(key)
        return True


class ContaminationFilter:
    """Finds documents that contain a benchmark problem's text or solution.

    Words only, so that white space and punctuation do not hide a copy. An n-gram tells a problem
    only if enough of its words differ: a row of digits or ``for i in range(n)`` is everybody's.
    It does not see a copy whose variables were renamed.

    Source: Brown et al. 2020, arXiv:2005.14165 (word n-grams); the n is ours, for short problems.
    """

    def __init__(self, texts: Iterable[str], min_words: int) -> None:
        self._ngrams = {
            ngram for text in texts for ngram in _ngrams(text) if _n_words(ngram) >= min_words
        }

    def is_contaminated(self, document: Document) -> bool:
        """Says whether the document shares a telling word n-gram with a problem."""
        return bool(self._ngrams) and any(g in self._ngrams for g in _ngrams(document.text))


def _ngrams(text: str) -> Iterable[tuple[str, ...]]:
    words = _WORD.findall(text.lower())
    return zip(*(words[i:] for i in range(NGRAM_WORDS)), strict=False)


def _n_words(ngram: tuple[str, ...]) -> int:
    return len({word for word in ngram if word[0].isalpha()})
