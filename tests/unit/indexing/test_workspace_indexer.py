"""The index on disk: the same as built anew, whatever changed, and nothing else is believed."""

import errno
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer

from server.indexing import index_store, workspace_indexer
from server.indexing.index_store import open_index
from server.indexing.workspace_indexer import IndexRequest, index_workspace
from server.isolation import ROOT
from server.user_folders import redirect_caches
from server.workspace.sources.token_index import TokenIndex
from server.workspace.sources.workspace_memory import WorkspaceMemory
from training.artifact.tokenizer import CodeTokenizer


@pytest.fixture
def root(tmp_path):
    root = tmp_path / "root"
    (root / "inner").mkdir(parents=True)
    (root / "a.py").write_text("alpha = 1\n")
    (root / "inner" / "b.py").write_text("beta = 2\n")
    return root


def make_request(root, cache, globs=()):
    return IndexRequest(roots=[root], private_globs=list(globs), cache=cache)


def extend(tokenizer):
    """Another model's tokenizer."""
    other = Tokenizer.from_str(tokenizer._tokenizer.to_str())
    other.add_tokens(["one more"])
    return CodeTokenizer(other)


def texts(index: TokenIndex, tokenizer):
    return {
        path: tokenizer.decode([int(i) for i in index.index.tokens[start + 1 : end]])
        for path, start, end in zip(index.paths, index.starts, index.ends, strict=True)
    }


def test_an_index_holds_the_files_and_is_sorted(root, tmp_path, byte_tokenizer):
    folder = index_workspace(make_request(root, tmp_path / "cache"), byte_tokenizer)
    index = open_index(folder).index
    assert texts(index, byte_tokenizer) == {
        str(root / "a.py"): "alpha = 1\n",
        str(root / "inner" / "b.py"): "beta = 2\n",
    }
    data = [bytes(index.index.tokens[i:].tobytes()) for i in index.index.order]
    assert data == sorted(data)


def test_only_what_has_changed_is_read_again(root, tmp_path, byte_tokenizer, monkeypatch):
    """If it fails, each change of a file costs the whole workspace."""
    request = make_request(root, tmp_path / "cache")
    first = index_workspace(request, byte_tokenizer)
    assert index_workspace(request, byte_tokenizer) == first  # nothing has changed
    encoded = []
    encode = byte_tokenizer.encode
    monkeypatch.setattr(
        type(byte_tokenizer), "encode", lambda _, text: encoded.append(text) or encode(text)
    )
    (root / "a.py").write_text("alpha = 11\n")
    (root / "c.py").write_text("gamma = 3\n")
    (root / "inner" / "b.py").rename(root / "inner" / "d.py")
    second = index_workspace(request, byte_tokenizer)
    assert second != first
    assert sorted(encoded) == ["alpha = 11\n", "beta = 2\n", "gamma = 3\n"]
    assert texts(open_index(second).index, byte_tokenizer) == {
        str(root / "a.py"): "alpha = 11\n",
        str(root / "c.py"): "gamma = 3\n",
        str(root / "inner" / "d.py"): "beta = 2\n",
    }
    assert not first.exists()  # an index is not kept twice


def test_a_file_that_becomes_private_leaves_the_cache(root, tmp_path, byte_tokenizer):
    """If it fails, its tokens lie on the disk until nine other workspaces were opened."""
    cache = tmp_path / "cache"
    former = cache / ("0" * 24)  # of an earlier version, which knew no better
    former.mkdir(parents=True)
    other = index_workspace(make_request(root, cache), extend(byte_tokenizer))
    index_workspace(make_request(root, cache), byte_tokenizer)
    assert other.exists()  # of another model, with the same files
    folder = index_workspace(make_request(root, cache, ["inner/*"]), byte_tokenizer)
    assert list(texts(open_index(folder).index, byte_tokenizer)) == [str(root / "a.py")]
    assert [found.parent for found in cache.rglob("files.json")] == [folder]
    assert not former.exists()


def test_a_document_hides_its_file_by_any_name(root, tmp_path, byte_tokenizer):
    """If it fails, a document is completed from its own file, whose lines it has already."""
    link = tmp_path / "link"
    link.symlink_to(root, target_is_directory=True)
    folder = index_workspace(make_request(link, tmp_path / "cache"), byte_tokenizer)
    memory = WorkspaceMemory(byte_tokenizer, tmp_path / "tokenizer.json")
    memory.use_files(open_index(folder).index, built=0.0)
    ids = byte_tokenizer.encode("alpha")
    for folder, is_own in ((link, True), (root, True), (tmp_path, False)):
        found = memory.recall((folder / "a.py").as_uri()).find(ids)
        assert any(match.n_tokens == len(ids) for match in found) != is_own


def test_what_a_killed_process_has_left_is_removed(root, tmp_path, byte_tokenizer):
    """If it fails, each editor that is closed while it indexes costs some megabytes for ever."""
    cache = tmp_path / "cache"
    key = index_workspace(make_request(root, cache), byte_tokenizer).parent
    left, under_way = key / ".new-left", key / ".new-under-way"
    for folder in (left, under_way):
        folder.mkdir()
        (folder / "tokens.bin").write_bytes(b"1")
    os.utime(left, (0, 0))
    (root / "a.py").write_text("alpha = 12\n")
    index_workspace(make_request(root, cache), byte_tokenizer)
    assert (left.exists(), under_way.exists()) == (False, True)


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="Windows has no modes")
def test_only_the_user_can_read_an_index(root, tmp_path, byte_tokenizer):
    folder = index_workspace(make_request(root, tmp_path / "cache"), byte_tokenizer)
    assert folder.stat().st_mode & 0o077 == 0
    assert folder.parent.stat().st_mode & 0o077 == 0


def test_nothing_is_encoded_where_nothing_can_be_written(
    root, tmp_path, byte_tokenizer, monkeypatch
):
    """If it fails, each save on a full or read-only disk costs the whole workspace, in vain."""
    cache = tmp_path / "cache"
    folder = index_workspace(make_request(root, cache), byte_tokenizer)
    monkeypatch.setattr(type(byte_tokenizer), "encode", lambda *_: pytest.fail("encoded"))
    with pytest.raises(OSError, match=r"directory|exists"):
        index_workspace(make_request(root, root / "a.py"), byte_tokenizer)

    def refuse(**_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    assert index_workspace(make_request(root, cache), byte_tokenizer) == folder  # nothing is new
    (root / "c.py").write_text("gamma = 3\n")
    with pytest.raises(OSError, match="No space left"):
        index_workspace(make_request(root, cache), byte_tokenizer)
    assert folder.exists()


@pytest.mark.integration
@pytest.mark.skipif(os.name == "nt", reason="Windows knows the folder without HOME")
@pytest.mark.parametrize("variables", [redirect_caches(Path(os.devnull)), {"HOME": ""}])
def test_the_process_ends_with_a_sentence_where_nothing_can_be_written(
    root, tmp_path, byte_tokenizer, variables
):
    """If it fails, the editor's log has a traceback for each save."""
    done = run_process([root], byte_tokenizer, tmp_path, variables)
    assert (done.returncode, done.stdout) == (3, b"")
    assert done.stderr.startswith(b"error: ")
    assert done.stderr.count(b"\n") == 1


@pytest.mark.integration
@pytest.mark.skipif(os.name == "nt", reason="Windows knows the folder without HOME")
def test_a_link_to_the_home_folder_is_not_followed(root, tmp_path, byte_tokenizer):
    """If it fails, who opens the home folder by another name has all of it indexed."""
    link = tmp_path / "link"
    link.symlink_to(root, target_is_directory=True)
    variables = {**redirect_caches(tmp_path / "cache"), "HOME": str(root)}
    done = run_process([link, link / "inner"], byte_tokenizer, tmp_path, variables)
    index = open_index(Path(json.loads(done.stdout)["folder"])).index
    assert list(index.paths) == [str(link / "inner" / "b.py")]


def run_process(roots, tokenizer, folder, variables):
    file = folder / "tokenizer.json"
    file.write_text(tokenizer._tokenizer.to_str())
    request = {"roots": list(map(str, roots)), "private_globs": [], "tokenizer": str(file)}
    environment = {k: v for k, v in os.environ.items() if k != "XDG_CACHE_HOME"} | variables
    return subprocess.run(
        [sys.executable, "-m", "server.indexing"],
        input=json.dumps(request).encode(),
        cwd=ROOT,
        env=environment,
        capture_output=True,
        check=False,
    )


def test_few_workspaces_are_kept(root, tmp_path, byte_tokenizer, monkeypatch):
    monkeypatch.setattr(index_store, "MAX_WORKSPACES", 2)
    cache = tmp_path / "cache"
    (cache / "ours").mkdir(parents=True)
    for number in range(4):
        (tmp_path / f"{number}").mkdir()
        index_workspace(make_request(tmp_path / f"{number}", cache), byte_tokenizer)
    assert len(list(cache.iterdir())) == 3
    assert (cache / "ours").is_dir()  # no index of this kind


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / "tokens.bin").write_bytes(b""),
        lambda folder: (folder / "tokens.bin").write_bytes(b"\1"),
        lambda folder: (folder / "order.bin").unlink(),
        lambda folder: (folder / "files.json").write_text("["),
        lambda folder: (folder / "files.json").write_text("[" * 100_000),
        lambda folder: change(folder, format=9),
        lambda folder: change(folder, starts=[5, 0]),
        lambda folder: change(folder, starts=[0, 1 << 40]),
        lambda folder: change(folder, versions=[]),
        lambda folder: change(folder, token_bytes=3),
        lambda folder: np.full(24, 1 << 30, "<i4").tofile(folder / "order.bin"),
    ],
    ids=range(11),
)
def test_a_damaged_index_is_built_anew(damage, root, tmp_path, byte_tokenizer):
    """If it fails, a torn file ends suggestions, or the worker."""
    request = make_request(root, tmp_path / "cache")
    folder = index_workspace(request, byte_tokenizer)
    damage(folder)
    assert open_index(folder) is None
    again = index_workspace(request, byte_tokenizer)
    assert len(open_index(again).index.paths) == 2


def change(folder, **values):
    file = folder / "files.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **values}))


def test_what_does_not_fit_is_neither_read_nor_noticed_again(
    root, tmp_path, byte_tokenizer, monkeypatch
):
    """If it fails, a folder with everything keeps a processor busy."""
    monkeypatch.setattr(workspace_indexer, "MAX_TOKENS", 5)
    request = make_request(root, tmp_path / "cache")
    folder = index_workspace(request, byte_tokenizer)
    index = open_index(folder).index
    assert (len(index.paths), index.n_left_out) == (1, 1)
    assert index_workspace(request, byte_tokenizer) == folder
    (root / "inner" / "b.py").write_text("beta = 3\n")
    assert index_workspace(request, byte_tokenizer) != folder
