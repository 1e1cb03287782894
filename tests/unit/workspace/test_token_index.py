"""Files as one sequence of tokens: no match crosses their borders, and each token has its file."""

from server.memory.token_memory import MemoryPart, TokenMemory
from server.workspace.token_index import SourceText, build_token_index

FILES = [SourceText(path="a.py", text="abcabd"), SourceText(path="b.py", text="xyz")]
END = 0


def build(files, **options):
    encode = lambda text: list(text.encode())  # noqa: E731 - one byte, one token
    return build_token_index(files, encode=encode, separator_id=END, vocab_size=256, **options)


def test_tokens_belong_to_their_files():
    found = build(FILES)
    assert [int(i) for i in found.index.tokens] == [END, *b"abcabd", END, *b"xyz", END]
    paths = [found.find_path(i) for i in range(len(found.index))]
    assert paths == ["a.py"] * 7 + ["b.py"] * 4 + [None]


def test_what_follows_the_end_of_a_file_is_its_end():
    """If it fails, one file's end suggests another file's beginning."""
    memory = TokenMemory([MemoryPart(index=build(FILES).index)])
    (match, *_) = memory.find(list(b"bd"))
    assert (match.n_tokens, match.ids.tolist()) == (2, [END])
    assert memory.find([*b"bd", END])[0].ids.tolist() == list(b"x")


def test_what_does_not_fit_is_left_out_and_counted():
    found = build([*FILES, SourceText(path="c.py", text="1")], max_tokens=10)
    assert (list(found.paths), found.n_left_out) == (["a.py", "c.py"], 1)
    assert build([]).find_path(0) is None
