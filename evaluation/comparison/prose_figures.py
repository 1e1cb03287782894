"""What kind of prose completions are: pure functions that show what a model was trained on.

A model of novels writes dialogue in the third person; a model of web pages addresses its reader and
names sites and numbers.
"""

import re
from collections.abc import Mapping, Sequence

_WORD = re.compile(r"[A-Za-z]+(?:['\u2019][a-z]+)?")
_SENTENCE_END = re.compile(r"[.!?]+(?:\s|$)")
_QUOTED = re.compile(r"\"[^\"\n]*\"|“[^”\n]*”|``[^'\n]*''")
_WEB = re.compile(
    r"https?:|www\.|\.com\b|[@#]\w|\b(?:click|blog|website|online|video|posted)\b", re.IGNORECASE
)
_NUMBER = re.compile(r"\d+")
_FIRST = frozenset({"i", "me", "my", "mine", "we", "us", "our", "ours"})
_SECOND = frozenset({"you", "your", "yours"})
_THIRD = frozenset({"he", "him", "his", "she", "her", "hers", "they", "them", "their"})


def measure_prose(texts: Sequence[str]) -> dict[str, float]:
    """Returns the figures of completions, by name; shares are from 0 to 1.

    "dialogue" is a share of characters; persons, different words, numbers and the web are shares
    of, or counts per, words; "sentence" is the mean number of words of a sentence.
    """
    words = [_WORD.findall(text.lower()) for text in texts]
    every = [word for found in words for word in found]
    n_words, n_chars = max(1, len(every)), max(1, sum(map(len, texts)))
    n_sentences = sum(len(_SENTENCE_END.findall(text)) for text in texts)
    return {
        "dialogue": sum(len(q) for text in texts for q in _QUOTED.findall(text)) / n_chars,
        "first person": _share(every, _FIRST),
        "second person": _share(every, _SECOND),
        "third person": _share(every, _THIRD),
        "of the web": sum(len(_WEB.findall(text)) for text in texts) / n_words,
        "numbers": sum(len(_NUMBER.findall(text)) for text in texts) / n_words,
        "different words": sum(len(set(found)) for found in words) / n_words,
        "sentence": n_words / max(1, n_sentences),
    }


def _share(words: Sequence[str], wanted: frozenset[str]) -> float:
    return sum(word in wanted for word in words) / max(1, len(words))


def format_prose(figures: Mapping[str, float]) -> dict[str, str]:
    """Returns the figures for people."""
    return {
        name: f"{value:.1f} words" if name == "sentence" else f"{value:.1%}"
        for name, value in figures.items()
    }
