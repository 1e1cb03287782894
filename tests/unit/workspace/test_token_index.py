"""Files as one sequence of tokens: no match crosses their borders, and each token has its file."""

from types import SimpleNamespace

from server.memory.suffix_index import pack_tokens
from server.memory.token_memory import MemoryPart, TokenMemory
from server.workspace.sources.token_index import EncodedFile, build_token_index

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


def test_what_follows_the_end_of_a_file_is_its_end():
    """If it fails, one file's end suggests another file's beginning."""
    memory = TokenMemory([MemoryPart(index=build(FILES).index)])
    (match, *_) = memory.find(list(b"bd"))
    assert (match.n_tokens, match.ids.tolist()) == (2, [END])
    assert memory.find([*b"bd", END])[0].ids.tolist() == list(b"x")


def test_what_does_not_fit_is_left_out_and_counted():
    found = build([*FILES, encode("c.py", b"1")], max_tokens=10)
    assert (list(found.paths), found.n_left_out) == (["a.py", "c.py"], 1)
    assert (build([]).n_tokens, list(build([]).ends)) == (1, [])
