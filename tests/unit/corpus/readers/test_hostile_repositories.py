"""Repositories made to read elsewhere, to run something, or to cost more than their size."""

import random
import shutil
import struct
import time
import zlib

import pytest
from doubles.repository_maker import (
    MIT,
    OWN,
    TEXT,
    BareMaker,
    git,
    make_repository,
    pack_header,
    varint,
)
from fuzzing import FUZZ_SECONDS, measure, mutate

from training.corpus.config import ArchiveLimits, CorpusConfig, SourcesConfig
from training.corpus.extraction.source_list import list_sources
from training.corpus.readers.git_repository.commit_reader import read_commit, resolve_commit
from training.corpus.readers.source_contents import open_source
from training.corpus.readers.source_file import FileSelection
from training.foundation.errors import CorpusError, ParrotletError

MIB = 1 << 20
SELECTION = FileSelection(max_bytes=MIB)


def read(folder, revision="HEAD"):
    settings = CorpusConfig(
        out="out",
        licences=("MIT",),
        decontaminate=(),
        sources=SourcesConfig(git=(f"{folder}@{revision}",)),
    )
    (source,) = list_sources(settings)
    contents = open_source(source, settings)
    return contents.beyond_limits or {file.path: file.data for file in contents.files}


@pytest.fixture
def private(tmp_path):
    return make_repository(tmp_path / "private", {"LICENSE": MIT, "secret.py": TEXT})


def lead(folder, private):
    folder.mkdir()
    (folder / ".git").write_text(f"gitdir: {private}/.git\n")


def link_git(folder, private):
    folder.mkdir()
    (folder / ".git").symlink_to(private / ".git")


def lead_through_worktree(folder, private):
    """A worktree of nobody, whose common folder is the private repository."""
    fake = folder / "fake/worktrees/x"
    fake.mkdir(parents=True)
    (folder / ".git").write_text("gitdir: fake/worktrees/x\n")
    (fake / "gitdir").write_text(f"{folder}/.git\n")
    (fake / "commondir").write_text(f"{private}/.git\n")
    shutil.copy(private / ".git/HEAD", fake / "HEAD")


def common(folder, private):
    make_repository(folder)
    (folder / ".git/commondir").write_text(f"{private}/.git\n")


def link_objects(folder, private):
    make_repository(folder)
    shutil.rmtree(folder / ".git/objects")
    (folder / ".git/objects").symlink_to(private / ".git/objects")
    copy_main(folder, private)


def link_each_object(folder, private):
    make_repository(folder)
    for place in (private / ".git/objects").iterdir():
        shutil.rmtree(folder / ".git/objects" / place.name, ignore_errors=True)
        (folder / ".git/objects" / place.name).symlink_to(place)
    copy_main(folder, private)


def borrow(folder, private):
    make_repository(folder)
    (folder / ".git/objects/info/alternates").write_text(f"{private}/.git/objects\n")
    copy_main(folder, private)


def link_branches(folder, private):
    make_repository(folder)
    shutil.rmtree(folder / ".git/refs")
    (folder / ".git/refs").symlink_to(private / ".git/refs")


def point_worktree(folder, private):
    make_repository(folder)
    git(folder, "config", "core.worktree", str(private))
    git(folder, "config", "include.path", str(private / ".git/config"))


def copy_main(folder, private):
    shutil.copy(private / ".git/refs/heads/main", folder / ".git/refs/heads/main")


@pytest.mark.parametrize(
    "make",
    [lead, link_git, lead_through_worktree, common, link_objects, link_each_object, borrow,
     link_branches, point_worktree],
)  # fmt: skip
def test_no_other_repository_is_read_unasked(tmp_path, private, make):
    """If it fails, a stranger's folder puts a person's private code into a corpus."""
    folder = tmp_path / "bait"
    make(folder, private)
    with pytest.raises(CorpusError) as raised:
        read(folder)
    assert "\n" not in str(raised.value)
    assert set(read(private)) == {"secret.py"}


def test_nothing_of_a_configuration_runs(tmp_path):
    """If it fails, listing a stranger's repository in a config runs the stranger's program."""
    mark = tmp_path / "ran"
    folder = make_repository(
        tmp_path / "r",
        {"a.py": TEXT, ".gitattributes": "*.py filter=x diff=x"},
    )
    (tmp_path / "more").write_text(f"[core]\n\tfsmonitor = touch {mark}\n")
    with (folder / ".git/config").open("a") as file:
        file.write(
            f"[core]\n\tfsmonitor = touch {mark}\n\tsshCommand = touch {mark}\n\thooksPath = h\n"
            f"\tpager = touch {mark}\n\tgitProxy = touch {mark}\n"
            f"[include]\n\tpath = {tmp_path}/more\n[extensions]\n\tpartialClone = origin\n"
            f'[remote "origin"]\n\turl = ext::touch {mark}\n\tpromisor = true\n'
            f'[filter "x"]\n\tclean = touch {mark}\n\tprocess = touch {mark}\n'
            f'[diff "x"]\n\ttextconv = touch {mark}\n[alias]\n\tlog = !touch {mark}\n'
        )
    for place in (folder / ".git/hooks", folder / "h"):
        place.mkdir(exist_ok=True)
        for hook in ("post-checkout", "fsmonitor-watchman", "reference-transaction", "pre-commit"):
            (place / hook).write_text(f"#!/bin/sh\ntouch {mark}\n")
            (place / hook).chmod(0o755)
    assert read(folder) == {"a.py": TEXT.encode()}
    missing = git(folder, "rev-parse", "HEAD:a.py")
    (folder / ".git/objects" / missing[:2] / missing[2:]).unlink()
    with pytest.raises(CorpusError, match="partial clone"):
        read(folder)
    assert not mark.exists()


def make_tree_bomb(maker):
    blob = maker.add("blob", TEXT.encode())
    tree = maker.add_tree(*((0o100644, b"%d.py" % n, blob) for n in range(10)))
    for _ in range(12):
        tree = maker.add_tree(*((0o40000, b"%d" % n, tree) for n in range(10)))
    maker.commit(tree)


def make_deep_tree(maker):
    tree = maker.add_tree((0o100644, b"a.py", maker.add("blob", TEXT.encode())))
    for _ in range(3000):
        tree = maker.add_tree((0o40000, b"d", tree))
    maker.commit(tree)


def make_wide_tree(maker):
    blob = maker.add("blob", b"x = 1\n" * 100_000)
    maker.commit(maker.add_tree(*((0o100644, b"%06d.py" % n, blob) for n in range(50_000))))


def make_loose_blob_bomb(maker):
    blob = maker.add("blob", bytes(100 * MIB), level=1)
    maker.commit(maker.add_tree((0o100644, b"a.py", blob)))


def make_loose_tree_bomb(maker):
    maker.commit(maker.add("tree", bytes(100 * MIB), level=1))


def make_lying_sizes(maker):
    blob = maker.add("blob", TEXT.encode())
    file = maker.folder / "objects" / blob[:2] / blob[2:]
    file.write_bytes(zlib.compress(b"blob 9\0" + bytes(100 * MIB)))
    maker.commit(maker.add_tree((0o100644, b"a.py", blob)))


def make_huge_number(maker):
    blob = maker.add("blob", TEXT.encode())
    file = maker.folder / "objects" / blob[:2] / blob[2:]
    file.write_bytes(zlib.compress(b"blob " + b"9" * 30 + b"\0x"))
    maker.commit(maker.add_tree((0o100644, b"a.py", blob)))


def make_delta_bomb(maker):
    """A chain of deltas each of which repeats its base: 64 MiB from a few hundred bytes."""
    base = b"x = 1\n" * 11_000
    entries = [("00" * 20, pack_header(3, len(base)) + zlib.compress(base))]
    size = len(base)
    for n in range(1, 60):
        times = min(10, (60 * MIB) // size) or 1
        copy = b"".join(
            bytes([0x80 | 0x70, *(size if size < 1 << 24 else (1 << 24) - 1).to_bytes(3, "little")])
            for _ in range(times)
        )
        after = times * min(size, (1 << 24) - 1)
        delta = varint(size) + varint(after) + copy
        packed = zlib.compress(delta)
        distance = len(entries[-1][1])
        assert distance < 128 or n == 1
        back = bytes([distance]) if distance < 128 else encode_distance(distance)
        entries.append((f"{n:040x}", pack_header(6, len(delta)) + back + packed))
        size = after
    maker.add_pack(entries)
    maker.commit(maker.add_tree((0o100644, b"a.py", f"{59:040x}")))


def encode_distance(distance):
    out = [distance & 0x7F]
    while distance := distance >> 7:
        distance -= 1
        out.append(0x80 | distance & 0x7F)
    return bytes(reversed(out))


def make_delta_cycle(maker):
    ids = [f"{n:040x}" for n in range(2)]
    delta = varint(9) + varint(9) + b"\x90\x09"
    packed = pack_header(7, len(delta))
    maker.add_pack(
        [(ids[n], packed + bytes.fromhex(ids[1 - n]) + zlib.compress(delta)) for n in range(2)]
    )
    maker.commit(maker.add_tree((0o100644, b"a.py", ids[0])))


def make_packed_blob_bomb(maker):
    data = pack_header(3, 100 * MIB) + zlib.compress(bytes(100 * MIB), 1)
    maker.add_pack([("11" * 20, data)])
    maker.commit(maker.add_tree((0o100644, b"a.py", "11" * 20)))


def make_packed_tree_bomb(maker):
    data = pack_header(2, 60 * MIB) + zlib.compress(bytes(60 * MIB), 1)
    maker.add_pack([("11" * 20, data)])
    maker.commit("11" * 20)


def make_tag_chain(maker):
    found = maker.commit(maker.add_tree())
    tag = (found / "refs/heads/main").read_text().strip()
    for _ in range(1000):
        tag = maker.add("tag", f"object {tag}\ntype commit\ntag t\n\n".encode())
    (found / "refs/heads/main").write_text(tag)


def make_large_refs(maker):
    maker.commit(maker.add_tree())
    (maker.folder / "refs/heads/main").write_bytes(b"a" * MIB)


@pytest.mark.parametrize(
    "make", [value for name, value in list(globals().items()) if name.startswith("make_") and
             name != "make_repository"],
)  # fmt: skip
def test_no_repository_costs_more_than_its_size(tmp_path, make):
    """If it fails, a repository of a few KB takes all memory, or hours."""
    maker = BareMaker(tmp_path / "r")
    make(maker)
    outcome, seconds, mib = measure(lambda: read(maker.folder))
    assert "Error" not in outcome or outcome.startswith(("CorpusError", "BeyondLimitsError")), (
        outcome
    )
    assert "\\n" not in outcome
    assert seconds < 8
    assert mib < (250 if make is make_delta_bomb else 90), outcome


@pytest.mark.parametrize("packed", [False, True])
def test_fuzz_damaged_repositories(tmp_path, packed):
    """Whatever is damaged: what is read is what was committed, or one sentence says why not."""
    chance = random.Random(int(packed))
    texts = [TEXT + f"x{n} = {n}\n" for n in range(6)]
    folder = make_repository(
        tmp_path / "r", *({"LICENSE": MIT, "a.py": t, f"p{n}/b.py": t} for n, t in enumerate(texts))
    )
    git(folder, "tag", "-a", "v1", "-m", "t")
    if packed:
        git(folder, "repack", "-q", "-a", "-d", "-f")
        git(folder, "pack-refs", "--all")
    known = {text.encode() for text in texts}
    top = folder / ".git"
    files = [p for p in top.rglob("*") if p.is_file() and "hooks" not in p.parts]
    content = {file: file.read_bytes() for file in files}
    for file in files:
        file.chmod(0o644)
    n_read, said = 0, []
    for file in budget(files, chance):
        file.write_bytes(mutate(content[file] or b"x", chance))
        try:
            for revision in ("HEAD", "v1~1"):
                commit = resolve_commit(folder, revision)
                for found in read_commit(folder, commit, ArchiveLimits(), SELECTION):
                    assert found.path == "LICENSE" or found.data in known, file
                    n_read += 1
        except ParrotletError as error:
            said.append(str(error))
        file.write_bytes(content[file])
    assert n_read > 20
    assert said
    assert not [sentence for sentence in said if "\n" in sentence]


def budget(files, chance):
    """Yields files until the seconds for fuzzing are over."""
    deadline = time.monotonic() + FUZZ_SECONDS
    while time.monotonic() < deadline:
        yield chance.choice(files)


def test_a_proprietary_repository_stays_out_whatever_lies_in_its_work_tree(tmp_path):
    folder = make_repository(tmp_path / "r", {"LICENSE": OWN, "a.py": TEXT})
    (folder / "LICENSE").write_text(MIT)
    (folder / "PKG-INFO").write_text("Name: other\nLicense-Expression: MIT\n")
    settings = CorpusConfig(
        out="out", licences=("MIT",), sources=SourcesConfig(git=(str(folder),)), decontaminate=()
    )
    (source,) = list_sources(settings)
    assert (source.metadata.name, source.metadata.licence) == ("r", "UNKNOWN")


def test_an_index_of_version_one_is_read(tmp_path):
    folder = make_repository(tmp_path / "r", {"a.py": TEXT, "b.py": TEXT + "b = 1\n"})
    git(folder, "-c", "pack.indexVersion=1", "repack", "-q", "-a", "-d", "-f")
    (index,) = (folder / ".git/objects/pack").glob("*.idx")
    assert index.read_bytes()[:4] != b"\xfftOc"
    assert len(read(folder)) == 2
    count = struct.unpack(">I", index.read_bytes()[1020:1024])[0]
    assert count == 4
