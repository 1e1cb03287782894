"""Which files a run streams, which of them it validates on, and their slices.

Called by :mod:`training.stream.training_data`.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from math import ceil
from pathlib import Path, PurePosixPath

from training.config import StreamConfig
from training.corpus.extraction.source_list import find_records
from training.corpus.readers.records.hub_datasets import HubDataset, list_hub_files
from training.corpus.readers.records.record_files import list_record_files
from training.corpus.readers.records.record_slices import FileSlice, RecordFile
from training.foundation.errors import ConfigError

LAST = "last"
SLICE_BYTES = 64 << 20  # of plain JSON lines, which can be entered anywhere
LEAST_SLICE_BYTES = 256 << 10
SLICES_PER_LANE = 4  # so that lanes are about equally long
_ENDS_BYTES = 1 << 16
_FILES_ADVICE = "correct stream.files"
_HUB_ADVICE = "correct stream.hub, or try again later"


@dataclass(frozen=True, kw_only=True)
class StreamFiles:
    """The files of a stream.

    Attributes:
        train: Those that are trained on.
        heldout: Those that are validated on, and nothing else; usually none.
        sha256: Hash over what they are called and contain, as far as that is known without reading
            them: a remote file by its commit, a local one by its size and both of its ends.
    """

    train: tuple[RecordFile, ...]
    heldout: tuple[RecordFile, ...]
    sha256: str


def list_stream_files(config: StreamConfig) -> StreamFiles:
    """Lists the files that a config names.

    Raises:
        CorpusError: There are none, or they cannot be read.
        ConfigError: All of them are held out, or a pattern finds none to hold out.
    """
    if config.hub is not None:
        dataset = HubDataset.parse(
            config.hub, data_dir=config.data_dir, data_files=tuple(config.data_files)
        )
        files = list_hub_files(dataset, _HUB_ADVICE)
    else:
        files = [
            file
            for pattern in config.files
            for path in find_records(pattern, key="stream.files")
            for file in list_record_files(path, _FILES_ADVICE)
        ]
    heldout = _select_heldout(files, config.heldout_files)
    train = [file for file in files if file not in heldout]
    if not train:
        raise ConfigError(
            f"stream.heldout_files holds out all {len(files)} files, so none is left to train on;"
            " narrow the pattern"
        )
    facts = [[_describe(file), file in heldout] for file in files]
    return StreamFiles(
        train=tuple(train),
        heldout=tuple(heldout),
        sha256=hashlib.sha256(json.dumps(facts).encode()).hexdigest(),
    )


def slice_files(files: Sequence[RecordFile], n_lanes: int) -> list[FileSlice]:
    """Returns the slices of all files: at least one for each lane, more where that costs nothing.

    A file that must be read from its beginning is only divided if there are fewer files than lanes,
    since each of its slices reads all of it.
    """
    found = []
    least = ceil(n_lanes / len(files))
    for file in files:
        count = least
        if file.is_plain_lines:
            wanted = ceil(SLICES_PER_LANE * n_lanes / len(files))
            count = max(least, min(wanted, file.n_bytes // LEAST_SLICE_BYTES))
            count = max(count, ceil(file.n_bytes / SLICE_BYTES))
        found += [FileSlice(file=file, index=index, count=count) for index in range(count)]
    return found


def _select_heldout(files: Sequence[RecordFile], patterns: Iterable[str]) -> list[RecordFile]:
    found: list[RecordFile] = []
    for pattern in patterns:
        matches = list(files[-1:]) if pattern == LAST else [f for f in files if _fits(f, pattern)]
        if not matches:
            raise ConfigError(
                f"stream.heldout_files: none of the {len(files)} files matches {pattern}; name some"
                ' of them, or "last"'
            )
        found += [file for file in matches if file not in found]
    return found


def _fits(file: RecordFile, pattern: str) -> bool:
    """Returns whether a pattern matches a file's path, or the end of it."""
    parts = PurePosixPath(file.name.replace("\\", "/")).parts
    ends = ("/".join(parts[i:]) for i in range(len(parts)))
    return fnmatchcase(file.name, pattern) or any(fnmatchcase(end, pattern) for end in ends)


def _describe(file: RecordFile) -> list[str | int]:
    if file.is_remote:
        return [file.path, file.member, file.n_bytes]
    with Path(file.path).open("rb") as opened:
        digest = hashlib.sha256(opened.read(_ENDS_BYTES))
        opened.seek(max(0, opened.seek(0, 2) - _ENDS_BYTES))
        digest.update(opened.read(_ENDS_BYTES))
    return [os.fsencode(Path(file.path).name).hex(), file.member, file.n_bytes, digest.hexdigest()]
