"""Attribution: the NOTICE of a corpus, and of a model trained on it, and that model's licence.

One line per package: name, version, SPDX licence. Called by
:mod:`training.corpus.output.corpus_writer` and :mod:`training.pretrain`.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from training.artifact.bundled import resolve_artifact
from training.artifact.manifest import NOTICE_FILE
from training.foundation.errors import CorpusError
from training.foundation.foreign_text import read_bounded, replace_surrogates
from training.licensing.licences import find_disallowed

DOCUMENTS_FILE = "train.documents.parquet"
# Those of our own corpora (training/configs).
PERMISSIVE = frozenset(
    {
        *("0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "BSL-1.0", "CC0-1.0", "ISC"),
        *("MIT", "PSF-2.0", "Python-2.0", "Unlicense", "Zlib"),
    }
)
_MAX_NOTICE_BYTES = 64 << 20
_HEAD = "Trained on source code of these packages, each under its own licence:\n\n"


def format_notice(packages: Iterable[tuple[str, str, str]], *, earlier: str = "") -> str:
    """Returns the text of a NOTICE.

    Args:
        packages: Name, version and licence of each document's package, in any order.
        earlier: The NOTICE of the model that training started from; its packages are kept.
    """
    lines = {format_line(*package) for package in packages}
    lines.update(earlier.removeprefix(_HEAD).split("\n"))
    return _HEAD + "".join(f"{line}\n" for line in sorted(lines - {""}))


def format_line(name: str, version: str, licence: str) -> str:
    """Returns a package's line of a NOTICE; what would end the line becomes a blank."""
    line = f"{name} {version}".strip() + f": {licence}"
    return replace_surrogates(" ".join(line.splitlines()))


def build_model_notice(packages: Iterable[tuple[str, str, str]], start_from: Path | None) -> str:
    """Returns the NOTICE of a model.

    Args:
        packages: Name, version and licence of what it was trained on (:func:`list_packages`).
        start_from: The artifact that training started from, if any.
    """
    earlier = "" if start_from is None else read_notice(resolve_artifact(start_from))
    return format_notice(packages, earlier=earlier)


def read_notice(artifact: Path) -> str:
    """Returns the NOTICE of an artifact, "" if it has none.

    Raises:
        ForeignDataError: It is too large.
    """
    file = artifact / NOTICE_FILE
    if not file.is_file():
        return ""
    return read_bounded(file, _MAX_NOTICE_BYTES).decode("utf-8", "replace")


def choose_model_licence(notice: str, licences: Iterable[str], start_from: Path | None) -> str:
    """Returns a model's licence as the Hub spells it: Apache's, or "other".

    Apache's if everything that it was trained on is under permissive licences, also what the model
    was trained on that it started from.

    Args:
        notice: The model's NOTICE.
        licences: Those of the training documents, as SPDX expressions.
        start_from: The artifact that training started from, if any.
    """
    found = {line.rpartition(": ")[2] for line in notice.removeprefix(_HEAD).splitlines()}
    found |= set(licences)
    is_known = start_from is None or (resolve_artifact(start_from) / NOTICE_FILE).is_file()
    is_permissive = not any(find_disallowed(expression, PERMISSIVE) for expression in found)
    return "apache-2.0" if found and is_known and is_permissive else "other"


def list_packages(shards: Path) -> set[tuple[str, str, str]]:
    """Returns name, version and licence of the packages of a shard folder's training documents.

    Raises:
        CorpusError: The table of documents is missing or damaged.
    """
    documents = read_document_table(shards, ["package", "version", "licence"])
    return {(row["package"], row["version"], row["licence"]) for row in documents}


def count_licences(shards: Path) -> Counter[str]:
    """Returns how many training documents of a shard folder each licence has.

    Raises:
        CorpusError: The table of documents is missing or damaged.
    """
    return Counter(row["licence"] for row in read_document_table(shards, ["licence"]))


def read_document_table(shards: Path, columns: Sequence[str] | None = None) -> list[dict[str, str]]:
    """Returns the training documents of a shard folder, in the order of their numbers.

    Args:
        shards: The shard folder.
        columns: What to read of each; None for everything.

    Raises:
        CorpusError: The table is missing or damaged.
    """
    path = shards / DOCUMENTS_FILE
    names = None if columns is None else list(columns)
    try:
        with path.open("rb") as file:  # Parquet's library opens no name that is not UTF-8
            rows = pq.read_table(file, columns=names).to_pylist()
    except (OSError, pa.ArrowException, UnicodeDecodeError) as error:
        raise CorpusError(f"{path} is damaged or missing; prepare the shards again") from error
    found = [{column: value or "" for column, value in row.items()} for row in rows]
    for row in found:
        if not set(columns or row) <= row.keys() or not all(
            isinstance(v, str) for v in row.values()
        ):
            raise CorpusError(f"{path} lacks a column of text; prepare the shards again")
    return found
