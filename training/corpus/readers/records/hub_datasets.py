"""Finds the files of records of a Hub dataset, or of a folder laid out like one.

The library :mod:`datasets` finds the files, of a revision that is pinned to its commit; they are
then read within the limits of our own readers. No code of a dataset is run. Called by
:mod:`training.corpus.extraction.source_list` and by streamed training.
"""

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from training.corpus.readers.reading_limits import report_damage
from training.corpus.readers.records.record_files import expand_zip
from training.corpus.readers.records.record_slices import SUFFIXES, RecordFile
from training.foundation.errors import CorpusError

HUB_ADVICE = "correct sources.hub, or try again later"
TRAIN = "train"
_ARCHIVE_OF_MANY = "zip://"  # the library unpacks archives by such names


@dataclass(frozen=True, kw_only=True)
class HubDataset:
    """Which files of which dataset.

    Attributes:
        name: ``OWNER/NAME``, or a folder.
        config: The configuration; empty for the only one.
        split: The split.
        revision: A branch, a tag or a commit; None for the newest state.
        data_dir: A folder of the dataset, to read only its files.
        data_files: Patterns of the files to read, instead of a configuration's.
    """

    name: str
    config: str = ""
    split: str = TRAIN
    revision: str | None = None
    data_dir: str | None = None
    data_files: tuple[str, ...] = ()

    @classmethod
    def parse(
        cls, text: str, *, data_dir: str | None = None, data_files: tuple[str, ...] = ()
    ) -> "HubDataset":
        """Reads ``NAME``, ``NAME:CONFIG`` or ``NAME:CONFIG:SPLIT``, each with ``@REVISION``.

        Raises:
            CorpusError: The name is empty.
        """
        name, _, revision = (text, "", "") if Path(text).exists() else text.partition("@")
        dataset, config, split = (*name.split(":"), "", "")[:3]
        if not dataset.strip():
            raise CorpusError(
                "a dataset of the Hub has an empty name; write OWNER/NAME, or remove it"
            )
        return cls(
            name=dataset,
            config=config,
            split=split or TRAIN,
            revision=revision or None,
            data_dir=data_dir,
            data_files=data_files,
        )


def list_hub_files(dataset: HubDataset, advice: str = HUB_ADVICE) -> list[RecordFile]:
    """Lists the files of records of a dataset, in its own order.

    Raises:
        CorpusError: It does not exist, cannot be reached, or has no such files.
    """
    with report_damage(f"the dataset {dataset.name}", "cannot be read", advice):
        paths = _find_paths(dataset, advice)
    unreadable = [path for path in paths if not path.endswith(SUFFIXES)]
    if unreadable or not paths:
        raise CorpusError(
            f"the dataset {dataset.name} cannot be read: its files are {unreadable[:1] or 'none'},"
            f" expected {', '.join(SUFFIXES)}; {advice}"
        )
    with report_damage(f"the dataset {dataset.name}", "cannot be read", advice):
        files = [RecordFile(path=path, n_bytes=_measure_file(path)) for path in paths]
        return [found for file in files for found in expand_zip(file, advice)]


def _find_paths(dataset: HubDataset, advice: str) -> list[str]:
    tqdm.set_lock(threading.RLock())  # its own would need a semaphore of the system
    from datasets import load_dataset_builder  # noqa: PLC0415 - slow to import, rarely needed

    data_files: Any = list(dataset.data_files) or None
    builder = load_dataset_builder(
        dataset.name,
        dataset.config or None,
        revision=dataset.revision,
        data_dir=dataset.data_dir,
        data_files=data_files,
    )
    files = builder.config.data_files or {}
    if files and dataset.split not in files:
        raise CorpusError(
            f"the dataset {dataset.name} has no split {dataset.split!r}: found"
            f" {', '.join(map(str, files))}; {advice} (NAME:CONFIG:SPLIT)"
        )
    return [_strip_archive(str(path)) for path in files.get(dataset.split, ())]


def _strip_archive(path: str) -> str:
    """Returns the path of an archive that the library names by what it would take out of it."""
    return path.rpartition("::")[2] if path.startswith(_ARCHIVE_OF_MANY) else path


def _measure_file(path: str) -> int:
    import fsspec  # noqa: PLC0415 - comes with datasets

    storage, name = fsspec.core.url_to_fs(path)
    return int(storage.size(name) or 0)
