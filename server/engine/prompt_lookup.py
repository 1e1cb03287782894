"""Drafts: guesses at the next tokens from text seen before, which one step of the model verifies.

Code repeats itself. Where the last few tokens stood before, in the prompt or in other texts, what
followed there is likely to follow here. A wrong guess costs little, a right one saves a step; what
is written is the model's own either way. No model, no text: ids in, ids out.

Source: Saxena 2023, "Prompt Lookup Decoding"; verified as in Leviathan et al. 2023,
arXiv:2211.17192.
"""

from array import array
from collections.abc import Sequence

_BYTES = 4
_TYPECODE = "I"
_GRAMS = ((4, 6), (3, 4), (2, 2))  # so many equal tokens, and so many guessed behind them


class Drafts:
    """Guesses for one task.

    Args:
        prompt: Its ids; what is written is added.
        others: Ids of other texts, the likeliest first.
    """

    def __init__(self, prompt: Sequence[int], others: Sequence[Sequence[int]] = ()) -> None:
        self._ids = array(_TYPECODE, prompt)
        self._others = [array(_TYPECODE, ids).tobytes() for ids in others]

    def add(self, token_id: int) -> None:
        """Takes down a token that was written."""
        self._ids.append(token_id)

    def guess(self, most: int) -> list[int]:
        """Returns at most ``most`` tokens that may follow, none if nothing is known."""
        data = self._ids.tobytes()
        for n_equal, n_guessed in _GRAMS:
            gram = data[-n_equal * _BYTES :]
            if len(gram) < n_equal * _BYTES:
                continue
            wanted = min(n_guessed, most)
            for text in (data[:-_BYTES], *self._others):
                found = _behind(text, gram, wanted)
                if found:
                    return found
        return []


def _behind(text: bytes, gram: bytes, n: int) -> list[int]:
    """Returns up to ``n`` ids that stand behind the last place of ``gram`` in ``text``."""
    at = text.rfind(gram)
    while at >= 0 and at % _BYTES:
        at = text.rfind(gram, 0, at + len(gram) - 1)
    if at < 0:
        return []
    start = at + len(gram)
    return array(_TYPECODE, text[start : start + n * _BYTES]).tolist()
