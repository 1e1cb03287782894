"""Any fast tokenizer, whatever it consists of: Unigram, WordPiece, BPE with or without bytes.

Behaves like :class:`training.artifact.tokenizer.CodeTokenizer` as far as measuring needs it. Such
a tokenizer may change text before it splits it, may lose characters, and may have a token for what
it does not know. Used to compare and to inspect, never to train with.
"""

import json
import re
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from training.artifact.tokenizer import byte_alphabet
from training.artifact.tokenizer_pipeline import MAX_TOKENIZER_BYTES, read_pipeline
from training.foundation.errors import ConfigError
from training.foundation.foreign_text import read_bounded

_BYTE_FALLBACK = re.compile(r"<0x([0-9A-Fa-f]{2})>")
_WORD_START = "\u2581"  # SentencePiece's mark for a space


class Vocabulary(Protocol):
    """What measuring needs of a tokenizer."""

    @property
    def vocab_size(self) -> int:
        """The number of ids, including special tokens."""
        ...

    @property
    def byte_table(self) -> list[bytes]:
        """The text that each token stands for, by id; empty for special tokens."""
        ...

    @property
    def unknown_id(self) -> int | None:
        """The id of what it does not know; None if it knows everything."""
        ...

    def encode(self, text: str) -> list[int]:
        """Returns the ids of ``text``, all of it taken as ordinary text."""
        ...

    def encode_with_starts(self, text: str) -> tuple[list[int], npt.NDArray[np.int64]]:
        """Returns ids, and for each the index of the character in which it begins."""
        ...

    def decode(self, ids: Sequence[int]) -> str:
        """Returns the text of ids."""
        ...


class FastTokenizer:
    """A tokenizer of the library ``tokenizers``, as its file describes it."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.pipeline: dict[str, Any] = json.loads(tokenizer.to_str())
        self.library = tokenizer
        tokenizer.encode_special_tokens = True  # that is, as ordinary text
        tokenizer.no_truncation()
        tokenizer.no_padding()

    @classmethod
    def load(cls, path: Path) -> "FastTokenizer":
        """Reads a ``tokenizer.json``.

        Raises:
            ConfigError: It is none.
        """
        try:
            data = read_bounded(path, MAX_TOKENIZER_BYTES)
            read_pipeline(data)
            return cls(Tokenizer.from_buffer(data))
        except BaseException as error:  # bare Exception, or a panic, which is none
            if isinstance(error, (KeyboardInterrupt, SystemExit)):
                raise
            reason = (str(error).splitlines() or [""])[0][:120]
            raise ConfigError(
                f"{path} is not a tokenizer ({reason}); copy or download it again"
            ) from error

    @property
    def kind(self) -> str:
        """The name of its model: BPE, Unigram, WordPiece or WordLevel."""
        model: dict[str, Any] = self.pipeline["model"]
        return str(model.get("type") or "BPE")

    @property
    def vocab_size(self) -> int:
        """The number of ids, including special tokens."""
        return int(self.library.get_vocab_size(with_added_tokens=True))

    @cached_property
    def unknown_id(self) -> int | None:
        """The id of what it does not know; None if it knows everything."""
        model = self.pipeline["model"]
        if isinstance(model.get("unk_id"), int):
            return int(model["unk_id"])
        token = model.get("unk_token")
        found = None if token is None else self.library.token_to_id(token)
        return None if found is None else int(found)

    def encode(self, text: str) -> list[int]:
        """Returns the ids of ``text``, all of it taken as ordinary text."""
        return list(self.library.encode(text, add_special_tokens=False).ids)

    def encode_with_starts(self, text: str) -> tuple[list[int], npt.NDArray[np.int64]]:
        """Returns ids, and for each the index of the character in which it begins."""
        encoding = self.library.encode(text, add_special_tokens=False)
        starts = np.array([start for start, _ in encoding.offsets], np.int64)
        return list(encoding.ids), np.maximum.accumulate(starts) if len(starts) else starts

    def decode(self, ids: Sequence[int]) -> str:
        """Returns the text of ids, as far as the tokenizer can restore it."""
        return str(self.library.decode(list(ids), skip_special_tokens=True))

    @cached_property
    def byte_table(self) -> list[bytes]:
        """The text that each token stands for, by id; empty for special tokens."""
        names = [self.library.id_to_token(i) for i in range(self.vocab_size)]
        hidden = {*self.special_ids, self.unknown_id}
        return [
            b"" if name is None or i in hidden else self._spell(name, is_added=i in self.added_ids)
            for i, name in enumerate(names)
        ]

    @cached_property
    def special_ids(self) -> frozenset[int]:
        """The ids of added tokens that stand for no text."""
        added = self.library.get_added_tokens_decoder()
        return frozenset(i for i, token in added.items() if token.special)

    @cached_property
    def added_ids(self) -> frozenset[int]:
        """The ids of added tokens that stand for text, such as CodeGen's runs of spaces."""
        return frozenset(self.library.get_added_tokens_decoder()) - self.special_ids

    def _spell(self, name: str, *, is_added: bool) -> bytes:
        if is_added:
            return name.encode("utf-8", errors="replace")
        byte = _BYTE_FALLBACK.fullmatch(name)
        if byte:
            return bytes([int(byte[1], 16)])
        if self.is_byte_level and all(character in _TO_BYTE for character in name):
            return bytes(_TO_BYTE[character] for character in name)
        model = self.pipeline["model"]
        before = model.get("continuing_subword_prefix") or ""
        after = model.get("end_of_word_suffix") or ""
        text = name.removeprefix(before)
        if after and text.endswith(after):
            text = f"{text.removesuffix(after)} "
        return text.replace(_WORD_START, " ").encode("utf-8", errors="replace")

    @property
    def adds_space(self) -> bool:
        """Whether it adds a space before text, so that a first word is like all others."""
        return '"add_prefix_space": true' in json.dumps(self.pipeline["pre_tokenizer"])

    @cached_property
    def is_byte_level(self) -> bool:
        """Whether tokens are spelled with one character for each byte."""
        return '"ByteLevel"' in json.dumps([self.pipeline[k] for k in ("pre_tokenizer", "decoder")])


_TO_BYTE = {character: byte for byte, character in byte_alphabet().items()}
