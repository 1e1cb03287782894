"""Loads the vocabularies to compare with: any fast tokenizer, from a file, a folder or the Hub.

Called by ``training.train_tokenizer`` for ``tokenizer.compare_with``, and to inspect tokenizers.
"""

from pathlib import Path

from tokenizers import Tokenizer, decoders, models

from training.artifact.bundled import BUNDLED, resolve_artifact
from training.artifact.special_tokens import END_OF_TEXT
from training.artifact.tokenizer import CodeTokenizer
from training.foundation.errors import ConfigError, HubError
from training.foundation.hub.hub_files import fetch_hub_files, parse_hub_name
from training.vocabulary.fast_tokenizer import FastTokenizer, Vocabulary
from training.vocabulary.vocabulary_fit import make_word_splitter

TOKENIZER_FILE = "tokenizer.json"
GPT2_FILES = (("vocab.json", "merges.txt"), ("encoder.json", "vocab.bpe"))  # GPT-2's own names
_ADVICE = "put GPT-2's there, name a tokenizer of the Hub, or remove the key"


def load_compared(name: str) -> Vocabulary:
    """Loads a tokenizer by the value of ``tokenizer.compare_with``; see :func:`load_fast`.

    Raises:
        ConfigError: There is none.
    """
    try:
        found = load_fast(name)
    except (ConfigError, HubError) as error:
        raise ConfigError(f"tokenizer.compare_with: {error}") from error
    return _keep_bytes(found) or found


def load_fast(name: str) -> FastTokenizer:
    """Loads a ``tokenizer.json``, a folder with one or GPT-2's own two files, or a name of the Hub.

    Args:
        name: A path, "bundled", or a name such as ``gpt2`` or ``OWNER/NAME@REVISION``.

    Raises:
        ConfigError: There is none, or it is not a fast tokenizer.
        HubError: The Hub has none of that name, or cannot be reached.
    """
    on_hub = None if Path(name) == BUNDLED else parse_hub_name(name)
    if on_hub is None:
        return _load_path(resolve_artifact(Path(name)))
    files = (TOKENIZER_FILE, *GPT2_FILES[0])
    return _load_path(fetch_hub_files(on_hub, files))


def _load_path(path: Path) -> FastTokenizer:
    if path.is_file() or (path / TOKENIZER_FILE).is_file():
        return FastTokenizer.load(path if path.is_file() else path / TOKENIZER_FILE)
    for vocab, merges in GPT2_FILES:
        if (path / vocab).is_file() and (path / merges).is_file():
            return _load_gpt2(path / vocab, path / merges)
    raise ConfigError(f"{path} holds no {TOKENIZER_FILE}; {_ADVICE}")


def _load_gpt2(vocab: Path, merges: Path) -> FastTokenizer:
    try:
        model = models.BPE.from_file(str(vocab), str(merges))
    except Exception as error:  # tokenizers raises bare Exception for any malformed file
        reason = str(error).splitlines()[0][:120]
        raise ConfigError(
            f"{vocab} and {merges.name} are not a vocabulary ({reason}); copy them again"
        ) from error
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = make_word_splitter()
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([END_OF_TEXT])
    return FastTokenizer(tokenizer)


def _keep_bytes(found: FastTokenizer) -> CodeTokenizer | None:
    """Returns a tokenizer that keeps every byte as ours does, which is faster; else None."""
    changes_text = found.pipeline["normalizer"] is not None or found.adds_space
    if changes_text or found.added_ids or found.kind != "BPE" or not found.is_byte_level:
        return None
    tokenizer = CodeTokenizer(found.library)
    try:
        is_complete = tokenizer.find_byte_fault() is None
    except KeyError:
        return None
    return tokenizer if is_complete else None
