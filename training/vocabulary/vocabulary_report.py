"""How well a vocabulary fits: the figures of ``tokenizer-report.json``.

``training.train_tokenizer`` calls it on held-out packages, for its own vocabulary and, if
``tokenizer.compare_with`` names one, for another byte-level vocabulary such as GPT-2's. Nothing is
ever downloaded. Texts are taken one at a time and none is kept.

A *word* is a piece of GPT-2's pre-tokenizer (a run of letters, of digits, of signs or of white
space, with the space before it), so that vocabularies with other pieces compare.
"""

import builtins
import keyword
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from training.artifact.special_tokens import END_OF_TEXT
from training.artifact.tokenizer import CodeTokenizer
from training.foundation.errors import ConfigError

TOKENIZER_FILE = "tokenizer.json"
GPT2_FILES = (("vocab.json", "merges.txt"), ("encoder.json", "vocab.bpe"))  # as GPT-2 comes
SHOWN_TOKENS = 32  # of each list


@dataclass(kw_only=True)
class Counts:
    """Sums over the texts so far; ``uses`` ``[V]`` has how often each token came up."""

    uses: npt.NDArray[np.int64]
    sums: dict[str, int] = field(
        default_factory=lambda: dict.fromkeys(
            ("documents", "bytes", "characters", "words", "continued_words", "tokens"), 0
        )
    )


def measure(tokenizer: CodeTokenizer, texts: Iterable[str]) -> dict[str, Any]:
    """Returns how a vocabulary packs ``texts``, and what is in it.

    ``tokens_per_word`` is its fertility; ``continued_word_share`` the share of words that are more
    than one token; ``unused`` the tokens that none of the texts needed.
    """
    table = tokenizer.byte_table
    counts = _count(tokenizer, texts)
    sums = counts.sums
    tokens = max(1, sums["tokens"])
    unused = [i for i, b in enumerate(table) if b and not counts.uses[i]]
    return {
        "vocab_size": tokenizer.vocab_size,
        "special_tokens": sum(not b for b in table),
        **sums,
        "bytes_per_token": sums["bytes"] / tokens,
        "characters_per_token": sums["characters"] / tokens,
        "tokens_per_word": sums["tokens"] / max(1, sums["words"]),
        "continued_word_share": sums["continued_words"] / max(1, sums["words"]),
        "unused": {"count": len(unused), "examples": _spell(table, _spread(unused))},
        "not_one_token": {
            "keywords": _not_one_token(tokenizer, [*keyword.kwlist, *keyword.softkwlist]),
            "builtins": _not_one_token(tokenizer, _builtin_names()),
        },
        **_extremes(table),
        "white_space": _white_space(table),
    }


def load_compared(path: Path) -> CodeTokenizer:
    """Reads the vocabulary to compare with: a ``tokenizer.json``, or a folder that holds one.

    A folder may also hold GPT-2's own two files.

    Raises:
        ConfigError: There is none, or it is not byte-level.
        ArtifactError: The file is not a tokenizer.
    """
    tokenizer = _load(path)
    try:
        _ = tokenizer.byte_table
    except KeyError as error:
        raise ConfigError(
            f"tokenizer.compare_with: {path} is not a byte-level vocabulary (it spells {error});"
            " name one such as GPT-2's, or remove the key"
        ) from error
    return tokenizer


def _load(path: Path) -> CodeTokenizer:
    if path.is_file() or (path / TOKENIZER_FILE).is_file():
        return CodeTokenizer.load(path if path.is_file() else path / TOKENIZER_FILE)
    for vocab, merges in GPT2_FILES:
        if (path / vocab).is_file() and (path / merges).is_file():
            return _gpt2(path / vocab, path / merges)
    raise ConfigError(
        f"tokenizer.compare_with: {path} holds no {TOKENIZER_FILE}; put GPT-2's there, or"
        " remove the key"
    )


def _gpt2(vocab: Path, merges: Path) -> CodeTokenizer:
    try:
        model = models.BPE.from_file(str(vocab), str(merges))
    except Exception as error:  # tokenizers raises bare Exception for any malformed file
        reason = str(error).splitlines()[0][:120]
        raise ConfigError(
            f"tokenizer.compare_with: {vocab} and {merges.name} are not a vocabulary ({reason});"
            " copy them again"
        ) from error
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = _word_splitter()
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([END_OF_TEXT])
    return CodeTokenizer(tokenizer)


def _word_splitter() -> pre_tokenizers.ByteLevel:
    return pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)


def _count(tokenizer: CodeTokenizer, texts: Iterable[str]) -> Counts:
    """Adds the texts up.

    Tokens and words are laid side by side by their first bytes, which every byte-level vocabulary
    has, whatever its own pieces are.
    """
    token_bytes = np.array([len(b) for b in tokenizer.byte_table], dtype=np.int64)  # [V]
    counts = Counts(uses=np.zeros(tokenizer.vocab_size, dtype=np.int64))
    splitter = _word_splitter()
    for text in texts:
        ids = np.array(tokenizer.encode(text), dtype=np.int64)
        words = splitter.pre_tokenize_str(text)  # spelled with one character a byte
        word_ends = np.cumsum([len(word) for word, _ in words], dtype=np.int64)
        token_starts = np.cumsum(token_bytes[ids]) - token_bytes[ids]
        up_to_word = np.searchsorted(token_starts, word_ends, side="left")  # tokens begun by then
        in_word = np.diff(up_to_word, prepend=0)
        counts.uses += np.bincount(ids, minlength=tokenizer.vocab_size)
        counts.sums["documents"] += 1
        counts.sums["bytes"] += len(text.encode())
        counts.sums["characters"] += len(text)
        counts.sums["words"] += len(words)
        counts.sums["continued_words"] += int((in_word > 1).sum())
        counts.sums["tokens"] += len(ids)
    return counts


def _builtin_names() -> list[str]:
    """Lists this Python's builtins that are not keywords as well."""
    return [n for n in dir(builtins) if not n.startswith("_") and not keyword.iskeyword(n)]


def _not_one_token(tokenizer: CodeTokenizer, names: Sequence[str]) -> dict[str, list[str]]:
    return {
        "without_space": [n for n in names if len(tokenizer.encode(n)) != 1],
        "with_space": [n for n in names if len(tokenizer.encode(f" {n}")) != 1],
    }


def _extremes(table: Sequence[bytes]) -> dict[str, list[str]]:
    """Shows the first and last learned tokens (ids follow the merges) and the longest."""
    learned = [i for i, b in enumerate(table) if len(b) > 1]
    longest = sorted(learned, key=lambda i: -len(table[i]))
    return {
        "first": _spell(table, learned[:SHOWN_TOKENS]),
        "last": _spell(table, learned[-SHOWN_TOKENS:]),
        "longest": _spell(table, longest[:SHOWN_TOKENS]),
    }


def _white_space(table: Sequence[bytes]) -> dict[str, list[str]]:
    """Lists the tokens of nothing but white space, by their length in bytes."""
    found: dict[int, list[str]] = {}
    for token in table:
        if token.isspace():
            found.setdefault(len(token), []).append(token.decode())
    return {str(length): sorted(found[length]) for length in sorted(found)}


def _spread(ids: Sequence[int]) -> list[int]:
    """Takes some of ``ids`` from all along their length."""
    n = min(SHOWN_TOKENS, len(ids))
    return [ids[i * len(ids) // n] for i in range(n)]


def _spell(table: Sequence[bytes], ids: Sequence[int]) -> list[str]:
    """Spells tokens as text; bytes that are no UTF-8 by themselves as hexadecimal escapes."""
    return [table[i].decode("utf-8", errors="backslashreplace") for i in ids]
