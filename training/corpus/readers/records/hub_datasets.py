"""Reads the records of a Hub dataset, or of a folder laid out like one, as a stream.

The library :mod:`datasets` finds the files; JSON lines and Parquet are then read within the limits
of our own readers. Files of other formats are left to the library. No code of a dataset is run.
Called by :mod:`training.corpus.readers.source_contents`.
"""

import threading
from collections.abc import Iterator
from typing import Any

from tqdm import tqdm

from training.corpus.config import ArchiveLimits
from training.corpus.readers.reading_limits import report_damage
from training.corpus.readers.records.record_files import SUFFIXES, iterate_rows
from training.corpus.readers.records.record_parsing import RecordParser
from training.corpus.readers.source_file import SourceFile
from training.foundation.errors import CorpusError

_ADVICE = "correct sources.hub, or try again later"
TRAIN = "train"


def read_hub(name: str, parser: RecordParser, limits: ArchiveLimits) -> Iterator[SourceFile]:
    """Yields the records of a Hub dataset, ``NAME``, ``NAME:CONFIG`` or ``NAME:CONFIG:SPLIT``.

    Raises:
        CorpusError: The dataset cannot be read.
    """
    if not name.partition(":")[0].strip():
        raise CorpusError("sources.hub has an empty name; name a dataset of the Hub, or remove it")
    with report_damage(f"the dataset {name}", "cannot be read", _ADVICE):
        rows = _iterate_dataset(name, parser, limits)
        for number, row in enumerate(rows, start=1):
            yield parser.parse(row, number)


def _iterate_dataset(name: str, parser: RecordParser, limits: ArchiveLimits) -> Iterator[object]:
    tqdm.set_lock(threading.RLock())  # its own would need a semaphore of the system
    from datasets import load_dataset_builder  # noqa: PLC0415 - slow to import, rarely needed

    dataset, config, split = (*name.split(":"), "", "")[:3]
    split = split or TRAIN
    builder = load_dataset_builder(dataset, config or None)
    files = builder.config.data_files or {}
    if files and split not in files:
        raise CorpusError(
            f"the dataset {name} has no split {split!r}: found {', '.join(map(str, files))};"
            " correct sources.hub (NAME:CONFIG:SPLIT)"
        )
    paths = [str(path) for path in files.get(split, ())]
    if not paths or not all(path.endswith(SUFFIXES) and "::" not in path for path in paths):
        yield from builder.as_streaming_dataset(split=split)
        return
    for path in paths:
        yield from _iterate_file(path, parser, limits)


def _iterate_file(path: str, parser: RecordParser, limits: ArchiveLimits) -> Iterator[object]:
    """Yields the rows of a local file, or of one on the Hub."""
    import fsspec  # noqa: PLC0415 - comes with datasets

    file: Any = fsspec.open(path, "rb")
    with report_damage(path, "is damaged", _ADVICE), file as opened:
        yield from iterate_rows(opened, path, parser, limits)
