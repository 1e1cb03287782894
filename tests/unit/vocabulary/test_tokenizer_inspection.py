"""What tokenizers of every kind do to a text, and the figures by which they compare."""

import json

import pytest
from tokenizers import (
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)

from training.artifact.tokenizer import CodeTokenizer
from training.config import TokenizerConfig
from training.foundation.errors import ConfigError
from training.train_tokenizer import main, train_tokenizer
from training.vocabulary.compared_vocabulary import load_compared, load_fast
from training.vocabulary.inspection import inspect_text
from training.vocabulary.misspelling import misspell
from training.vocabulary.vocabulary_fit import measure_vocabulary

PROSE = "the people that you know are with the people who think that you are there " * 20
CODE = "def area(width, height):\n    return width * height  # ☃\n"


def unigram():
    """Like T5's and CamemBERT's: SentencePiece, learned from prose."""
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    special = ["<pad>", "</s>", "<unk>"]
    trainer = trainers.UnigramTrainer(vocab_size=80, special_tokens=special, unk_token="<unk>")
    tokenizer.train_from_iterator([PROSE], trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A </s>", special_tokens=[("</s>", tokenizer.token_to_id("</s>"))]
    )
    return tokenizer


def word_piece():
    """Like BERT's: lower case, continued words marked by ##."""
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    trainer = trainers.WordPieceTrainer(vocab_size=90, special_tokens=["[UNK]"])
    tokenizer.train_from_iterator([PROSE, CODE[:20]], trainer)
    return tokenizer


def ended_words():
    """Like GPT's: BPE over characters, the end of a word marked."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", end_of_word_suffix="</w>"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.BPEDecoder()
    trainer = trainers.BpeTrainer(
        vocab_size=90, special_tokens=["<unk>"], end_of_word_suffix="</w>"
    )
    tokenizer.train_from_iterator([PROSE], trainer)
    return tokenizer


def byte_level():
    """Like GPT-2's, but of another family: a space before the first word."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=300, initial_alphabet=alphabet)
    tokenizer.train_from_iterator([PROSE, CODE], trainer)
    return tokenizer


KINDS = {
    "Unigram": unigram,
    "WordPiece": word_piece,
    "BPE of words": ended_words,
    "BPE of bytes": byte_level,
}


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A tokenizer.json of each kind."""
    folder = tmp_path_factory.mktemp("tokenizers")
    for name, make in KINDS.items():
        make().save(str(folder / f"{name}.json"))
    return folder


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_measured_like_ours(saved, kind):
    """If it fails, T5 and CamemBERT cannot stand beside our own, or with wrong figures."""
    vocabulary = load_compared(str(saved / f"{kind}.json"))
    found = measure_vocabulary(vocabulary, [PROSE, CODE])
    words = [w for text in (PROSE, CODE) for w, _ in splitter().pre_tokenize_str(text)]
    assert found.words == len(words)
    assert found.tokens == sum(len(vocabulary.encode(text)) for text in (PROSE, CODE))
    assert found.tokens_per_word == pytest.approx(found.tokens / found.words)
    assert sum(found.bytes_per_token > limit for limit in (0.9, 8)) == 1
    is_complete = kind == "BPE of bytes"
    assert (found.unknown_tokens == 0) == is_complete
    assert (found.unknown_word_share == 0) == is_complete
    assert found.misspelling.tokens_per_misspelt_word > found.misspelling.tokens_per_word
    assert "the" in " ".join(found.longest + found.first + found.last)
    json.dumps(found.first)


def splitter():
    return pre_tokenizers.ByteLevel(add_prefix_space=False)


def test_unknown_words_are_counted_by_hand(saved):
    """A snowman and a word in another script are one unknown word each."""
    vocabulary = load_compared(str(saved / "WordPiece.json"))
    found = measure_vocabulary(vocabulary, ["the ☃ people Ж"])
    assert (found.unknown_tokens, found.words) == (2, 4)
    assert found.unknown_word_share == pytest.approx(2 / 4)
    assert found.restored_documents == 0


def test_rare_and_unused_tokens_are_apart(byte_tokenizer):
    found = measure_vocabulary(byte_tokenizer, ["a" * 9 + "b" * 10])
    assert found.rare.count == 1
    assert found.rare.examples == ("a",)
    assert found.unused.count == 254


@pytest.mark.parametrize(
    ("word", "length"), [("width", 5), ("aaaa", 4), ("abbb", 4), ("height", 6)]
)
def test_a_misspelling_swaps_two_letters_and_keeps_the_first(word, length):
    found = misspell(word)
    assert len(found) == length
    assert sorted(found) == sorted(word)
    assert found[0] == word[0]
    assert (found != word) == (len(set(word[1:])) > 1)


def test_our_own_loses_nothing_to_the_general_way(known_module, tmp_path):
    """Both ways of reading one file measure the same."""
    ours = train_tokenizer(iter([known_module] * 4), TokenizerConfig(vocab_size=333))
    assert ours.vocab_size == 333
    ours.save(tmp_path / "tokenizer.json")
    assert isinstance(load_compared(str(tmp_path)), CodeTokenizer)
    texts = [known_module, "naïve ☃\n"]
    wanted = measure_vocabulary(ours, texts)
    assert measure_vocabulary(load_fast(str(tmp_path)), texts) == wanted
    assert wanted.restored_documents == 2


def test_added_tokens_for_runs_of_spaces_are_text(saved, tmp_path):
    """If it fails, CodeGen and Phi seem to lose indentation, and to have fewer tokens for it."""
    tokenizer = Tokenizer.from_file(str(saved / "BPE of bytes.json"))
    tokenizer.pre_tokenizer = splitter()
    tokenizer.add_special_tokens(["<|endoftext|>"])
    tokenizer.add_tokens([" " * 4, " " * 7])
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    text = "    if x:\n       y\n"
    vocabulary = load_compared(str(tmp_path))
    found = measure_vocabulary(vocabulary, [text])
    assert (found.restored_documents, vocabulary.decode(vocabulary.encode(text))) == (1, text)
    assert found.special_tokens == 1
    assert (found.white_space["4"], found.white_space["7"]) == ((" " * 4,), (" " * 7,))
    ids = [i for i, token in enumerate(vocabulary.byte_table) if token in {b" " * 4, b" " * 7}]
    assert set(ids) < set(vocabulary.encode(text))
    shown = inspect_text("codegen", load_fast(str(tmp_path)), text, whole=False)
    assert (shown.special_tokens, shown.fit.special_tokens) == (1, 1)


def test_every_stage_of_a_byte_level_tokenizer_is_shown():
    """GPT-2's pieces, places and alphabet, as the chapter prints them."""
    found = inspect_text("bundled", load_fast("bundled"), "x = 1\n  ï", whole=False)
    assert (found.kind, found.normalizer, found.post_processor) == ("BPE", "", "")
    assert found.splitter == "ByteLevel"
    assert [(p.text, p.start, p.end) for p in found.pre_tokens][:3] == [
        ("x", 0, 1),
        ("Ġ=", 1, 3),
        ("Ġ1", 3, 5),
    ]
    assert {b.byte: b.character for b in found.alphabet}[0x20] == "Ġ"
    assert {b.byte: b.character for b in found.alphabet}[0x0A] == "Ċ"
    assert len(found.alphabet) == len(set("x = 1\n  ï".encode()))
    assert [t.token_id for t in found.tokens] == list(found.final_ids)
    assert found.decoded == "x = 1\n  ï"
    whole = inspect_text("bundled", load_fast("bundled"), "x", whole=True)
    assert len({b.character for b in whole.alphabet}) == 256


def test_what_others_change_is_shown(saved):
    found = inspect_text("t5", load_fast(str(saved / "Unigram.json")), "the ﬁle", whole=False)
    assert found.normalizer == "NFKC"
    assert found.normalized == "the file"
    assert found.pre_tokens[0].text == "▁the"
    assert found.post_processor == "TemplateProcessing"
    assert len(found.final_ids) == len(found.tokens) + 1
    assert found.alphabet == ()
    lower = inspect_text("bert", load_fast(str(saved / "WordPiece.json")), "The ☃", whole=False)
    assert lower.normalizer == "BertNormalizer (lowercase)"
    assert [token.is_unknown for token in lower.tokens] == [False, True]


def test_the_command_shows_them_side_by_side(saved, tmp_path, capsys):
    """The whole command: a text, a file, standard figures, JSON."""
    other = str(saved / "Unigram.json")
    arguments = ["inspect", "if x:\n    pass\x1b[31m", "--compare-with", other, "--vocabulary"]
    assert main(arguments) == 0
    shown = capsys.readouterr().out
    assert "pre-tokens: " in shown
    assert "\x1b" not in shown
    assert "'Ġpass'" in shown
    assert "unknown: " in shown
    assert "keywords of several tokens: 'nonlocal'" in shown
    assert "decodes exactly" in shown
    file = tmp_path / "module.py"
    file.write_text(CODE)
    assert main(["inspect", str(file), "--json", "--limit", "3"]) == 0
    (one,) = json.loads(capsys.readouterr().out)
    assert one["decoded"] == CODE
    assert one["fit"]["restored_documents"] == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--tokenizer", "/nowhere"], "holds no tokenizer.json"),
        (["--tokenizer", "{folder}/broken.json"], "is not a tokenizer"),
        (["{folder}/binary"], "cannot be inspected"),
    ],
)
def test_what_cannot_be_inspected_is_one_sentence(tmp_path, arguments, message):
    (tmp_path / "broken.json").write_text('{"model": 3}')
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match=message):
        main(["inspect", *(a.format(folder=tmp_path) for a in arguments)])


def test_several_tokenizers_may_be_compared():
    assert TokenizerConfig(compare_with="gpt2").compared_names == ("gpt2",)
    assert TokenizerConfig(compare_with=["gpt2", "t5-base"]).compared_names == ("gpt2", "t5-base")
    assert TokenizerConfig(vocab_size=12_500).compared_names == ()
    with pytest.raises(ValueError, match="compare_with is"):
        TokenizerConfig(compare_with=[3])
