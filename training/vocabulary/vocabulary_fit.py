"""Measures how well a vocabulary fits a text.

Texts are taken one at a time, and none is kept. Called by ``training.train_tokenizer`` with
held-out documents.
"""

import builtins
import keyword
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from tokenizers import pre_tokenizers

from training.vocabulary.fast_tokenizer import Vocabulary
from training.vocabulary.misspelling import collect_words, measure_misspelling
from training.vocabulary.vocabulary_report import (
    RARE_USES,
    SplitNames,
    SplitPythonNames,
    UnusedTokens,
    VocabularyFit,
)

SHOWN_TOKENS = 32  # of each list


@dataclass(kw_only=True)
class _Counts:
    """Sums over the texts so far; ``uses`` ``[V]`` counts how often each token occurred."""

    uses: npt.NDArray[np.int64]
    documents: int = 0
    bytes: int = 0
    characters: int = 0
    words: int = 0
    continued_words: int = 0
    tokens: int = 0
    unknown_tokens: int = 0
    unknown_words: int = 0
    restored_documents: int = 0
    words_seen: dict[str, None] = field(default_factory=dict)


def measure_vocabulary(tokenizer: Vocabulary, texts: Iterable[str]) -> VocabularyFit:
    """Returns how a vocabulary encodes ``texts``, and what it contains."""
    table = tokenizer.byte_table
    counts = _count(tokenizer, texts)
    n_tokens, n_words = max(1, counts.tokens), max(1, counts.words)
    unused = [i for i, b in enumerate(table) if b and not counts.uses[i]]
    rare = [i for i, b in enumerate(table) if b and 0 < counts.uses[i] < RARE_USES]
    learned = [i for i, b in enumerate(table) if len(b) > 1]  # ids follow the merges
    longest = sorted(learned, key=lambda i: -len(table[i]))
    return VocabularyFit(
        vocab_size=tokenizer.vocab_size,
        special_tokens=sum(not b for b in table),
        documents=counts.documents,
        bytes=counts.bytes,
        characters=counts.characters,
        words=counts.words,
        continued_words=counts.continued_words,
        tokens=counts.tokens,
        bytes_per_token=counts.bytes / n_tokens,
        characters_per_token=counts.characters / n_tokens,
        tokens_per_word=counts.tokens / n_words,
        continued_word_share=counts.continued_words / n_words,
        unknown_tokens=counts.unknown_tokens,
        unknown_word_share=counts.unknown_words / n_words,
        restored_documents=counts.restored_documents,
        misspelling=measure_misspelling(tokenizer, list(counts.words_seen)),
        rare=UnusedTokens(count=len(rare), examples=_spell(table, _sample_evenly(rare))),
        unused=UnusedTokens(count=len(unused), examples=_spell(table, _sample_evenly(unused))),
        not_one_token=SplitPythonNames(
            keywords=_find_split_names(tokenizer, [*keyword.kwlist, *keyword.softkwlist]),
            builtins=_find_split_names(tokenizer, _list_builtins()),
        ),
        first=_spell(table, learned[:SHOWN_TOKENS]),
        last=_spell(table, learned[-SHOWN_TOKENS:]),
        longest=_spell(table, longest[:SHOWN_TOKENS]),
        white_space=_group_white_space(table),
    )


def make_word_splitter() -> pre_tokenizers.ByteLevel:
    """Returns GPT-2's pre-tokenizer."""
    return pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)


def _count(tokenizer: Vocabulary, texts: Iterable[str]) -> _Counts:
    """Adds up the texts; a token belongs to the word in which it begins, whatever its piece is."""
    counts = _Counts(uses=np.zeros(tokenizer.vocab_size, dtype=np.int64))
    splitter = make_word_splitter()
    for text in texts:
        ids, starts = tokenizer.encode_with_starts(text)
        words = splitter.pre_tokenize_str(text)
        word_ends = np.array([end for _, (_, end) in words], dtype=np.int64)
        up_to_word = np.searchsorted(starts, word_ends, side="left")  # tokens started by then
        in_word = np.diff(up_to_word, prepend=0)
        unknown = np.array([i == tokenizer.unknown_id for i in ids], dtype=bool)
        counts.uses += np.bincount(np.array(ids, dtype=np.int64), minlength=tokenizer.vocab_size)
        counts.documents += 1
        counts.bytes += len(text.encode())
        counts.characters += len(text)
        counts.words += len(words)
        counts.continued_words += int((in_word > 1).sum())
        counts.tokens += len(ids)
        counts.unknown_tokens += int(unknown.sum())
        counts.unknown_words += len(np.unique(np.searchsorted(word_ends, starts[unknown], "right")))
        counts.restored_documents += tokenizer.decode(ids) == text
        collect_words(counts.words_seen, text)
    return counts


def _list_builtins() -> list[str]:
    """Lists this Python's builtins that are not also keywords."""
    return [n for n in dir(builtins) if not n.startswith("_") and not keyword.iskeyword(n)]


def _find_split_names(tokenizer: Vocabulary, names: Sequence[str]) -> SplitNames:
    return SplitNames(
        without_space=tuple(n for n in names if len(tokenizer.encode(n)) != 1),
        with_space=tuple(n for n in names if len(tokenizer.encode(f" {n}")) != 1),
    )


def _group_white_space(table: Sequence[bytes]) -> dict[str, tuple[str, ...]]:
    found: dict[int, list[str]] = {}
    for token in table:
        if token.isspace():
            found.setdefault(len(token), []).append(token.decode())
    return {str(length): tuple(sorted(found[length])) for length in sorted(found)}


def _sample_evenly(ids: Sequence[int]) -> list[int]:
    n = min(SHOWN_TOKENS, len(ids))
    return [ids[i * len(ids) // n] for i in range(n)]


def _spell(table: Sequence[bytes], ids: Sequence[int]) -> tuple[str, ...]:
    """Spells tokens as text; bytes that are not UTF-8 by themselves as hexadecimal escapes."""
    return tuple(table[i].decode("utf-8", errors="backslashreplace") for i in ids)
