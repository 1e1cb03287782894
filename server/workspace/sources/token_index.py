"""The workspace's files as one indexed sequence of tokens, each file between two separators."""

import bisect
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from server.memory.suffix_index import SuffixIndex, Tokens, pack_tokens
from server.memory.token_memory import HiddenText, MemoryPart

MAX_TOKENS = 4_000_000  # 24 MB


@dataclass(frozen=True, kw_only=True)
class EncodedFile:
    """A file: its path, and its packed ids (:func:`server.memory.suffix_index.pack_tokens`)."""

    path: str
    tokens: Tokens


@dataclass(frozen=True, kw_only=True)
class TokenIndex:
    """Indexed files.

    Attributes:
        index: Of all their tokens.
        paths: Their paths, as the editor names them.
        starts: For each, its first token; ascending.
        n_left_out: Files that did not fit.
    """

    index: SuffixIndex
    paths: Sequence[str]
    starts: Sequence[int]
    n_left_out: int = 0

    @property
    def n_tokens(self) -> int:
        """How many tokens it has, separators included."""
        return len(self.index)

    def without(self, paths: Collection[str]) -> MemoryPart:
        """Returns it as a part of a memory in which these files do not count."""
        ends = [*self.starts[1:], len(self.index) - 1]
        hidden = [
            HiddenText(self.index, start, end)
            for path, start, end in zip(self.paths, self.starts, ends, strict=True)
            if path in paths
        ]
        return MemoryPart(index=self.index, hidden=hidden)

    def find_path(self, token: int) -> str | None:
        """Returns the path of the file that a token belongs to; None for a separator at the end."""
        at = bisect.bisect_right(self.starts, token) - 1
        return self.paths[at] if at >= 0 and token < len(self.index) - 1 else None


def build_token_index(
    files: Iterable[EncodedFile],
    *,
    separator_id: int,
    vocab_size: int,
    max_tokens: int = MAX_TOKENS,
) -> TokenIndex:
    """Joins files and sorts their suffixes.

    Args:
        files: In the order in which they are taken, as long as they fit.
        separator_id: Stands before each file and at the end, so that no match crosses a border.
        vocab_size: Decides how many bytes an id takes.
        max_tokens: The most that are indexed.
    """
    separator = pack_tokens([separator_id], vocab_size)
    parts: list[Tokens] = []
    paths: list[str] = []
    starts: list[int] = []
    n_tokens = n_left_out = 0
    for file in files:
        size = 1 + len(file.tokens)
        if n_tokens + size >= max_tokens:
            n_left_out += 1
            continue
        parts += [separator, file.tokens]
        paths.append(file.path)
        starts.append(n_tokens)
        n_tokens += size
    tokens = np.concatenate([*parts, separator], dtype=separator.dtype)  # else in native order
    return TokenIndex(
        index=SuffixIndex.build(tokens), paths=paths, starts=starts, n_left_out=n_left_out
    )
