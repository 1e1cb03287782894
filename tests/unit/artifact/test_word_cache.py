"""Encoding by words against the library, which is the oracle."""

import random
import sysconfig
from pathlib import Path

import pytest

from training.artifact import word_cache
from training.artifact.word_cache import WordCache
from training.config import TokenizerConfig
from training.train_tokenizer import train_tokenizer

STDLIB = Path(sysconfig.get_path("stdlib"))
NASTY = ["'s", "'ll", "'", " ", "  ", "\n", "\t", "\r", "\x0b", "\x0c", "\x1c", "\x1f", "\x00"]
NASTY += ["a", "Zz", "0", "19", "_", "=", "#!", "é", "ß", "²", "Ⅷ", "三", "\u00a0", "\u2028"]
NASTY += ["\x85", "\u200b", "😀", "e\u0301", "<|endoftext|>"]


@pytest.fixture(scope="module")
def tokenizer():
    texts = [(STDLIB / name).read_text(encoding="utf-8") for name in ("random.py", "heapq.py")]
    return train_tokenizer(iter(texts), TokenizerConfig(vocab_size=1024))


def test_words_give_the_ids_that_the_library_gives(tokenizer):
    """If it fails, a model is trained on tokens that no prompt at the keyboard has."""
    cache = WordCache(tokenizer.encode_batch)
    chance = random.Random(0)
    for _ in range(5000):
        text = "".join(chance.choices(NASTY, k=chance.randint(0, 30)))
        assert cache.encode(text) == tokenizer.encode(text), repr(text)
    for path in sorted((STDLIB / "encodings").glob("*.py")):
        text = path.read_text(encoding="utf-8")
        assert cache.encode(text) == tokenizer.encode(text), path


def test_a_full_table_is_begun_again(tokenizer, monkeypatch):
    """If it fails, memory grows with the corpus."""
    monkeypatch.setattr(word_cache, "MAX_WORDS", 10)
    cache = WordCache(tokenizer.encode_batch)
    for text in ("a b c d e f", "g h i j k l", "a b c d e f g h i j k l m n"):
        assert cache.encode(text) == tokenizer.encode(text)
    assert len(cache._ids) <= 14


def test_another_pipeline_is_left_to_the_library(byte_tokenizer, tokenizer):
    assert tokenizer._word_cache is not None
    tokenizer._tokenizer.pre_tokenizer.add_prefix_space = True
    changed = type(tokenizer)(tokenizer._tokenizer)
    try:
        assert changed._word_cache is None
        assert changed.encode_with_starts("x = 1")[0] == changed.encode("x = 1")
    finally:
        tokenizer._tokenizer.pre_tokenizer.add_prefix_space = False
