"""Files as one sequence of tokens: no match crosses their borders, and each token has its file."""

from types import SimpleNamespace

from server.memory.suffix_index import pack_tokens
from server.memory.token_memory import TokenMemory
from server.workspace.sources.token_index import EncodedFile, build_token_index
from training.artifact.bundled import BUNDLED_MODEL
from training.artifact.directory import TOKENIZER_FILE
from training.artifact.tokenizer import CodeTokenizer

END = 0
TOKENIZER = SimpleNamespace(end_of_text_id=END, vocab_size=256)


def encode(path, text):
    return EncodedFile(path=path, tokens=pack_tokens(list(text), 256))


FILES = [encode("a.py", b"abcabd"), encode("b.py", b"xyz")]


def build(files, **options):
    return build_token_index(files, TOKENIZER, **options)


def test_tokens_belong_to_their_files():
    found = build(FILES)
    assert [int(i) for i in found.index.tokens] == [END, *b"abcabd", END, *b"xyz", END]
    spans = list(zip(found.paths, found.starts, found.ends, strict=True))
    assert spans == [("a.py", 0, 7), ("b.py", 7, 11)]


def test_nothing_follows_the_end_of_a_file():
    """If it fails, one file's end suggests another file's beginning, or that nothing follows."""
    memory = TokenMemory([build(FILES).without(())])
    assert memory.find(list(b"bd")) == []
    assert memory.find([*b"bd", END])[0].ids.tolist() == list(b"x")


def test_half_a_word_is_left_out():
    """If it fails, a file in which a word is being typed teaches that it ends there."""
    tokenizer = CodeTokenizer.load(BUNDLED_MODEL / TOKENIZER_FILE)
    for line, rest in (("lines = read_li", "li"), ("lines = read_lines(", "(")):
        tokens = EncodedFile.encode("a.py", line, tokenizer).tokens.tolist()
        assert tokenizer.decode(tokens) == line.removesuffix(rest)
    assert EncodedFile.encode("a.py", "", tokenizer).tokens.tolist() == []
    whole = "lines = read_lines()\n"
    tokens = EncodedFile.encode("a.py", whole, tokenizer).tokens.tolist()
    assert tokenizer.decode(tokens) == whole


def test_what_does_not_fit_is_left_out_and_counted():
    found = build([*FILES, encode("c.py", b"1")], max_tokens=10)
    assert (list(found.paths), found.n_left_out) == (["a.py", "c.py"], 1)
    assert (build([]).n_tokens, list(build([]).ends)) == (1, [])
