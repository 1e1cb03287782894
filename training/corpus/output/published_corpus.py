"""A corpus that ``parrotlet publish corpus`` has sent to the Hub, as a corpus folder here again.

``paths.corpus = "hub:OWNER/NAME"`` names it, with ``@REVISION`` if wanted. Its two datasets are
streamed within the limits of our readers into a folder of the cache, a file at a time, from which
an interrupted command resumes. The report is made anew, for it is not published. Called by
``python -m training.prepare`` and ``python -m training.train_tokenizer``.
"""

import dataclasses
import hashlib
import json
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow.parquet as pq

from training.artifact.manifest import NOTICE_FILE
from training.config import RunConfig
from training.corpus.config import ArchiveLimits, CorpusConfig, RecordFields
from training.corpus.corpus_document import Document, to_table
from training.corpus.output.corpus_folder import hash_documents, hash_splits
from training.corpus.output.corpus_report import (
    CorpusReport,
    DuplicatesReport,
    FunnelStage,
    HeldoutReport,
    PackageReport,
    SizeTotals,
    SplitTotals,
    limit_size,
    write_report,
)
from training.corpus.readers.reading_limits import report_damage
from training.corpus.readers.records.hub_datasets import HubDataset, list_hub_files
from training.corpus.readers.records.record_parsing import RecordParser
from training.corpus.readers.records.record_slices import FileSlice, RecordFile, iterate_slice
from training.corpus_reader import HELDOUT, REPORT_FILE, TRAIN
from training.foundation.atomic_files import write_text_atomically
from training.foundation.errors import ConfigError, CorpusError
from training.foundation.folder_lock import folder_lock
from training.foundation.progress import progress_bar
from training.licensing.attribution import format_notice

HUB = "hub:"
ADVICE = "correct paths.corpus, or try again later"
MAX_DOCUMENT_BYTES = 64 << 20
_ROW_GROUP_DOCUMENTS = 500
_DATASETS = ((TRAIN, "train", "train"), (HELDOUT, "valid", "validation"))  # split, ending, theirs


def fetch_corpus(config: RunConfig) -> RunConfig:
    """Returns the config with a corpus on disk, which is fetched if it is one of the Hub.

    Raises:
        CorpusError: It does not exist, cannot be reached, or is damaged.
        ConfigError: The name is not one of a repository.
    """
    text = str(config.paths.corpus)
    if not text.startswith(HUB):
        return config
    name, _, revision = text.removeprefix(HUB).partition("@")
    if not name.strip("/"):
        raise ConfigError(f"paths.corpus is {text!r}, expected hub:OWNER/NAME")
    folder = _fetch(name, revision or None)
    paths = dataclasses.replace(config.paths, corpus=folder)
    return dataclasses.replace(config, paths=paths)


def _fetch(name: str, revision: str | None) -> Path:
    files = {
        split: list_hub_files(
            HubDataset(name=f"{name}-{ending}", split=theirs, revision=revision), ADVICE
        )
        for split, ending, theirs in _DATASETS
    }
    facts = [[split, f.path, f.n_bytes] for split, found in files.items() for f in found]
    digest = hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]
    folder = CorpusConfig.cache / "published" / f"{Path(name).name}-{digest}"
    folder.mkdir(parents=True, exist_ok=True)
    with folder_lock(folder, beside=True):
        if not (folder / REPORT_FILE).is_file():
            _fill(folder, files)
    return folder


@dataclass(kw_only=True)
class _Counts:
    """What the documents of a split amount to."""

    hashes: list[str] = field(default_factory=list)
    n_bytes: int = 0
    n_files: int = 0
    licences: Counter[str] = field(default_factory=Counter)
    licence_bytes: Counter[str] = field(default_factory=Counter)
    sizes: Counter[int] = field(default_factory=Counter)
    packages: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    package_bytes: Counter[tuple[str, str, str]] = field(default_factory=Counter)

    def add_file(self, path: Path) -> None:
        """Counts the documents of a file that was written here."""
        columns = ["package", "version", "licence", "sha256", "text"]
        self.n_files += 1
        for batch in pq.ParquetFile(path).iter_batches(_ROW_GROUP_DOCUMENTS, columns=columns):
            for row in batch.to_pylist():
                n_bytes = len(row["text"].encode())
                package = (row["package"], row["version"], row["licence"])
                self.hashes.append(row["sha256"])
                self.n_bytes += n_bytes
                self.licences[row["licence"]] += 1
                self.licence_bytes[row["licence"]] += n_bytes
                self.sizes[limit_size(n_bytes)] += 1
                self.packages[package] += 1
                self.package_bytes[package] += n_bytes


def _fill(folder: Path, files: dict[str, list[RecordFile]]) -> None:
    """Writes the missing files of a corpus, and then its report."""
    sys.stderr.write(f"fetching the corpus to {folder}\n")
    counts: dict[str, _Counts] = {}
    for split, found in files.items():
        counts[split] = _Counts()
        (folder / split).mkdir(exist_ok=True)
        with progress_bar(len(found), f"fetching {split}", "file") as bar:
            for number, file in enumerate(found):
                path = folder / split / f"part-{number:05d}.parquet"
                if not path.is_file():
                    _copy(file, path)
                counts[split].add_file(path)
                bar.update()
    if not counts[TRAIN].hashes:
        raise CorpusError(f"the published corpus has no training document; {ADVICE}")
    write_text_atomically(folder / NOTICE_FILE, format_notice(counts[TRAIN].packages))
    write_report(folder, _make_report(counts))


def _copy(file: RecordFile, path: Path) -> None:
    aside = path.with_suffix(".new")
    waiting: list[Document] = []
    with (
        report_damage(file.path, "is damaged", ADVICE),
        pq.ParquetWriter(aside, to_table([]).schema, compression="zstd") as writer,
    ):
        for document in _iterate_documents(file):
            waiting.append(document)
            if len(waiting) == _ROW_GROUP_DOCUMENTS:
                writer.write_table(to_table(waiting))
                waiting = []
        if waiting:
            writer.write_table(to_table(waiting))
    aside.replace(path)


def _iterate_documents(file: RecordFile) -> Iterator[Document]:
    parser = RecordParser(fields=RecordFields(), package="", max_bytes=MAX_DOCUMENT_BYTES)
    for read in iterate_slice(FileSlice(file=file), parser, ArchiveLimits()):
        for row in read.rows:
            found = parser.parse(row, read.number)
            if found.origin is None or found.problem is not None:
                raise ValueError(f"record {read.number}: {found.problem}")
            yield Document(
                package=found.origin.package,
                version=found.origin.version,
                path=found.path,
                licence=found.origin.licence,
                quality=found.origin.quality,
                text=found.data.decode(),
            )


def _make_report(counts: dict[str, _Counts]) -> CorpusReport:
    train, heldout = counts[TRAIN], counts[HELDOUT]
    licences = train.licences + heldout.licences
    licence_bytes = train.licence_bytes + heldout.licence_bytes
    sizes = train.sizes + heldout.sizes
    n_documents, n_bytes = licences.total(), licence_bytes.total()
    packages = [
        report for split in (TRAIN, HELDOUT) for report in _list_packages(split, counts[split])
    ]
    return CorpusReport(
        corpus_sha256=hash_splits([hash_documents(counts[s].hashes) for s in (HELDOUT, TRAIN)]),
        splits={
            split: SplitTotals(documents=len(c.hashes), bytes=c.n_bytes, files=c.n_files)
            for split, c in counts.items()
        },
        licences={
            name: SizeTotals(documents=n, bytes=licence_bytes[name])
            for name, n in licences.most_common()
        },
        drops={},
        redactions={},
        unparsable=0,
        heldout=HeldoutReport(
            by="package",
            packages=tuple(sorted({name for name, _, _ in heldout.packages})),
            documents=len(heldout.hashes),
            bytes=heldout.n_bytes,
            share=heldout.n_bytes / n_bytes,
            missing=(),
        ),
        funnel=(FunnelStage(stage="published", documents=n_documents),),
        sizes={str(size): sizes[size] for size in sorted(sizes)},
        duplicates=DuplicatesReport(clusters=0, documents=0, bytes=0, largest=()),
        packages=tuple(sorted(packages, key=lambda package: -package.kept_bytes)),
        config={},
        inputs_sha256="",
        seconds=0.0,
    )


def _list_packages(split: str, counts: _Counts) -> Iterator[PackageReport]:
    for (name, version, licence), n in counts.packages.items():
        n_bytes = counts.package_bytes[name, version, licence]
        yield PackageReport(
            package=name,
            version=version,
            licence=licence,
            licence_source="published",
            licence_not_allowed=(),
            warnings=(),
            files=n,
            bytes=n_bytes,
            drops={},
            examples={},
            redactions={},
            unparsable=0,
            split=split,
            kept_files=n,
            kept_bytes=n_bytes,
        )
