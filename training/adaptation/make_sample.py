"""Makes a sample of general code for adaptations, to mix in or to measure on.

Usage: ``python -m training.adaptation.make_sample --corpus FOLDER --lock FILE --out FILE``. Whole
documents are drawn evenly from the packages of a corpus' training split; held-out packages are
never in it. The licences of the packages come from their archives.
"""

import argparse
import gzip
import sys
import sysconfig
from collections.abc import Iterator, Sequence
from pathlib import Path

from training.foundation.extras import require_extra

if __name__ == "__main__":
    require_extra("train")  # before the imports that need it

import pyarrow.parquet as pq
from packaging.utils import canonicalize_name

from training.adaptation.general_code import PATH_PREFIX, REPLAY_FILE, GeneralDocument
from training.adaptation.heldout_files import draw
from training.corpus.config import ArchiveLimits
from training.corpus.extraction.source_list import STDLIB_NAME
from training.corpus.fetching.archive_fetcher import ArchiveFetcher
from training.corpus.fetching.lock_file import read_lock
from training.corpus.readers.archives.archive_reader import read_archive
from training.corpus.readers.package_metadata import MetadataSearch
from training.corpus.readers.source_file import FileSelection
from training.foundation.atomic_files import write_bytes_atomically, write_text_atomically
from training.foundation.command_parser import command_parser, whole_number
from training.foundation.errors import CorpusError, run_main

_COLUMNS = ["package", "version", "path", "licence", "text"]
_NOTICE = "The sample holds source files of these packages, each under its own licence:"
_WITHOUT_FILE = "Their archives hold no licence file; the licence is the one stated above."
_MAX_LICENCE_BYTES = 1 << 20
_MIN_CHARS, _MAX_CHARS = 1_000, 30_000
_PURPOSE = """\
Draw a sample of a corpus' training documents, evenly from its packages, to mix into
adaptations (replay.jsonl.gz) or to measure on (unread.jsonl.gz). Writes the sample, and beside
it a NOTICE of the same name with the packages and licences."""


def main(argv: Sequence[str]) -> int:
    """Writes the sample and its NOTICE."""
    options = _parser().parse_args(argv)
    documents = _choose(list(_read(options.corpus)), options.bytes)
    if not documents:
        raise CorpusError(
            f"{options.corpus} has no training documents of {_MIN_CHARS} to {_MAX_CHARS}"
            " characters; name another --corpus"
        )
    lines = "".join(document.to_json_line() for document in documents)
    write_bytes_atomically(options.out, gzip.compress(lines.encode(), 9, mtime=0))
    packages = sorted({f"{d.package} {d.version}: {d.licence}" for d in documents})
    notice = [_NOTICE, "", *packages, "", *_quote_licences(options.lock, options.cache, documents)]
    name = options.out.name.removesuffix(".gz").removesuffix(".jsonl")
    write_text_atomically(options.out.with_name(f"{name}.NOTICE"), "\n".join(notice) + "\n")
    sys.stdout.write(f"{options.out}: {len(documents)} documents of {len(packages)} packages\n")
    return 0


def _quote_licences(lock: Path, cache: Path, documents: Sequence[GeneralDocument]) -> Iterator[str]:
    """Yields the licence text of every package, equal ones once."""
    texts: dict[str, list[str]] = {}
    names = {str(canonicalize_name(d.package)): d.package for d in documents}
    pins = [pin for pin in read_lock(lock) if str(canonicalize_name(pin.name)) in names]
    for pin, path in zip(pins, ArchiveFetcher(cache).fetch_all(pins), strict=True):
        name = names.pop(str(canonicalize_name(pin.name)), None)
        if name is not None:
            texts.setdefault(_read_licence(path), []).append(name)
    if names.pop(STDLIB_NAME, None):
        file = Path(sysconfig.get_path("stdlib"), "LICENSE.txt")
        texts.setdefault(_plain(file.read_text(encoding="utf-8")), []).append(STDLIB_NAME)
    if names:
        raise CorpusError(
            f"{lock} does not name {', '.join(sorted(names.values()))}, whose licences are copied;"
            " name the lock of the corpus"
        )
    for text, packages in sorted(texts.items(), key=lambda found: found[1]):
        yield from ("-" * 80, f"Licence of {', '.join(packages)}", "", text, "")


def _read_licence(archive: Path) -> str:
    """Returns the licence file highest in an archive, as plain lines."""
    selection = FileSelection(max_bytes=_MAX_LICENCE_BYTES)
    search = MetadataSearch()
    for file in read_archive(archive, ArchiveLimits(), selection):
        if not file.path.endswith(".py"):
            search.add(file)
    return _plain(search.licence_text()) or _WITHOUT_FILE


def _plain(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


def _read(corpus: Path) -> Iterator[GeneralDocument]:
    for file in sorted((corpus / "train").glob("*.parquet")):
        for batch in pq.ParquetFile(file).iter_batches(batch_size=256, columns=_COLUMNS):
            for row in batch.to_pylist():
                if _MIN_CHARS <= len(row["text"]) <= _MAX_CHARS:
                    path = f"{PATH_PREFIX}{row['package']}/{row['path']}"
                    yield GeneralDocument(**{**row, "path": path})


def _choose(documents: Sequence[GeneralDocument], n_bytes: int) -> list[GeneralDocument]:
    """Returns documents of about ``n_bytes``, one from each package in turn."""
    packages: dict[str, list[GeneralDocument]] = {}
    for document in sorted(documents, key=lambda d: draw(d.path), reverse=True):
        packages.setdefault(document.package, []).append(document)
    chosen: list[GeneralDocument] = []
    total = 0
    while packages and total < n_bytes:
        for name in sorted(packages):
            chosen.append(packages[name].pop())
            total += chosen[-1].n_bytes
            if not packages[name]:
                del packages[name]
    return chosen


def _parser() -> argparse.ArgumentParser:
    parser = command_parser(
        "training.adaptation.make_sample",
        _PURPOSE,
        example="{prog} --corpus runs/corpus/default --lock training/configs/python-corpus.lock",
    )
    parser.add_argument("--corpus", type=Path, required=True, metavar="FOLDER", help="the corpus")
    parser.add_argument(
        "--lock", type=Path, required=True, metavar="FILE", help="the lock of the corpus"
    )
    parser.add_argument(
        "--cache",
        type=Path,
        default=Path("runs/cache"),
        metavar="FOLDER",
        help="where its archives are (default: %(default)s)",
    )
    parser.add_argument(
        "--out", type=Path, default=REPLAY_FILE, metavar="FILE", help="default: %(default)s"
    )
    parser.add_argument(
        "--bytes",
        type=whole_number(1),
        default=4_000_000,
        help="size of the text (default: %(default)s)",
    )
    return parser


if __name__ == "__main__":
    sys.exit(run_main(main))
