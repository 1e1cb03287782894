"""Makes the sample of general code that adaptations mix in.

Usage: ``python -m training.adaptation.make_replay --corpus FOLDER --out FILE``. Whole documents are
drawn evenly from the packages of a corpus' training split; held-out packages are never in it.
"""

import argparse
import gzip
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from training.foundation.extras import require_extra

if __name__ == "__main__":
    require_extra("train")  # before the imports that need it

import pyarrow.parquet as pq

from training.adaptation.heldout_files import draw
from training.adaptation.replay_sample import PATH_PREFIX, REPLAY_FILE, ReplayDocument
from training.foundation.atomic_files import write_bytes_atomically, write_text_atomically
from training.foundation.command_parser import command_parser, whole_number
from training.foundation.errors import CorpusError, run_main

_COLUMNS = ["package", "version", "path", "licence", "text"]
_MIN_CHARS, _MAX_CHARS = 1_000, 30_000
_PURPOSE = """\
Draw a sample of a corpus' training documents, evenly from its packages, to mix into
adaptations. Writes the sample, and beside it NOTICE with the packages and licences."""


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
    notice = "The sample holds source files of these packages, each under its own licence:\n\n"
    write_text_atomically(options.out.parent / "NOTICE", notice + "\n".join(packages) + "\n")
    sys.stdout.write(f"{options.out}: {len(documents)} documents of {len(packages)} packages\n")
    return 0


def _read(corpus: Path) -> Iterator[ReplayDocument]:
    for file in sorted((corpus / "train").glob("*.parquet")):
        for batch in pq.ParquetFile(file).iter_batches(batch_size=256, columns=_COLUMNS):
            for row in batch.to_pylist():
                if _MIN_CHARS <= len(row["text"]) <= _MAX_CHARS:
                    path = f"{PATH_PREFIX}{row['package']}/{row['path']}"
                    yield ReplayDocument(**{**row, "path": path})


def _choose(documents: Sequence[ReplayDocument], n_bytes: int) -> list[ReplayDocument]:
    """Returns documents of about ``n_bytes``, one from each package in turn."""
    packages: dict[str, list[ReplayDocument]] = {}
    for document in sorted(documents, key=lambda d: draw(d.path), reverse=True):
        packages.setdefault(document.package, []).append(document)
    chosen: list[ReplayDocument] = []
    total = 0
    while packages and total < n_bytes:
        for name in sorted(packages):
            chosen.append(packages[name].pop())
            total += len(chosen[-1].text.encode())
            if not packages[name]:
                del packages[name]
    return chosen


def _parser() -> argparse.ArgumentParser:
    parser = command_parser(
        "training.adaptation.make_replay",
        _PURPOSE,
        example="{prog} --corpus runs/corpus/default",
    )
    parser.add_argument("--corpus", type=Path, required=True, metavar="FOLDER", help="the corpus")
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
