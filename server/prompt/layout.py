"""Lays a window out as a prompt: encodes it, and backs up over the last tokens for healing.

The layout is the artifact's own (:mod:`training.artifact.fim`). The prefix is encoded in segments,
split where the tokenizer always splits: the ids are those of encoding it as a whole, but a
keystroke only encodes its own line.
"""

import re
from collections import OrderedDict
from collections.abc import Sequence
from itertools import takewhile

from server.engine.generation_request import Prompt
from server.prompt.window import Window
from training.artifact.directory import Artifact
from training.foundation.errors import ArtifactError

# GPT-2's pattern never joins a visible character and the line end after it.
_SEGMENT_END = re.compile(r"(?<=[!-~])(?=\n)")
# What the pattern could still extend: the whitespace, word, number or signs at the very end.
_OPEN_END = re.compile(r"(?:\s+| ?(?:[^\W\d_]+|\d+|(?:[^\s\w]|_)+))\Z")
_OPEN_END_CHARS = 64
_MAX_REMEMBERED = 8192
_MIN_WINDOW_TOKENS = 12  # with less, the model could not see a line
_CUT_TOKENS = 64  # the step in which a prefix that is still too long loses its beginning


class PromptBuilder:
    """Builds prompts for one artifact; remembers the ids of unchanged lines."""

    def __init__(self, artifact: Artifact, *, heal_tokens: int) -> None:
        self._tokenizer = artifact.tokenizer
        self._fim = artifact.fim
        self._start = artifact.start_ids
        self._heal_tokens = heal_tokens
        self._remembered: OrderedDict[str, list[int]] = OrderedDict()

    @property
    def overhead_tokens(self) -> int:
        """The most tokens that a layout adds to prefix and suffix."""
        return len(self._start) if self._fim is None else self._fim.overhead_tokens

    def measure_room(self, context_tokens: int, max_new_tokens: int) -> int:
        """Returns how many tokens a window may have, with room for new ones after it.

        Raises:
            ArtifactError: There are next to none.
        """
        room = context_tokens - max_new_tokens - self._heal_tokens - self.overhead_tokens
        if room < _MIN_WINDOW_TOKENS:
            raise ArtifactError(
                f"the model's context of {context_tokens} tokens leaves no room for"
                f" {max_new_tokens} new tokens; request fewer or use a model with a longer context"
            )
        return room

    def count_tokens(self, text: str) -> int:
        """Returns how many tokens ``text`` has by itself."""
        return len(self._segment(text))

    def build(self, window: Window, *, max_tokens: int, lookup_texts: Sequence[str] = ()) -> Prompt:
        """Returns the prompt for a window.

        Args:
            window: What the model is to see.
            max_tokens: The length of the prompt, at most.
            lookup_texts: Other texts that the output may repeat, the likeliest first.
        """
        head = self._head(window.suffix, max_tokens)
        prefix = self.encode(window.context + window.prefix)
        n_context = len(self.encode(window.context)) if window.context else 0
        excess = len(head) + len(prefix) - max_tokens
        if excess > 0:
            n_cut = -(-excess // _CUT_TOKENS) * _CUT_TOKENS
            prefix, n_context = prefix[n_cut:], max(0, n_context - n_cut)
        n_open = self._open_tokens(window.prefix, prefix)
        removed = prefix[len(prefix) - n_open :]
        return Prompt(
            ids=head + prefix[: len(prefix) - n_open],
            required_bytes=b"".join(map(self._tokenizer.token_bytes, removed)),
            lookup_ids=[self.encode(text) for text in lookup_texts if text],
            n_head=len(head),
            n_context=n_context,
        )

    def build_with_target(
        self, window: Window, target: str, *, max_tokens: int
    ) -> tuple[list[int], int]:
        """Returns a window's ids followed by those of a known text, and how many come before it.

        Where the end of the window and the beginning of the text share a token, it counts as the
        text's.
        """
        head = self._head(window.suffix, max_tokens)
        before = window.context + window.prefix
        prefix, whole = self.encode(before), self.encode(before + target)
        n_same = sum(
            1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(prefix, whole, strict=False))
        )
        excess = max(0, min(n_same - 1, len(head) + len(whole) - max_tokens))
        return head + whole[excess:], len(head) + n_same - excess

    def encode(self, text: str) -> list[int]:
        """Returns the ids of ``text``, the same as encoding it as a whole."""
        return [i for segment in _SEGMENT_END.split(text) for i in self._segment(segment)]

    def _head(self, suffix: str, max_tokens: int) -> list[int]:
        """Returns what precedes the prefix; a long suffix is cut to leave half of the prompt."""
        if self._fim is None or not suffix.strip():
            return list(self._start)
        n_suffix = max(0, max_tokens // 2 - self.overhead_tokens)
        return self._fim.spm_head(self.encode(suffix)[:n_suffix])

    def _open_tokens(self, prefix: str, ids: list[int]) -> int:
        """Returns how many of the last ids could still change with the next characters."""
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
