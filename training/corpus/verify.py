"""``python -m training.corpus.verify FOLDER``: checks a corpus against its report.

Reads every document again, a row group at a time: its hash, how many there are and how large, by
split, package and licence. Nothing is changed. Run it on a corpus that came from elsewhere.
"""

import hashlib
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from training.foundation.extras import require_extra

if __name__ == "__main__":
    require_extra("train")  # before the imports that need it

from training.artifact.manifest import NOTICE_FILE
from training.corpus.extraction.source_reader import BEYOND_LIMITS
from training.corpus.output.corpus_writer import SPLITS, TRAIN
from training.corpus_reader import read_report, read_rows, row_groups
from training.foundation.command_parser import command_parser
from training.foundation.errors import CorpusError, InvalidResultError, run_main
from training.foundation.progress import progress_bar

_COLUMNS = ["package", "version", "licence", "sha256", "text"]


@dataclass(kw_only=True)
class Recount:
    """What the Parquet files of one split hold."""

    documents: int = 0
    n_bytes: int = 0
    damaged: int = 0  # documents whose text is not the one that was hashed
    hashes: list[str] = field(default_factory=list)
    licences: Counter[str] = field(default_factory=Counter)
    licence_bytes: Counter[str] = field(default_factory=Counter)
    packages: Counter[str] = field(default_factory=Counter)

    def add(self, row: Mapping[str, str]) -> None:
        """Counts one document."""
        data = row["text"].encode()
        sha256 = hashlib.sha256(data).hexdigest()
        self.damaged += sha256 != row["sha256"]
        self.documents += 1
        self.n_bytes += len(data)
        self.hashes.append(sha256)
        self.licences[row["licence"]] += 1
        self.licence_bytes[row["licence"]] += len(data)
        self.packages[row["package"]] += 1


def main(argv: Sequence[str]) -> int:
    """Prints one line if data and report agree.

    Raises:
        InvalidResultError: They do not; it names every difference.
    """
    parser = command_parser(
        "training.corpus.verify",
        "Check a corpus against its report: read every document again and compare hashes, counts\n"
        "and sizes by split, package and licence. Changes nothing; exit code 4 if they differ.",
        example="{prog} runs/corpus/default",
    )
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="a corpus")
    folder = parser.parse_args(argv).folder
    report = read_report(folder)
    try:
        found = {split: recount(folder, split, report) for split in SPLITS}
        differences = [*_differences(found, report), *_unnamed(folder, found[TRAIN])]
    except (KeyError, TypeError, IndexError, AttributeError) as error:
        raise CorpusError(
            f"the report of {folder} lacks {error}; build the corpus again"
        ) from error
    if differences:
        raise InvalidResultError(
            f"{folder} differs from its report: {'; '.join(differences)}; build the corpus again"
        )
    totals = ", ".join(f"{split} {r.documents} documents" for split, r in found.items())
    sha256 = report["corpus_sha256"]
    sys.stdout.write(f"{folder} matches its report: {totals}, SHA-256 {sha256}\n")
    return 0


def recount(folder: Path, split: str, report: Mapping[str, Any]) -> Recount:
    """Reads a split's documents; an empty split has no files."""
    found = Recount()
    if not report["splits"][split]["files"]:
        return found
    groups = row_groups(folder, split)
    with progress_bar(len(groups), f"recounting {split}", "group") as bar:
        for group in groups:
            for row in read_rows(group, _COLUMNS):
                found.add(row)
            bar.update()
    return found


def _differences(found: Mapping[str, Recount], report: Mapping[str, Any]) -> list[str]:
    """Returns sentences, none if all agrees."""
    pairs: list[tuple[str, object, object]] = []
    for split, counted in found.items():
        totals = report["splits"][split]
        pairs += [
            (f"{split} documents", counted.documents, totals["documents"]),
            (f"{split} bytes", counted.n_bytes, totals["bytes"]),
            (f"{split} texts that differ from their hash", counted.damaged, 0),
        ]
    parts = [hashlib.sha256("".join(sorted(f.hashes)).encode()).hexdigest() for f in found.values()]
    whole = hashlib.sha256("".join(parts).encode()).hexdigest()
    n_documents = sum(f.documents for f in found.values())
    packages = report["packages"]
    pairs += [
        ("corpus SHA-256", whole, report["corpus_sha256"]),
        ("licences", _licences(found), report["licences"]),
        ("end of the funnel", n_documents, report["funnel"][-1]["documents"]),
        ("sizes", n_documents, sum(report["sizes"].values())),
        ("kept files", n_documents, sum(p["kept_files"] for p in packages)),
        ("drops", _dropped(report), _explained(report)),
    ]
    return [f"{name}: {ours} in the data, {theirs} in the report" for name, ours, theirs in pairs
            if ours != theirs]  # fmt: skip


def _licences(found: Mapping[str, Recount]) -> dict[str, dict[str, int]]:
    documents = sum((f.licences for f in found.values()), Counter[str]())
    n_bytes = sum((f.licence_bytes for f in found.values()), Counter[str]())
    return {name: {"documents": documents[name], "bytes": n_bytes[name]} for name in documents}


def _dropped(report: Mapping[str, Any]) -> int:
    """Returns how many files were read and not kept."""
    return sum(p["files"] - p["kept_files"] for p in report["packages"])


def _explained(report: Mapping[str, Any]) -> int:
    """Returns how many files a reason is given for; an archive beyond limits is no file."""
    return sum(n for reason, n in report["drops"].items() if reason != BEYOND_LIMITS)


def _unnamed(folder: Path, train: Recount) -> list[str]:
    notice = (folder / NOTICE_FILE).read_text(encoding="utf-8")
    named = {line.split(":")[0].split(" ")[0] for line in notice.splitlines()[2:]}
    return [f"{NOTICE_FILE} does not name {name}" for name in train.packages if name not in named]


if __name__ == "__main__":
    sys.exit(run_main(main))
