"""A quicker way through GPT-2's pipeline for much text: every word is encoded once.

Byte-level BPE works on words, the pieces of GPT-2's splitting pattern, each for itself; code has
few different ones. So words found by a pattern and looked up in a table give the ids that the
library gives, several times as fast (``tests/benchmarks/training/encoding.py`` prints both, a test
holds them together). Used where whole corpora are encoded; everything else asks the library.

Source: the splitting pattern is GPT-2's (Radford et al. 2019), cut down to ASCII. Lines with other
letters are left to the library.
"""

import re
from collections.abc import Callable, Sequence
from itertools import chain

# Line ends and blanks are spelt out: Python's \s holds a few control characters more.
_WORD = re.compile(
    r"'(?:[smtd]|re|ve|ll)| ?[A-Za-z]+| ?[0-9]+| ?[^\t-\r A-Za-z0-9]+"
    r"|[\t-\r ]+(?![^\t-\r ])|[\t-\r ]+"
)
# No word of the pattern reaches over the place between a visible character and a line's end.
_SAFE_PLACE = re.compile(r"(?<=[!-~])(?=\n)")
MAX_WORDS = 200_000  # in the table: some tens of megabytes

EncodeBatch = Callable[[Sequence[str]], list[list[int]]]


class WordCache:
    """Encodes texts by their words.

    Args:
        encode_batch: The library's way, for words not met before; it must split by GPT-2's pattern.
    """

    def __init__(self, encode_batch: EncodeBatch) -> None:
        self._encode_batch = encode_batch
        self._ids: dict[str, tuple[int, ...]] = {}

    def encode(self, text: str) -> list[int]:
        """Returns the ids of ``text``."""
        words = _words(text)
        unknown = list(set(words).difference(self._ids))
        if len(self._ids) + len(unknown) > MAX_WORDS:
            self._ids.clear()
            unknown = list(set(words))
        self._ids.update(zip(unknown, map(tuple, self._encode_batch(unknown)), strict=True))
        return list(chain.from_iterable(map(self._ids.__getitem__, words)))


def _words(text: str) -> list[str]:
    """Cuts ``text`` into what is encoded for itself: words, and stretches that are not ASCII."""
    if text.isascii():
        return _WORD.findall(text)
    words: list[str] = []
    for stretch in _SAFE_PLACE.split(text):
        if stretch.isascii():
            words += _WORD.findall(stretch)
        else:
            words.append(stretch)
    return words
