"""Makes git repositories for the tests: good ones with git, hostile ones byte by byte."""

import hashlib
import os
import shutil
import struct
import subprocess
import zlib
from pathlib import Path

import pytest

MIT = (
    "Permission is hereby granted, free of charge, to any person obtaining a copy of this software"
    " and associated documentation files\n"
)
OWN = "All rights reserved. No part of this may be copied.\n"
TEXT = "def double(value):\n    return value + value\n\n" * 8
_ENVIRONMENT = {
    **{k: v for k, v in os.environ.items() if not k.startswith("GIT_")},
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    **{f"GIT_{who}_{what}": "a@b" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
}


def git(folder, *arguments, data=None):
    """Runs git, and returns what it prints; the test is skipped where there is no git."""
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    command = ["git", "-c", "protocol.file.allow=always", "-C", str(folder), *arguments]
    done = subprocess.run(command, env=_ENVIRONMENT, input=data, capture_output=True, check=False)
    assert not done.stderr or done.returncode == 0, done.stderr
    return done.stdout.strip(b"\n").decode("utf-8", "replace")


def make_repository(folder, *versions, options=()):
    """Makes a repository with a commit for each mapping of paths to texts; a None removes."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    git(folder, "init", "-q", "-b", "main", *options)
    for files in versions:
        for name, text in files.items():
            path = Path(folder) / name
            if text is None:
                path.unlink()
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text if isinstance(text, bytes) else text.encode())
        git(folder, "add", "-A")
        git(folder, "commit", "-q", "--allow-empty", "-m", "a commit")
    return Path(folder)


class BareMaker:
    """A bare repository without git; objects may be anything."""

    def __init__(self, folder):
        self.folder = Path(folder)
        for name in ("objects/pack", "refs/heads"):
            (self.folder / name).mkdir(parents=True)
        (self.folder / "HEAD").write_text("ref: refs/heads/main\n")

    def add(self, kind, data, *, level=-1):
        """Writes a loose object and returns its id."""
        header = f"{kind} {len(data)}\0".encode()
        name = hashlib.sha1(header + data).hexdigest()
        file = self.folder / "objects" / name[:2] / name[2:]
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(zlib.compress(header + data, level))
        return name

    def add_tree(self, *entries):
        """Writes a tree of (mode, name, id)."""
        return self.add(
            "tree",
            b"".join(
                f"{mode:o} ".encode() + name + b"\0" + bytes.fromhex(i) for mode, name, i in entries
            ),
        )

    def commit(self, tree):
        """Makes main a commit of a tree."""
        found = self.add("commit", f"tree {tree}\nauthor a <a> 0 +0000\n\nx\n".encode())
        (self.folder / "refs/heads/main").write_text(found + "\n")
        return self.folder

    def add_pack(self, entries):
        """Writes a pack of (id, entry bytes) and its index."""
        data, offsets = b"PACK" + struct.pack(">II", 2, len(entries)), {}
        for name, entry in entries:
            offsets[bytes.fromhex(name)] = len(data)
            data += entry
        ids = sorted(offsets)
        fanout = [sum(i[0] <= n for i in ids) for n in range(256)]
        index = b"\xfftOc" + struct.pack(">I256I", 2, *fanout) + b"".join(ids)
        index += b"\0" * 4 * len(ids) + b"".join(struct.pack(">I", offsets[i]) for i in ids)
        (self.folder / "objects/pack/pack-a.pack").write_bytes(data)
        (self.folder / "objects/pack/pack-a.idx").write_bytes(index)


def pack_header(kind, size):
    """Returns the header of a pack's entry."""
    first, rest = size & 15, size >> 4
    header = bytearray([kind << 4 | first | (0x80 if rest else 0)])
    while rest:
        header.append(rest & 0x7F | (0x80 if rest >> 7 else 0))
        rest >>= 7
    return bytes(header)


def varint(size):
    """Returns a size as deltas have it."""
    out = bytearray()
    while True:
        out.append(size & 0x7F | (0x80 if size >> 7 else 0))
        size >>= 7
        if not size:
            return bytes(out)
