"""Text to prompt: encodes a window, backs up to heal the cursor's token, lays out the ids.

The layouts are the artifact's own (:mod:`training.artifact.fim`). The prefix is encoded in segments
at places where the tokenizer always splits, which gives the ids of encoding it whole, but a
keystroke encodes its own line only. No model, no choice of what to show.
"""

import re
from collections import OrderedDict
from dataclasses import dataclass

from server.prompt.window import Window
from training.artifact.directory import Artifact

# The pattern of GPT-2 never joins a visible character and the line end behind it.
_SEGMENT_END = re.compile(r"(?<=[!-~])(?=\n)")
# What that pattern would still extend: the white space, word, number or signs at the very end.
_OPEN_END = re.compile(r"(?:\s+| ?(?:[^\W\d_]+|\d+|(?:[^\s\w]|_)+))\Z")
_OPEN_END_CHARS = 64
_MAX_REMEMBERED = 8192
_CUT_TOKENS = 64  # a prefix that is too long in spite of all loses its head in such steps


@dataclass(frozen=True, kw_only=True)
class Prompt:
    """Ids for the decoder, and the bytes it must write first."""

    ids: list[int]
    owed: bytes
    is_infilling: bool


class PromptBuilder:
    """Lays out prompts for one artifact; remembers the ids of unchanged lines."""

    def __init__(self, artifact: Artifact, *, heal_tokens: int) -> None:
        self._tokenizer = artifact.tokenizer
        self._fim = artifact.fim
        self._start = artifact.start_ids
        self._heal_tokens = heal_tokens
        self._remembered: OrderedDict[str, list[int]] = OrderedDict()

    @property
    def overhead_tokens(self) -> int:
        """What a layout adds to prefix and suffix, at the most."""
        return len(self._start) if self._fim is None else self._fim.overhead_tokens

    def count(self, text: str) -> int:
        """Returns how many tokens ``text`` has by itself."""
        return len(self._segment(text))

    def build(self, window: Window, *, max_tokens: int) -> Prompt:
        """Returns the prompt for a window, ``max_tokens`` long at the most."""
        head = self._head(window.suffix, max_tokens)
        prefix = self.encode(window.context + window.prefix)
        excess = len(head) + len(prefix) - max_tokens
        if excess > 0:
            prefix = prefix[-(-excess // _CUT_TOKENS) * _CUT_TOKENS :]
        n_open = self._open_tokens(window.prefix, prefix)
        owed = b"".join(map(self._tokenizer.token_bytes, prefix[len(prefix) - n_open :]))
        ids = head + prefix[: len(prefix) - n_open]
        return Prompt(ids=ids, owed=owed, is_infilling=len(head) > len(self._start))

    def encode(self, text: str) -> list[int]:
        """Returns the ids of ``text``, as encoding it whole would."""
        return [i for segment in _SEGMENT_END.split(text) for i in self._segment(segment)]

    def _head(self, suffix: str, max_tokens: int) -> list[int]:
        """What stands before the prefix; the suffix loses its far end to leave half the room."""
        if self._fim is None or not suffix.strip():
            return list(self._start)
        n_suffix = max(0, max_tokens // 2 - self.overhead_tokens)
        return self._fim.spm_head(self.encode(suffix)[:n_suffix])

    def _open_tokens(self, prefix: str, ids: list[int]) -> int:
        """Returns how many of the last ids the next characters could still change."""
        match = _OPEN_END.search(prefix[-_OPEN_END_CHARS:])
        open_bytes = len(match.group().encode()) if match else 1 if prefix else 0
        n_open = 0
        while open_bytes > 0 and n_open < min(self._heal_tokens, len(ids)):
            n_open += 1
            open_bytes -= len(self._tokenizer.token_bytes(ids[-n_open]))
        return n_open

    def _segment(self, text: str) -> list[int]:
        ids = self._remembered.get(text)
        if ids is None:
            ids = self._tokenizer.encode(text)
            self._remembered[text] = ids
            if len(self._remembered) > _MAX_REMEMBERED:
                self._remembered.popitem(last=False)
        else:
            self._remembered.move_to_end(text)
        return ids
