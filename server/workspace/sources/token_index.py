"""The workspace's files as one indexed sequence of tokens, each file between two separators."""

from bisect import bisect_right
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from server.memory.suffix_index import SuffixIndex, Tokens, pack_tokens
from server.memory.token_memory import HiddenText, MemoryPart
from training.artifact.tokenizer import CodeTokenizer

MAX_TOKENS = 4_000_000  # 24 MB


@dataclass(frozen=True, kw_only=True)
class EncodedFile:
    """A file: its path, and its packed ids (:func:`server.memory.suffix_index.pack_tokens`)."""

    path: str
    tokens: Tokens

    @classmethod
    def encode(cls, path: str, text: str, tokenizer: CodeTokenizer) -> "EncodedFile":
        """Returns a file with this text.

        If its last line is unfinished, the last token, which may be half a word, is left out.
        """
        ids = tokenizer.encode(text)
        if not text.endswith("\n"):
            del ids[-1:]
        return cls(path=path, tokens=pack_tokens(ids, tokenizer.vocab_size))


@dataclass(frozen=True, kw_only=True)
class TokenIndex:
    """Indexed files.

    Attributes:
        index: Of all their tokens.
        paths: Their paths, as the editor names them.
        starts: For each, its first token; ascending.
        targets: For each, its own path, with all links followed; empty if that is not known.
        n_left_out: Files that did not fit.
    """

    index: SuffixIndex
    paths: Sequence[str]
    starts: Sequence[int]
    targets: Sequence[str] = ()
    n_left_out: int = 0

    @property
    def n_tokens(self) -> int:
        """How many tokens it has, separators included."""
        return len(self.index)

    @property
    def ends(self) -> Sequence[int]:
        """For each file, the token after its last one."""
        return [*self.starts[1:], len(self.index) - 1] if self.starts else []

    def without(self, paths: Collection[str]) -> MemoryPart:
        """Returns it as a part of a memory in which these files do not count.

        Args:
            paths: As an editor may name them: with or without links.
        """
        rows = zip(self.paths, self.targets or self.paths, self.starts, self.ends, strict=True)
        hidden = [
            HiddenText(self.index, start, end)
            for path, target, start, end in rows
            if path in paths or target in paths
        ]
        return MemoryPart(
            index=self.index,
            separator=int(self.index.tokens[0]) if self.n_tokens else None,
            hidden=hidden,
            find_path=self.path_at,
        )

    def path_at(self, at: int) -> str:
        """Returns the path of the file that a token belongs to."""
        return self.paths[max(0, bisect_right(self.starts, at) - 1)] if self.paths else ""


def build_token_index(
    files: Iterable[EncodedFile], tokenizer: CodeTokenizer, *, max_tokens: int = MAX_TOKENS
) -> TokenIndex:
    """Joins files and sorts their suffixes.

    Args:
        files: In the order in which they are taken, as long as they fit. The id that ends a text
            stands before each one and at the end, so that no match crosses a border.
        tokenizer: The one that encoded them.
        max_tokens: The most that are indexed.
    """
    separator = pack_tokens([tokenizer.end_of_text_id], tokenizer.vocab_size)
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
