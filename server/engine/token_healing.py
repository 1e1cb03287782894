"""Token healing: which tokens may come next while removed text is still owed.

A prefix that ends inside a word or in indentation is tokenised as training never saw it. So the
prompt is backed up over its last tokens and the model must first write their bytes again, in
whatever tokens it finds natural. This module answers, exactly and by bytes, which tokens can: those
that begin with all that is owed, and those that the owed text begins with.

It deliberately knows neither text nor model. Called by the decoder at each step.
"""

import bisect
from collections.abc import Sequence

_MAX_REMEMBERED = 512


class VocabularyIndex:
    """The vocabulary in order of bytes."""

    def __init__(self, byte_table: Sequence[bytes]) -> None:
        pairs = sorted((token, i) for i, token in enumerate(byte_table) if token)
        self._tokens = [token for token, _ in pairs]
        self._ids = [token_id for _, token_id in pairs]
        self._longest = max(map(len, self._tokens), default=0)
        self._remembered: dict[bytes, list[int]] = {}

    def allowed(self, owed: bytes) -> list[int]:
        """Returns the ids that keep the promise to write ``owed``, which must not be empty."""
        if owed not in self._remembered:
            if len(self._remembered) >= _MAX_REMEMBERED:
                self._remembered.clear()
            self._remembered[owed] = sorted(self._beginning_with(owed) + self._beginnings_of(owed))
        return self._remembered[owed]

    def _beginning_with(self, owed: bytes) -> list[int]:
        start = bisect.bisect_left(self._tokens, owed)
        end = start
        while end < len(self._tokens) and self._tokens[end].startswith(owed):
            end += 1
        return self._ids[start:end]

    def _beginnings_of(self, owed: bytes) -> list[int]:
        found = []
        for length in range(1, min(len(owed), self._longest + 1)):
            part = owed[:length]
            at = bisect.bisect_left(self._tokens, part)
            while at < len(self._tokens) and self._tokens[at] == part:
                found.append(self._ids[at])
                at += 1
        return found
