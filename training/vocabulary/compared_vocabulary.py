"""Loads the vocabulary to compare with: another byte-level one, such as GPT-2's.

Nothing is downloaded. Called by ``training.train_tokenizer`` if ``tokenizer.compare_with`` is set.
"""

from pathlib import Path

from tokenizers import Tokenizer, decoders, models

from training.artifact.special_tokens import END_OF_TEXT
from training.artifact.tokenizer import CodeTokenizer
from training.foundation.errors import ConfigError
from training.vocabulary.vocabulary_fit import make_word_splitter

TOKENIZER_FILE = "tokenizer.json"
GPT2_FILES = (("vocab.json", "merges.txt"), ("encoder.json", "vocab.bpe"))  # GPT-2's own names


def load_compared(path: Path) -> CodeTokenizer:
    """Loads a ``tokenizer.json``, or a folder that holds one or GPT-2's own two files.

    Raises:
        ConfigError: There is no vocabulary, or it is not byte-level.
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
        file = path if path.is_file() else path / TOKENIZER_FILE
        return CodeTokenizer.load(file, is_ours=False)
    for vocab, merges in GPT2_FILES:
        if (path / vocab).is_file() and (path / merges).is_file():
            return _load_gpt2(path / vocab, path / merges)
    raise ConfigError(
        f"tokenizer.compare_with: {path} holds no {TOKENIZER_FILE}; put GPT-2's there, or"
        " remove the key"
    )


def _load_gpt2(vocab: Path, merges: Path) -> CodeTokenizer:
    try:
        model = models.BPE.from_file(str(vocab), str(merges))
    except Exception as error:  # tokenizers raises bare Exception for any malformed file
        reason = str(error).splitlines()[0][:120]
        raise ConfigError(
            f"tokenizer.compare_with: {vocab} and {merges.name} are not a vocabulary ({reason});"
            " copy them again"
        ) from error
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = make_word_splitter()
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([END_OF_TEXT])
    return CodeTokenizer(tokenizer)
