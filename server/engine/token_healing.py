"""Token healing: which tokens may come next while the output has to repeat removed text.

A prefix that ends inside a word or in indentation is tokenised in a way that training never saw.
So the prompt is backed up over its last tokens, and the model must first generate their bytes
again, in whatever tokens it finds natural. This module answers, exactly and by bytes, which tokens
can come next: those that begin with all of the remaining text, and those that the remaining text
begins with.

It deliberately knows neither text nor model. Called by the decoder at each step.
"""

import bisect
from collections.abc import Sequence

_MAX_REMEMBERED = 512


class VocabularyIndex:
    """The vocabulary, sorted by bytes."""

    def __init__(self, byte_table: Sequence[bytes]) -> None:
        pairs = sorted((token, i) for i, token in enumerate(byte_table) if token)
        self._tokens = [token for token, _ in pairs]
        self._ids = [token_id for _, token_id in pairs]
        self._longest = max(map(len, self._tokens), default=0)
        self._remembered: dict[bytes, list[int]] = {}

    def allowed_ids(self, required: bytes) -> list[int]:
        """Returns the ids that may come next if the output must begin with ``required``.

        Args:
            required: At least one byte.
        """
        if required not in self._remembered:
            if len(self._remembered) >= _MAX_REMEMBERED:
                self._remembered.clear()
            ids = self._ids_beginning_with(required) + self._ids_that_begin(required)
            self._remembered[required] = sorted(ids)
        return self._remembered[required]

    def _ids_beginning_with(self, required: bytes) -> list[int]:
        start = bisect.bisect_left(self._tokens, required)
        end = start
        while end < len(self._tokens) and self._tokens[end].startswith(required):
            end += 1
        return self._ids[start:end]

    def _ids_that_begin(self, required: bytes) -> list[int]:
        found = []
        for length in range(1, min(len(required), self._longest + 1)):
            part = required[:length]
            at = bisect.bisect_left(self._tokens, part)
            while at < len(self._tokens) and self._tokens[at] == part:
                found.append(self._ids[at])
                at += 1
        return found
