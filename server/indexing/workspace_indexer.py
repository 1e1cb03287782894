"""Indexes the files of a workspace; those that have not changed are taken from the last index."""

import hashlib
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from server.indexing.index_store import (
    StoredIndex,
    Version,
    make_key,
    open_newest,
    prepare_folder,
    save_index,
)
from server.memory.suffix_index import Tokens
from server.workspace.sources.source_files import SourceFile, find_sources
from server.workspace.sources.token_index import MAX_TOKENS, EncodedFile, build_token_index
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
    key = make_key(request.roots, tokenizer.sha256)
    found = open_newest(request.cache, key)
    files = list(find_sources(request.roots, request.private_globs))
    versions = {file.path: file.file.version for file in files}
    targets = {file.path: str(file.file.path) for file in files}
    state = hashlib.sha256(repr(versions).encode("utf-8", "surrogateescape")).hexdigest()
    if found is not None and found[1].state == state:
        return found[0]
    prepare_folder(request.cache, key)  # else all is read and encoded in vain
    known = {} if found is None else _read_tokens(found[1])
    index = build_token_index(_encode(files, known, tokenizer), tokenizer)
    stored = StoredIndex(
        index=replace(
            index,
            targets=[targets[path] for path in index.paths],
            n_left_out=len(files) - len(index.paths),
        ),
        versions=[versions[path] for path in index.paths],
        state=state,
        tokenizer_sha256=tokenizer.sha256,
        built=time.time(),
    )
    return save_index(request.cache, key, stored)


def _read_tokens(stored: StoredIndex) -> dict[tuple[str, Version], Tokens]:
    """Returns the tokens of each file, by path and version."""
    index = stored.index
    rows = zip(index.paths, stored.versions, index.starts, index.ends, strict=True)
    return {
        (path, version): index.index.tokens[start + 1 : end] for path, version, start, end in rows
    }


def _encode(
    files: Iterable[SourceFile],
    known: dict[tuple[str, Version], Tokens],
    tokenizer: CodeTokenizer,
) -> Iterator[EncodedFile]:
    n_tokens = 0
    for file in files:
        if n_tokens > MAX_TOKENS:  # nothing more fits
            return
        tokens = known.get((file.path, file.file.version))
        if tokens is None:
            encoded = EncodedFile.encode(file.path, file.read(), tokenizer)
        else:
            encoded = EncodedFile(path=file.path, tokens=tokens)
        n_tokens += len(encoded.tokens)
        yield encoded
