"""Prompt lookup: guesses at the next tokens, taken from text seen before.

Code repeats itself. Where the last few tokens occurred before, in the prompt or in other texts,
what followed them is likely to follow again. The decoder verifies all guesses in one forward pass:
a wrong guess costs little, a right one saves a pass, and the output is the model's own either way.
It knows neither model nor text: ids in, ids out.

Source: Saxena 2023, "Prompt Lookup Decoding"; verification as in Leviathan et al. 2023,
arXiv:2211.17192.
"""

from array import array
from collections.abc import Sequence

_ID_BYTES = 4
_TYPECODE = "I"
_GRAMS = ((4, 6), (3, 4), (2, 2))  # tokens that must be equal, tokens that are then guessed


class PromptLookup:
    """Guesses for one generation.

    Args:
        prompt: Its ids; generated ones are appended.
        other_texts: Ids of other texts, the likeliest first.
    """

    def __init__(self, prompt: Sequence[int], other_texts: Sequence[Sequence[int]] = ()) -> None:
        self._ids = array(_TYPECODE, prompt)
        self._other_texts = [array(_TYPECODE, ids).tobytes() for ids in other_texts]

    def append(self, token_id: int) -> None:
        """Adds a token that was generated."""
        self._ids.append(token_id)

    def guess(self, max_tokens: int) -> list[int]:
        """Returns up to ``max_tokens`` tokens that may follow; none without a match."""
        data = self._ids.tobytes()
        for n_equal, n_guessed in _GRAMS:
            gram = data[-n_equal * _ID_BYTES :]
            if len(gram) < n_equal * _ID_BYTES:
                continue
            n_wanted = min(n_guessed, max_tokens)
            for text in (data[:-_ID_BYTES], *self._other_texts):
                found = _find_continuation(text, gram, n_wanted)
                if found:
                    return found
        return []


def _find_continuation(text: bytes, gram: bytes, n: int) -> list[int]:
    """Returns up to ``n`` ids that follow the last occurrence of ``gram`` in ``text``."""
    at = text.rfind(gram)
    while at >= 0 and at % _ID_BYTES:  # a match that begins inside an id
        at = text.rfind(gram, 0, at + len(gram) - 1)
    if at < 0:
        return []
    start = at + len(gram)
    return array(_TYPECODE, text[start : start + n * _ID_BYTES]).tolist()
