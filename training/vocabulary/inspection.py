"""What a tokenizer does to a text, stage by stage: normalise, split, tokenise, post-process.

Pure functions over any fast tokenizer; how it is shown is up to
:mod:`training.vocabulary.inspection_text`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from training.artifact.tokenizer import byte_alphabet
from training.vocabulary.fast_tokenizer import FastTokenizer
from training.vocabulary.vocabulary_fit import measure_vocabulary
from training.vocabulary.vocabulary_report import VocabularyFit

NAMED_BYTES = {0x09: "tab", 0x0A: "line feed", 0x0D: "carriage return", 0x20: "space"}


@dataclass(frozen=True, kw_only=True)
class PreToken:
    """A piece that tokens never cross; ``start`` and ``end`` are characters of the text."""

    text: str
    start: int
    end: int


@dataclass(frozen=True, kw_only=True)
class InspectedToken:
    """A token: its spelling in the vocabulary, its id, and the characters it stands for."""

    spelling: str
    token_id: int
    start: int
    end: int
    is_unknown: bool


@dataclass(frozen=True, kw_only=True)
class ByteCharacter:
    """The character that stands for a byte in a byte-level vocabulary."""

    byte: int
    character: str

    @property
    def name(self) -> str:
        """The byte, for people."""
        is_ascii = self.byte < 0x80  # noqa: PLR2004
        return NAMED_BYTES.get(self.byte) or (repr(chr(self.byte)) if is_ascii else "")


@dataclass(frozen=True, kw_only=True)
class Inspection:
    """One tokenizer and one text.

    Attributes:
        name: The tokenizer.
        kind: Its model.
        vocab_size: Its tokens.
        special_tokens: How many of them stand for no text.
        normalizer: What it does to text first; "" for nothing.
        normalized: The text after that.
        splitter: What splits the text; "" for nothing.
        pre_tokens: The pieces.
        tokens: The tokens.
        alphabet: Bytes and their characters, if the vocabulary is byte-level.
        post_processor: What is added around the tokens; "" for nothing.
        final_ids: The ids after that.
        decoded: The text of the tokens.
        fit: Figures on the text.
    """

    name: str
    kind: str
    vocab_size: int
    special_tokens: int
    normalizer: str
    normalized: str
    splitter: str
    pre_tokens: tuple[PreToken, ...]
    tokens: tuple[InspectedToken, ...]
    alphabet: tuple[ByteCharacter, ...]
    post_processor: str
    final_ids: tuple[int, ...]
    decoded: str
    fit: VocabularyFit


def inspect_text(name: str, tokenizer: FastTokenizer, text: str, *, whole: bool) -> Inspection:
    """Returns what a tokenizer does to ``text``.

    Args:
        name: How the tokenizer is called.
        tokenizer: The tokenizer.
        text: Any text.
        whole: Whether the table of bytes has all 256, or those of the text alone.
    """
    library, pipeline = tokenizer.library, tokenizer.pipeline
    normalizer, splitter = library.normalizer, library.pre_tokenizer
    normalized = text if normalizer is None else normalizer.normalize_str(text)
    pieces = [(normalized, (0, len(normalized)))]
    if splitter is not None:
        pieces = splitter.pre_tokenize_str(normalized)
    encoding = library.encode(text, add_special_tokens=False)
    found = zip(encoding.tokens, encoding.ids, encoding.offsets, strict=True)
    bytes_shown = range(256) if whole else sorted(set(normalized.encode()))
    alphabet = byte_alphabet() if tokenizer.is_byte_level else {}
    return Inspection(
        name=name,
        kind=tokenizer.kind,
        vocab_size=tokenizer.vocab_size,
        special_tokens=len(tokenizer.special_ids),
        normalizer=describe_stage(pipeline["normalizer"]),
        normalized=normalized,
        splitter=describe_stage(pipeline["pre_tokenizer"]),
        pre_tokens=tuple(PreToken(text=t, start=s, end=e) for t, (s, e) in pieces),
        tokens=tuple(
            InspectedToken(
                spelling=spelling,
                token_id=token_id,
                start=start,
                end=end,
                is_unknown=token_id == tokenizer.unknown_id,
            )
            for spelling, token_id, (start, end) in found
        ),
        alphabet=tuple(
            ByteCharacter(byte=byte, character=alphabet[byte]) for byte in bytes_shown if alphabet
        ),
        post_processor=describe_stage(pipeline["post_processor"]),
        final_ids=tuple(library.encode(text).ids),
        decoded=tokenizer.decode(encoding.ids),
        fit=measure_vocabulary(tokenizer, [text]),
    )


def describe_stage(stage: Mapping[str, Any] | None) -> str:
    """Returns the types of a stage in their order, as "NFKC, Lowercase"; "" for none."""
    if stage is None:
        return ""
    parts = next((stage[k] for k in _LISTS if isinstance(stage.get(k), list)), None)
    if stage.get("type") == "Sequence" and parts is not None:
        return ", ".join(filter(None, map(describe_stage, parts)))
    options = [
        key
        for key, value in stage.items()
        if value is True and key in {"add_prefix_space", "lowercase", "strip_accents"}
    ]
    return f"{stage.get('type')} ({', '.join(options)})" if options else str(stage.get("type"))


_LISTS = ("normalizers", "pretokenizers", "processors")
