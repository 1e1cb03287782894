"""Fixtures that several kinds of tests share: a tokenizer of bytes, a tiny trained artifact."""

import os

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import pytest
import tiny_model
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from training.artifact.special_tokens import SPECIAL_TOKENS
from training.artifact.tokenizer import CodeTokenizer, byte_alphabet


@pytest.fixture(scope="session")
def byte_tokenizer():
    """One token a byte behind the special tokens: the natural fake of a vocabulary."""
    vocab = {token: i for i, token in enumerate(SPECIAL_TOKENS)}
    for character in byte_alphabet().values():
        vocab[character] = len(vocab)
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(list(SPECIAL_TOKENS))
    return CodeTokenizer(tokenizer)


@pytest.fixture(scope="session")
def known_module():
    """The text that the tiny artifact knows by heart."""
    return tiny_model.KNOWN_MODULE


@pytest.fixture(scope="session")
def tiny_artifact(tmp_path_factory):
    """The directory of a model that has learned ``known_module``, saved by the real code."""
    return tiny_model.build_tiny_artifact(tmp_path_factory.mktemp("artifact") / "tiny")
