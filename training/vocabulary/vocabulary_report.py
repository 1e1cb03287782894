"""The tokenizer report, ``tokenizer-report.json``: how well a vocabulary fits held-out text.

Field names are the keys of the JSON; this module alone writes it. Used by
``training.train_tokenizer``, which measures, and :mod:`training.vocabulary.vocabulary_page`, which
renders the page.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.foundation.atomic_files import write_json_atomically
from training.foundation.config_schema import to_mapping

RARE_USES = 10  # a token used less often is rare


@dataclass(frozen=True, kw_only=True)
class UnusedTokens:
    """Tokens that the text did not need, or hardly: how many, and a few of them."""

    count: int
    examples: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class MisspellingFit:
    """What swapping two letters does to words of the text.

    Attributes:
        words: Different words of four letters or more, each with a space before it.
        tokens_per_word: Their tokens as they are.
        tokens_per_misspelt_word: Their tokens with two adjacent letters swapped.
        unknown_share: The misspelt words with a token for the unknown.
    """

    words: int
    tokens_per_word: float
    tokens_per_misspelt_word: float
    unknown_share: float


@dataclass(frozen=True, kw_only=True)
class SplitNames:
    """The names that take several tokens, without and with a space before them."""

    without_space: tuple[str, ...]
    with_space: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class SplitPythonNames:
    """The keywords and builtins that take several tokens."""

    keywords: SplitNames
    builtins: SplitNames


@dataclass(frozen=True, kw_only=True)
class VocabularyFit:
    """How a vocabulary encodes a text.

    A *word* is a piece of GPT-2's pre-tokenizer: a run of letters, digits, signs or white space,
    with the space before it. So vocabularies with other pieces compare.

    Attributes:
        vocab_size: Tokens in the vocabulary.
        special_tokens: Those of them that stand for no text.
        documents: Texts measured.
        bytes: Their size in UTF-8.
        characters: Their characters.
        words: Their words.
        continued_words: Words of more than one token.
        tokens: Their tokens.
        bytes_per_token: ``bytes`` over ``tokens``.
        characters_per_token: ``characters`` over ``tokens``.
        tokens_per_word: The fertility.
        continued_word_share: ``continued_words`` over ``words``.
        unknown_tokens: Tokens that stand for something unknown.
        unknown_word_share: Words with such a token, over ``words``.
        restored_documents: Texts that decoding gives back exactly.
        misspelling: What swapped letters do to words.
        unused: The tokens that the text did not need.
        rare: The tokens that it needed fewer than ``RARE_USES`` times.
        not_one_token: The keywords and builtins that take several tokens.
        first: The first tokens learned.
        last: The last tokens learned.
        longest: The longest tokens.
        white_space: The tokens of white space by their length in bytes.
    """

    vocab_size: int
    special_tokens: int
    documents: int
    bytes: int
    characters: int
    words: int
    continued_words: int
    tokens: int
    bytes_per_token: float
    characters_per_token: float
    tokens_per_word: float
    continued_word_share: float
    unknown_tokens: int
    unknown_word_share: float
    restored_documents: int
    misspelling: MisspellingFit
    unused: UnusedTokens
    rare: UnusedTokens
    not_one_token: SplitPythonNames
    first: tuple[str, ...]
    last: tuple[str, ...]
    longest: tuple[str, ...]
    white_space: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, kw_only=True)
class ComparedVocabulary:
    """Another vocabulary, measured on the same text."""

    path: str
    fit: VocabularyFit


@dataclass(frozen=True, kw_only=True)
class VocabularyReport:
    """The whole report; ``compared`` are those of ``tokenizer.compare_with``."""

    fit: VocabularyFit
    compared: tuple[ComparedVocabulary, ...]
    corpus_sha256: str
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """Returns the report as it is written."""
        compared = [{"with": c.path, "fit": to_mapping(c.fit)} for c in self.compared]
        return {
            "heldout_bytes": self.fit.bytes,
            "heldout_bytes_per_token": self.fit.bytes_per_token,
            "heldout_characters_per_token": self.fit.characters_per_token,
            "fit": to_mapping(self.fit),
            "compared": compared,
            "vocab_size": self.fit.vocab_size,
            "corpus_sha256": self.corpus_sha256,
            "seconds": self.seconds,
        }


def write_vocabulary_report(path: Path, report: VocabularyReport) -> None:
    """Writes the report to a JSON file."""
    write_json_atomically(path, report.to_json())
