"""The figures of a vocabulary, by hand and against the slow way."""

import json

import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from training.artifact.special_tokens import SPECIAL_TOKENS
from training.artifact.tokenizer import CodeTokenizer, byte_alphabet
from training.config import TokenizerConfig
from training.foundation.config_schema import to_mapping
from training.foundation.errors import ConfigError
from training.train_tokenizer import main, train_tokenizer
from training.vocabulary.compared_vocabulary import load_compared
from training.vocabulary.vocabulary_fit import measure_vocabulary

BYTES = byte_alphabet()
SPACE = BYTES[0x20]
MERGES = [("i", "f"), (SPACE, "x"), (SPACE, SPACE)]


def splitter():
    return pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)


def vocabulary():
    tokens = [*SPECIAL_TOKENS, *BYTES.values(), *("".join(m) for m in MERGES)]
    return {token: i for i, token in enumerate(tokens)}


@pytest.fixture
def by_hand():
    """All bytes and three merges: ``if``, space and ``x``, two spaces."""
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary(), merges=MERGES))
    tokenizer.pre_tokenizer = splitter()
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(list(SPECIAL_TOKENS))
    return CodeTokenizer(tokenizer)


@pytest.fixture(scope="module")
def learned(known_module):
    return train_tokenizer(iter([known_module] * 4), TokenizerConfig(vocab_size=384))


def test_a_case_counted_by_hand(by_hand):
    """If it fails, the choice of a vocabulary rests on wrong figures."""
    # if| x|:|\n· |· if|\n  and é: words by "|"; two tokens in "\n·", "·if" and "é".
    found = measure_vocabulary(by_hand, iter(["if x:\n  if\n", "é"]))
    assert found.documents == 2
    assert (found.bytes, found.characters) == (13, 12)
    assert (found.words, found.continued_words, found.tokens) == (7, 3, 10)
    assert found.bytes_per_token == pytest.approx(1.3)
    assert found.characters_per_token == pytest.approx(1.2)
    assert found.tokens_per_word == pytest.approx(10 / 7)
    assert found.continued_word_share == pytest.approx(3 / 7)
    assert found.vocab_size == 16 + 256 + 3
    assert found.special_tokens == 16
    # Used: if, space and x, ":", line end, space, and the two bytes of é.
    assert found.unused.count == 256 + 3 - 7
    assert len(set(found.unused.examples)) == 32
    assert found.first == found.last == found.longest == ("if", " x", "  ")
    assert found.white_space["2"] == ("  ",)
    assert " " in found.white_space["1"]
    keywords = found.not_one_token.keywords
    assert "if" not in keywords.without_space
    assert "if" in keywords.with_space
    assert "print" in found.not_one_token.builtins.without_space
    json.dumps(to_mapping(found))


def test_words_agree_with_encoding_each_by_itself(learned, known_module):
    """Our pieces are GPT-2's, so a word encoded alone has the tokens it has in the text."""
    to_byte = {character: byte for byte, character in BYTES.items()}
    texts = [known_module, "naïve = 'Ünï'  # ☃\n\n\tx  = 1 \n", "", " "]
    lengths = [
        len(learned.encode(bytes(to_byte[c] for c in word).decode()))
        for text in texts
        for word, _ in splitter().pre_tokenize_str(text)
    ]
    found = measure_vocabulary(learned, texts)
    assert found.words == len(lengths)
    assert found.tokens == sum(lengths)
    assert found.continued_words == sum(n > 1 for n in lengths)
    assert found.bytes == sum(len(text.encode()) for text in texts)


def test_one_token_a_byte(byte_tokenizer, known_module):
    found = measure_vocabulary(byte_tokenizer, [known_module])
    assert found.bytes_per_token == 1
    assert found.tokens == len(known_module.encode())
    assert found.longest == ()


def test_no_text_is_no_error(by_hand):
    found = measure_vocabulary(by_hand, [])
    assert (found.tokens, found.tokens_per_word, found.unused.count) == (0, 0, 259)


def test_the_other_vocabulary_is_read_in_each_of_its_forms(by_hand, tmp_path):
    """If it fails, one cannot compare with the GPT-2 files one has."""
    texts = ["if x:\n  if\n", "<|endoftext|>"]
    wanted = measure_vocabulary(by_hand, texts)
    by_hand.save(tmp_path / "tokenizer.json")
    assert measure_vocabulary(load_compared(str(tmp_path / "tokenizer.json")), texts) == wanted
    assert measure_vocabulary(load_compared(str(tmp_path)), texts) == wanted
    for vocab, merges in (("vocab.json", "merges.txt"), ("encoder.json", "vocab.bpe")):
        folder = tmp_path / vocab
        folder.mkdir()
        (folder / vocab).write_text(json.dumps(vocabulary()))
        (folder / merges).write_text("\n".join(["#version: 0.2", *map(" ".join, MERGES)]) + "\n")
        assert measure_vocabulary(load_compared(str(folder)), texts).tokens == wanted.tokens


def test_what_cannot_be_compared_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"compare_with: .* holds no tokenizer\.json"):
        load_compared(str(tmp_path))
    (tmp_path / "vocab.json").write_text("{")
    (tmp_path / "merges.txt").write_text("")
    with pytest.raises(ConfigError, match="are not a vocabulary"):
        load_compared(str(tmp_path))
    (tmp_path / "tokenizer.json").write_text("{")
    with pytest.raises(ConfigError, match="is not a tokenizer"):
        load_compared(str(tmp_path))


@pytest.mark.integration
def test_the_report_stands_beside_the_vocabulary(tiny_config, by_hand, tmp_path, capsys):
    other, folder = tmp_path / "other.json", tmp_path / "made"
    by_hand.save(other)
    arguments = [str(tiny_config), f"paths.tokenizer={folder}"]
    with pytest.raises(ConfigError, match="compare_with"):
        main([*arguments, f"tokenizer.compare_with={tmp_path / 'none'}"])
    assert not folder.exists()
    assert main([*arguments, f"tokenizer.compare_with={other}"]) == 0
    assert "512 tokens" in capsys.readouterr().out
    report = json.loads((folder / "tokenizer-report.json").read_text())
    page = (folder / "tokenizer-report.html").read_text()
    assert f"{report['fit']['bytes_per_token']:.3f} bytes per token" in page
    assert str(other) in page
    assert "missing builtins" in page
    fit, compared = report["fit"], report["compared"][0]["fit"]
    assert report["heldout_bytes_per_token"] == fit["bytes_per_token"] > 1
    assert fit["bytes"] == compared["bytes"] == report["heldout_bytes"]
    assert fit["words"] == compared["words"]
    assert fit["bytes_per_token"] > compared["bytes_per_token"]
