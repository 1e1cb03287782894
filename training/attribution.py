"""Attribution: the NOTICE of a corpus, and of a model trained on it.

One line per package: name, version, SPDX licence. Called by
:mod:`training.corpus.output.corpus_writer` and :mod:`training.pretrain`.
"""

from collections.abc import Iterable
from pathlib import Path

import pyarrow.parquet as pq

from training.artifact.bundled import resolve_artifact
from training.artifact.manifest import NOTICE_FILE
from training.foundation.foreign_text import replace_surrogates

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


def build_model_notice(shards: Path, start_from: Path | None) -> str:
    """Returns the NOTICE of a model trained on a shard folder.

    Args:
        shards: The shard folder; its table of training documents is read.
        start_from: The artifact that training started from, if any.
    """
    columns = ["package", "version", "licence"]
    table = pq.read_table(shards / "train.documents.parquet", columns=columns)
    packages = set(zip(*(table[column].to_pylist() for column in columns), strict=True))
    file = None if start_from is None else resolve_artifact(start_from) / NOTICE_FILE
    earlier = file.read_text(encoding="utf-8") if file is not None and file.is_file() else ""
    return format_notice(packages, earlier=earlier)
