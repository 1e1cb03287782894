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

    Source: Brown et al. 2020, arXiv:2005.14165 (word n-grams), with the n of Lee et al.'s code
    corpora; words only, so that white space and punctuation do not hide a copy.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        self._ngrams: set[tuple[str, ...]] = set()
        for text in texts:
            self._ngrams.update(_ngrams(text))

    def is_contaminated(self, document: Document) -> bool:
        """Says whether the document shares a word n-gram with a problem."""
        return bool(self._ngrams) and any(g in self._ngrams for g in _ngrams(document.text))


def _ngrams(text: str) -> Iterable[tuple[str, ...]]:
    words = _WORD.findall(text.lower())
    return zip(*(words[i:] for i in range(NGRAM_WORDS)), strict=False)
