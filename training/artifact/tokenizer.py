"""The tokenizer: text to ids and back, and the bytes of each token.

A thin wrapper around ``tokenizers``, which reads the artifact's ``tokenizer.json``. It adds what
the library does not offer: ordinary text never becomes a special token (``<|endoftext|>`` in a
source file stays text), and the exact bytes of every token, which token healing needs. The
vocabulary is trained by ``training.train_tokenizer``.
"""

import hashlib
import json
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from training.artifact.manifest import COPY_AGAIN, check_pointer
from training.artifact.special_tokens import END_OF_TEXT
from training.artifact.tokenizer_pipeline import (
    MAX_TOKENIZER_BYTES,
    find_pipeline_fault,
    read_pipeline,
)
from training.artifact.word_cache import WordCache
from training.foundation.errors import ArtifactError
from training.foundation.foreign_text import read_bounded


class CodeTokenizer:
    """A byte-level BPE tokenizer whose ``encode`` never yields special tokens."""

    unknown_id: int | None = None  # every text is bytes, and every byte has a token

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._tokenizer.encode_special_tokens = True  # that is, as ordinary text
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()

    @classmethod
    def load(cls, path: Path, *, is_ours: bool = True) -> "CodeTokenizer":
        """Reads a ``tokenizer.json``.

        Args:
            path: The file.
            is_ours: Accept only tokenizers like ours, which are safe with any text and fit the
                network; otherwise, any byte-level one to compare with.

        Raises:
            ArtifactError: The file is missing, or is not such a tokenizer.
        """
        if not path.is_file():
            raise ArtifactError(f"{path} is missing; {COPY_AGAIN}")
        check_pointer(path)
        try:
            data = read_bounded(path, MAX_TOKENIZER_BYTES)
            pipeline = read_pipeline(data)
            found = cls(Tokenizer.from_buffer(data))
        except OSError as error:
            raise ArtifactError(f"{path} cannot be read ({error.strerror})") from error
        except BaseException as error:  # bare Exception, or a panic, which is none
            if isinstance(error, (KeyboardInterrupt, SystemExit)):
                raise
            reason = (str(error).splitlines() or [""])[0][:120]
            raise ArtifactError(f"{path} is not a tokenizer ({reason}); {COPY_AGAIN}") from error
        fault = (find_pipeline_fault(pipeline) or found.find_byte_fault()) if is_ours else None
        if fault is not None:
            raise ArtifactError(f"{path} is not a tokenizer of this project: {fault}; {COPY_AGAIN}")
        return found

    def find_byte_fault(self) -> str | None:
        """Returns a clause on a byte without a token, or a token that is not bytes; or None."""
        try:
            spelled = set(self.byte_table)
        except KeyError as error:
            return f"it has a token with the character {error}, which stands for no byte"
        missing = [byte for byte in range(256) if bytes([byte]) not in spelled]
        return f"it lacks the byte {missing[0]}" if missing else None

    @property
    def vocab_size(self) -> int:
        """The number of ids, including special tokens."""
        return int(self._tokenizer.get_vocab_size(with_added_tokens=True))

    @property
    def sha256(self) -> str:
        """A hash over vocabulary, merges and pipeline; independent of the file's formatting."""
        return hashlib.sha256(self._tokenizer.to_str().encode()).hexdigest()

    @cached_property
    def end_of_text_id(self) -> int:
        """The id that begins each piece of training text and ends each document."""
        return self.special_id(END_OF_TEXT)

    def special_id(self, token: str) -> int:
        """Returns the id of a special token.

        Raises:
            ArtifactError: This vocabulary has no such token.
        """
        token_id = self._tokenizer.token_to_id(token)
        if token_id is None:
            raise ArtifactError(f"the tokenizer has no token {token}; train it with this project")
        return int(token_id)

    def has_special(self, token: str) -> bool:
        """Says whether the vocabulary has this token."""
        return self._tokenizer.token_to_id(token) is not None

    def encode(self, text: str) -> list[int]:
        """Returns the ids of ``text``, all of it taken as ordinary text."""
        return list(self._tokenizer.encode(text, add_special_tokens=False).ids)

    def encode_with_starts(self, text: str) -> tuple[list[int], npt.NDArray[np.int64]]:
        """Returns ids, and for each the index of the character in which it begins."""
        ids = self._word_cache.encode(text) if self._word_cache else self.encode(text)
        lengths = self._byte_lengths[ids]
        starts = np.cumsum(lengths) - lengths  # in bytes
        if not text.isascii():
            data = np.frombuffer(text.encode(), np.uint8)
            first_of_character = (data & 0xC0) != 0x80  # noqa: PLR2004 - a UTF-8 continuation byte
            starts = (np.cumsum(first_of_character) - 1)[starts]
        return ids, starts

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        """Encodes many texts in parallel."""
        encodings = self._tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
        return [list(e.ids) for e in encodings]

    def decode(self, ids: Sequence[int]) -> str:
        """Returns the text of ``ids`` without special tokens; invalid UTF-8 becomes U+FFFD."""
        return self.decode_bytes(ids).decode("utf-8", errors="replace")

    def decode_bytes(self, ids: Sequence[int]) -> bytes:
        """Returns the exact bytes of ``ids`` without special tokens."""
        table = self.byte_table
        return b"".join(table[i] for i in ids)

    def token_bytes(self, token_id: int) -> bytes:
        """Returns the bytes of one token: empty for special tokens."""
        return self.byte_table[token_id]

    @cached_property
    def _word_cache(self) -> WordCache | None:
        """A faster path for whole documents, or None if the pipeline is not GPT-2's."""
        pipeline = json.loads(self._tokenizer.to_str())
        before = pipeline["pre_tokenizer"] or {}
        is_gpt2s = before.get("type") == "ByteLevel" and before.get("use_regex")
        if not is_gpt2s or before.get("add_prefix_space") or pipeline["normalizer"] is not None:
            return None
        return WordCache(self.encode_batch)

    @cached_property
    def _byte_lengths(self) -> npt.NDArray[np.int64]:
        return np.array([len(token) for token in self.byte_table], np.int64)

    @cached_property
    def byte_table(self) -> list[bytes]:
        """The bytes of every token, by id."""
        to_byte = {character: byte for byte, character in byte_alphabet().items()}
        special = self._tokenizer.get_added_tokens_decoder()
        table = []
        for token_id in range(self.vocab_size):
            token = self._tokenizer.id_to_token(token_id)
            if token is None or token_id in special:
                table.append(b"")
            else:
                table.append(bytes(to_byte[character] for character in token))
        return table

    def save(self, path: Path) -> None:
        """Writes ``tokenizer.json``."""
        self._tokenizer.encode_special_tokens = False  # as other programs expect in the file
        try:
            path.write_text(self._tokenizer.to_str(pretty=True), encoding="utf-8", newline="")
        finally:
            self._tokenizer.encode_special_tokens = True


def byte_alphabet() -> dict[int, str]:
    """Returns the printable character that represents each byte in a byte-level vocabulary.

    Source: Radford et al. 2019, GPT-2: printable Latin-1 bytes represent themselves, the others
    are mapped to U+0100 and above, in order.
    """
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    moved = (byte for byte in range(256) if byte not in printable)
    alphabet = {byte: chr(0x100 + i) for i, byte in enumerate(moved)}
    return alphabet | {byte: chr(byte) for byte in printable}
