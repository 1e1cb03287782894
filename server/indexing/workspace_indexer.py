"""Indexes the files of a workspace; those that have not changed are taken from the last index."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from server.indexing.index_store import StoredIndex, Version, make_key, open_newest, save_index
from server.memory.suffix_index import Tokens, pack_tokens
from server.workspace.sources.source_files import SourceFile, find_sources
from server.workspace.sources.token_index import EncodedFile, build_token_index
from training.artifact.tokenizer import CodeTokenizer


@dataclass(frozen=True, kw_only=True)
class IndexRequest:
    """What to index, and where to keep it.

    Attributes:
        roots: The workspace's folders.
        private_globs: The user's private files.
        cache: The folder of all indexes.
    """

    roots: Sequence[Path]
    private_globs: Sequence[str]
    cache: Path


def index_workspace(request: IndexRequest, tokenizer: CodeTokenizer) -> Path:
    """Returns the folder of an index of the workspace as it is now.

    The last one is returned again if no file has changed.

    Raises:
        OSError: The index cannot be written.
    """
    key = make_key(request.roots, request.private_globs, tokenizer.sha256)
    found = open_newest(request.cache, key)
    files = list(find_sources(request.roots, request.private_globs))
    versions = {file.path: file.file.version for file in files}
    if found is not None and dict(zip(*_describe(found[1]), strict=True)) == versions:
        return found[0]
    known = {} if found is None else _read_tokens(found[1])
    index = build_token_index(
        _encode(files, known, tokenizer),
        separator_id=tokenizer.end_of_text_id,
        vocab_size=tokenizer.vocab_size,
    )
    return save_index(request.cache, key, index, [versions[path] for path in index.paths])


def _describe(stored: StoredIndex) -> tuple[Sequence[str], Sequence[Version]]:
    return stored.index.paths, stored.versions


def _read_tokens(stored: StoredIndex) -> dict[tuple[str, Version], Tokens]:
    """Returns the tokens of each file, by path and version."""
    index = stored.index
    ends = [*index.starts[1:], index.n_tokens - 1]
    rows = zip(index.paths, stored.versions, index.starts, ends, strict=True)
    return {
        (path, version): index.index.tokens[start + 1 : end] for path, version, start, end in rows
    }


def _encode(
    files: Iterable[SourceFile],
    known: dict[tuple[str, Version], Tokens],
    tokenizer: CodeTokenizer,
) -> Iterator[EncodedFile]:
    for file in files:
        tokens = known.get((file.path, file.file.version))
        if tokens is None:
            tokens = pack_tokens(tokenizer.encode(file.read()), tokenizer.vocab_size)
        yield EncodedFile(path=file.path, tokens=tokens)
