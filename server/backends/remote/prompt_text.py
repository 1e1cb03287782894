"""A prompt as text, for servers that take no token ids.

The server's tokenizer then turns the text into ids again. It reads the name of a special token as
that token wherever it stands, so a name in the user's own text must not be sent; and the text may
be cut into other tokens than the prompt was, most likely at its end.
"""

from collections.abc import Sequence
from itertools import groupby

from training.artifact.special_tokens import SPECIAL_TOKENS
from training.artifact.tokenizer import CodeTokenizer

_MAX_MOVED = 4  # tokens


class PromptText:
    """Writes prompts for one tokenizer."""

    def __init__(self, tokenizer: CodeTokenizer) -> None:
        self._tokenizer = tokenizer
        known = [token for token in SPECIAL_TOKENS if tokenizer.has_special(token)]
        self._names = {tokenizer.special_id(token): token for token in known}

    def write(self, ids: Sequence[int]) -> str:
        """Returns the text of a prompt, special tokens by their names.

        Of a text with such a name in it, only the part that is nearer to the gap is sent.
        """
        runs = [
            (is_special, list(run))
            for is_special, run in groupby(ids, key=lambda token_id: token_id in self._names)
        ]
        parts = []
        for number, (is_special, run) in enumerate(runs):
            if is_special:
                parts.append("".join(self._names[token_id] for token_id in run))
            else:
                text = self._tokenizer.decode(run)
                parts.append(self._cut(text, keeps_end=number == len(runs) - 1))
        return "".join(parts)

    def settle(self, ids: list[int]) -> tuple[list[int], bytes]:
        """Moves tokens from a prompt's end to what the output must begin with.

        As many as it takes until the server's tokenizer cuts the rest as it is cut here.

        Returns:
            The ids that are left, and the bytes of those that were moved.
        """
        start = max((at for at, i in enumerate(ids) if i in self._names), default=-1) + 1
        for n_moved in range(min(_MAX_MOVED, len(ids) - start) + 1):
            end = len(ids) - n_moved
            run = ids[start:end]
            if self._tokenizer.encode(self._tokenizer.decode(run)) == run:
                return ids[:end], self._tokenizer.decode_bytes(ids[end:])
        return ids, b""

    def _cut(self, text: str, *, keeps_end: bool) -> str:
        for name in self._names.values():
            if name in text:
                text = text.rpartition(name)[2] if keeps_end else text.partition(name)[0]
        return text
