"""Repositories of every shape: what git reads is read, everything else is one sentence."""

import os
import random
import subprocess
from pathlib import Path

import pytest
from doubles.repository_maker import MIT, OWN, TEXT, BareMaker, git, make_repository

from training.corpus.config import ArchiveLimits, CorpusConfig, SourcesConfig
from training.corpus.extraction.source_list import list_sources
from training.corpus.input_hash import hash_inputs
from training.corpus.readers.git_repository.commit_reader import (
    DAMAGED_PATH,
    LFS_POINTER,
    read_commit,
    resolve_commit,
    split_revision,
)
from training.corpus.readers.git_repository.git_directory import read_config
from training.corpus.readers.source_contents import open_source
from training.corpus.readers.source_file import FileSelection
from training.foundation.errors import CorpusError, ParrotletError

LIMITS = ArchiveLimits()


def config(*names, **more):
    sources = SourcesConfig(git=tuple(map(str, names)), **more)
    return CorpusConfig(out=Path("out"), licences=("MIT",), decontaminate=(), sources=sources)


def read(folder, revision="HEAD", max_bytes=1_000_000):
    commit = resolve_commit(folder, revision)
    return {
        file.path: file
        for file in read_commit(folder, commit, LIMITS, FileSelection(max_bytes=max_bytes))
    }


def read_texts(folder, revision="HEAD"):
    return {path: file.data.decode() for path, file in read(folder, revision).items()}


@pytest.fixture
def upstream(tmp_path):
    files = {"LICENSE": MIT, "pkg/a.py": TEXT, "pkg/b.py": TEXT + "b = 1\n"}
    return make_repository(tmp_path / "up", files, {"pkg/a.py": TEXT + "a = 2\n"})


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("format_", ["sha1", "sha256"])
def test_what_git_lists_is_read(tmp_path, packed, format_):
    """If it fails, files of a repository are missing from a corpus, or are others."""
    chance = random.Random(0)
    lines = [f"value_{i} = {chance.random()}\n" for i in range(3000)]
    versions = []
    for i in range(6):
        lines[chance.randrange(3000)] = f"changed = {i}\n"
        versions.append({"src/a.py": "".join(lines), f"src/{i}/b.py": "".join(lines[i * 9 :])})
    folder = make_repository(tmp_path / "r", *versions, options=["--object-format", format_])
    git(folder, "tag", "-a", "v1", "-m", "a tag")
    if packed:
        git(folder, "repack", "-q", "-a", "-d", "-f", "--depth=50")
        git(folder, "pack-refs", "--all")
        assert not list((folder / ".git/refs/heads").iterdir())
    for revision in ("HEAD", "main", "v1", "v1^{}", "HEAD~3", "main~2^", "@"):
        wanted = git(folder, "ls-tree", "-r", "--name-only", revision).split("\n")
        assert list(read(folder, revision)) == wanted, revision
        assert resolve_commit(folder, revision) == git(folder, "rev-parse", revision + "^{commit}")
        text = git(folder, "show", f"{revision}:src/a.py")
        assert read_texts(folder, revision)["src/a.py"].strip() == text, revision
    short = git(folder, "rev-parse", "HEAD~1")[:9]
    assert resolve_commit(folder, short).startswith(short)


def test_bare_mirrored_and_shared_names(upstream, tmp_path):
    git(tmp_path, "clone", "-q", "--bare", upstream, "billing.git")
    git(tmp_path, "clone", "-q", "--mirror", upstream, "at@home.git")
    for name in ("billing.git", "at@home.git", "at@home.git@HEAD"):
        (source,) = list_sources(config(tmp_path / name))
        assert source.metadata.name == name.split(".")[0]
        assert source.metadata.licence == "MIT"
        files = list(open_source(source, config()).files)
        assert [file.path for file in files] == ["pkg/a.py", "pkg/b.py"]


def test_a_revision_is_behind_the_last_at_that_leads_nowhere(tmp_path):
    (tmp_path / "at@home").mkdir()
    assert split_revision(f"{tmp_path}/at@home") == (tmp_path / "at@home", "HEAD")
    assert split_revision(f"{tmp_path}/at@home@v1@2") == (tmp_path / "at@home", "v1@2")
    assert split_revision("nowhere@v1") == (Path("nowhere"), "v1")
    assert split_revision("nowhere") == (Path("nowhere"), "HEAD")


def test_the_licence_and_the_name_are_those_of_the_commit(tmp_path):
    """If it fails, a proprietary release is trained on because a later one is free."""
    project = '[project]\nname = "{}"\nlicense = "{}"\n'
    folder = make_repository(
        tmp_path / "r",
        {"LICENSE": OWN, "a.py": TEXT},
        {"LICENSE": MIT},
        {"pyproject.toml": project.format("Real.Name", "Apache-2.0")},
        {"pyproject.toml": None, "LICENSE": None},
    )
    (folder / "LICENSE").write_text(MIT)  # untracked
    git(tmp_path, "clone", "-q", "--bare", folder, "bare.git")
    for place, name in ((folder, "r"), (tmp_path / "bare.git", "bare")):
        found = [list_sources(config(f"{place}@HEAD~{back}"))[0].metadata for back in (3, 2, 1, 0)]
        assert [m.licence for m in found] == ["UNKNOWN", "MIT", "Apache-2.0", "UNKNOWN"]
        assert [m.name for m in found] == [name, name, "Real.Name", name]
    assert list_sources(config(folder, folder_licence="MIT"))[0].metadata.licence == "MIT"


def test_worktrees_and_submodules_are_read(upstream, tmp_path):
    git(upstream, "worktree", "add", "-q", tmp_path / "linked", "-b", "side")
    outer = make_repository(tmp_path / "outer", {"o.py": TEXT})
    git(outer, "submodule", "--quiet", "add", upstream, "sub")
    git(outer, "commit", "-q", "-m", "sub")
    assert set(read(tmp_path / "linked")) == set(read(outer / "sub")) == set(read(upstream))
    assert set(read(outer)) == {"o.py"}
    (tmp_path / "beside").mkdir()
    git(tmp_path, "clone", "-q", "--bare", upstream, "beside/.bare")
    (tmp_path / "beside/.git").write_text("gitdir: ./.bare\n")
    assert set(read(tmp_path / "beside")) == set(read(upstream))


def test_quotes_and_backslashes_in_a_configuration(tmp_path):
    """If it fails, a worktree is refused because there is a quote in its path."""
    folder = make_repository(tmp_path / "r")
    for value in ('/a"b', "/a\\b", '"', "/a;b "):
        git(folder, "config", "a.path", value)
        assert read_config(folder / ".git")["a.path"] == value


def test_odd_names_links_and_pointers(tmp_path):
    folder = tmp_path / "r"
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d\nsize 12345\n"
    folder.mkdir()
    (folder / "away.py").symlink_to("/etc/passwd")
    make_repository(folder, {"lfs.py": pointer, b"caf\xe9.py".decode("utf-8", "surrogateescape"):
                             TEXT, "new\nline.py": TEXT, "large.py": TEXT * 9})  # fmt: skip
    found = read(folder, max_bytes=1000)
    assert set(found) == {"caf\ufffd.py", "large.py", "lfs.py", "new\nline.py"}
    assert (found["lfs.py"].problem, found["large.py"].problem) == (LFS_POINTER, "too large")
    for file in found.values():
        file.path.encode()


@pytest.mark.parametrize(
    ("name", "make", "message"),
    [
        ("nothing", lambda folder: None, "is not a git repository"),
        ("a file", lambda folder: folder.write_text("x"), "is not a git repository"),
        ("objects", lambda folder: (folder / "objects").mkdir(parents=True), "is not a git rep"),
        ("empty", make_repository, "nor a first one"),
        ("a blob", lambda f: git(make_repository(f, {"a.py": TEXT}), "tag", "HEAD2", "HEAD:a.py"),
         r"has a blob where a commit is expected"),
        ("loop", lambda f: (make_repository(f), (f / ".git/refs/heads/main").write_text(
            "ref: refs/heads/main\n")), "names of names without an end"),
        ("outside", lambda f: (make_repository(f), (f / ".git/HEAD").write_text(
            "ref: ../../../../etc/passwd\n")), "no commit"),
        ("HEAD", lambda f: (make_repository(f), (f / ".git/HEAD").write_bytes(b"\xff\0\xfe")),
         "damaged HEAD"),
        ("pipe", lambda f: (make_repository(f), (f / ".git/HEAD").unlink(),
                            os.mkfifo(f / ".git/HEAD")), "not a regular file"),
        ("reftable", lambda f: git(make_repository(f, {"a.py": TEXT}), "config",
                                   "extensions.refStorage", "reftable"), "whole id"),
    ],
)  # fmt: skip
def test_what_is_no_repository_is_one_sentence(tmp_path, name, make, message):
    """If it fails, a mistake in a config, or a stranger's repository, ends in a traceback."""
    folder = tmp_path / "r"
    make(folder)
    revision = "HEAD2" if name == "a blob" else "HEAD"
    with pytest.raises(CorpusError, match=message) as raised:
        list_sources(config(f"{folder}@{revision}"))
    assert "\n" not in str(raised.value)
    assert str(folder) in str(raised.value)


def test_a_reftable_is_not_touched_and_an_id_is_read(upstream):
    """If it fails, reading a repository removes its branches."""
    head = git(upstream, "rev-parse", "HEAD")
    git(upstream, "config", "extensions.refStorage", "reftable")
    before = sorted(upstream.rglob("*"))
    assert set(read(upstream, head)) == {"LICENSE", "pkg/a.py", "pkg/b.py"}
    assert sorted(upstream.rglob("*")) == before


@pytest.mark.parametrize(
    ("options", "revision", "message"),
    [
        (["--filter=blob:none", "--no-checkout"], "HEAD", "partial clone; clone it again without"),
        (["--filter=tree:0", "--no-checkout"], "HEAD", "partial clone; clone it again without"),
        (["--depth=1"], "HEAD~1", "git fetch --unshallow"),
        (["--shared"], "HEAD", "git repack -a -d"),
    ],
)
def test_clones_that_lack_objects_say_what_to_do(upstream, tmp_path, options, revision, message):
    for name in ("allowFilter", "allowAnySHA1InWant"):
        git(upstream, "config", f"uploadpack.{name}", "true")
    url = str(upstream) if "--shared" in options else f"file://{upstream}"
    git(tmp_path, "clone", "-q", *options, url, "clone")
    with pytest.raises(CorpusError, match=message):
        read(tmp_path / "clone", revision)


def test_a_shallow_clone_of_what_is_asked_for_is_enough(upstream, tmp_path):
    git(tmp_path, "clone", "-q", "--depth=1", f"file://{upstream}", "clone")
    assert read_texts(tmp_path / "clone") == read_texts(upstream)


@pytest.mark.skipif(os.geteuid() != 0, reason="gives files to another user")
def test_a_repository_of_another_user_is_read(upstream):
    """git refuses one, because its configuration might run; here nothing does."""
    subprocess.run(["chown", "-R", "12345", upstream], check=True)
    assert len(read(upstream)) == 3


def test_names_in_trees_lead_nowhere(tmp_path):
    maker = BareMaker(tmp_path / "r")
    blob = maker.add("blob", TEXT.encode())
    names = [b"../../up.py", b"/etc/a.py", b"..", b".git", b"ok.py", b"a\\b.py"]
    below = maker.add_tree((0o100644, b"x.py", blob))
    maker.commit(maker.add_tree(*(
        (0o40000, n, below) if n in {b"..", b".git"} else (0o100644, n, blob) for n in names
    )))  # fmt: skip
    found = read(maker.folder)
    assert {p for p, file in found.items() if file.problem is None} == {"ok.py", "a\\b.py"}
    assert {file.problem for file in found.values()} == {None, DAMAGED_PATH}


def test_a_licence_that_comes_or_goes_changes_the_hash(tmp_path):
    """If it fails, a finished corpus keeps files whose licence was changed since."""
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "a.py").write_text(TEXT)
    settings = config(folders=(folder,))
    hashes = [hash_inputs(settings)]
    for name, text in (
        ("LICENSE", MIT),
        ("LICENSE", MIT.swapcase()),
        ("COPYING.txt", OWN),
        ("pyproject.toml", "x = 1"),
        ("PKG-INFO", "Name: x"),
    ):
        (folder / name).write_text(text)
        os.utime(folder / name, (1, 1))
        hashes.append(hash_inputs(settings))
    (folder / "LICENSE").unlink()
    hashes.append(hash_inputs(settings))
    assert len(set(hashes)) == len(hashes)


def test_a_changed_notebook_changes_the_hash_if_notebooks_are_read(tmp_path):
    """If it fails, a finished corpus keeps the code of a notebook that was changed since."""
    hashes = {False: set(), True: set()}
    for text in ("{}", '{"cells": []}'):
        (tmp_path / "n.ipynb").write_text(text)
        for notebooks, found in hashes.items():
            found.add(hash_inputs(config(folders=(tmp_path,), notebooks=notebooks)))
    assert {notebooks: len(found) for notebooks, found in hashes.items()} == {False: 1, True: 2}


def test_errors_of_the_system_are_sentences(upstream, monkeypatch):
    if os.geteuid() == 0:
        monkeypatch.setattr(os, "open", lambda *_: (_ for _ in ()).throw(PermissionError(13, "no")))
    else:
        (upstream / ".git/HEAD").chmod(0)
    with pytest.raises(ParrotletError, match="cannot be read"):
        resolve_commit(upstream, "HEAD")
