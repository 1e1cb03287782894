"""How a vocabulary takes misspelt words: two adjacent letters swapped, the commonest slip.

Which letters is a function of the word, so that vocabularies are measured on the same misspellings.
"""

import re
import zlib
from collections.abc import Sequence

from training.vocabulary.fast_tokenizer import Vocabulary
from training.vocabulary.vocabulary_report import MisspellingFit

MAX_WORDS = 2000  # different ones, the first of the text
_WORD = re.compile(r"[A-Za-z]{4,}")


def collect_words(known: dict[str, None], text: str) -> None:
    """Adds the words of a text, as keys, in the order in which they first occur."""
    if len(known) < MAX_WORDS:
        words = (word for word in _WORD.findall(text) if misspell(word) != word)
        known.update(dict.fromkeys(words))


def measure_misspelling(tokenizer: Vocabulary, words: Sequence[str]) -> MisspellingFit:
    """Returns what swapped letters do to the first ``MAX_WORDS`` words."""
    words = words[:MAX_WORDS]
    right = [tokenizer.encode(f" {word}") for word in words]
    wrong = [tokenizer.encode(f" {misspell(word)}") for word in words]
    n_words = max(1, len(words))
    return MisspellingFit(
        words=len(words),
        tokens_per_word=sum(map(len, right)) / n_words,
        tokens_per_misspelt_word=sum(map(len, wrong)) / n_words,
        unknown_share=sum(tokenizer.unknown_id in ids for ids in wrong) / n_words,
    )


def misspell(word: str) -> str:
    """Swaps two adjacent letters behind the first that differ; a word without any stays."""
    places = [i for i in range(1, len(word) - 1) if word[i] != word[i + 1]]
    if not places:
        return word
    at = places[zlib.crc32(word.encode()) % len(places)]
    return f"{word[:at]}{word[at + 1]}{word[at]}{word[at + 2 :]}"
