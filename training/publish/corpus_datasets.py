"""A corpus as two dataset repositories: ``OWNER/NAME-train`` and ``OWNER/NAME-valid``.

The validation is the held-out split, or the last file of the training split where nothing is held
out. Each repository has a card and a NOTICE of its own documents. The corpus' report stays here: it
names local folders. Called by ``python -m training.publish corpus``.
"""

import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from training.artifact.directory import CARD_FILE
from training.artifact.manifest import NOTICE_FILE
from training.attribution import format_notice
from training.corpus.output.dataset_card import render_front_matter
from training.corpus_reader import HELDOUT, TRAIN, read_corpus_hash
from training.foundation.errors import CorpusError
from training.publish.hub import Hub
from training.publish.publishable_files import within
from training.publish.sender import persistently

VALIDATION = "validation"  # as datasets calls it
_FILES_PER_COMMIT, _BYTES_PER_COMMIT = 32, 2 << 30
_CARD = """{head}
# Python source code: {split}

{documents:,} documents of {packages:,} packages, {megabytes:,.1f} MB of Parquet. Each document
keeps its package, version, path, SPDX licence and SHA-256; `NOTICE` names all packages. {split_by}
Made by Parrotlet; SHA-256 of the whole corpus: `{corpus}`.

| licence | documents |
|---|---|
{licences}

```python
load_dataset("{repo}", split="{split}", streaming=True)
```
"""


@dataclass(frozen=True, kw_only=True)
class Split:
    """The files of one repository."""

    name: str
    repo: str
    files: Sequence[Path]
    split_by: str
    corpus_sha256: str

    @property
    def names(self) -> dict[str, Path]:
        """The files by their paths in the repository."""
        return {f"{self.name}/{file.name}": file for file in self.files}


@dataclass(kw_only=True)
class Contents:
    """What a split's documents are: of which packages, under which licences."""

    packages: set[tuple[str, str, str]] = field(default_factory=set)
    licences: Counter[str] = field(default_factory=Counter)

    @classmethod
    def of(cls, files: Sequence[Path]) -> "Contents":
        """Reads three columns of Parquet files, some rows at a time."""
        found = cls()
        columns = ["package", "version", "licence"]
        for file in files:
            try:
                for batch in pq.ParquetFile(file).iter_batches(columns=columns):
                    rows = [batch[column].to_pylist() for column in columns]
                    found.packages.update(zip(*rows, strict=True))
                    found.licences.update(rows[-1])
            except (OSError, pa.ArrowException, KeyError) as error:
                raise CorpusError(f"{file} is damaged ({error}); build the corpus again") from error
        return found


def splits(corpus: Path, repo: str) -> tuple[Split, ...]:
    """Returns what goes to the train and to the validation repository.

    Raises:
        CorpusError: The corpus is not finished, or there is nothing to validate on.
    """
    sha256 = read_corpus_hash(corpus)
    train, heldout = (
        [within(corpus, file) for file in sorted((corpus / split).glob("*.parquet"))]
        for split in (TRAIN, HELDOUT)
    )
    split_by = "The validation split contains whole packages, none of which is in training."
    if not heldout:
        train, heldout = train[:-1], train[-1:]
        split_by = "The validation split is the corpus' last file; a package may be in both splits."
    if not train:
        raise CorpusError(
            f"{corpus} has one file and no held-out documents, so nothing to validate on; build it"
            " again with 'heldout_share' or 'heldout', or fewer 'rows_per_file'"
        )
    return tuple(
        Split(
            name=name,
            repo=f"{repo}-{end}",
            files=files,
            split_by=split_by,
            corpus_sha256=sha256,
        )
        for name, end, files in ((TRAIN, "train", train), (VALIDATION, "valid", heldout))
    )


def publish_split(split: Split, *, private: bool) -> str:
    """Makes a dataset repository hold a split, and nothing of another corpus.

    Files go in commits of bounded size, the card in the last; those that are there already are not
    sent again.

    Returns:
        The repository's address.

    Raises:
        HubError: The same call goes on where this one has stopped.
    """
    hub = Hub(split.repo, "dataset", shows_progress=True)
    where = persistently(lambda: hub.make(private=private))
    with tempfile.TemporaryDirectory() as folder:
        card, notice = Path(folder) / CARD_FILE, Path(folder) / NOTICE_FILE
        contents = Contents.of(split.files)
        card.write_text(card_text(split, contents), encoding="utf-8")
        notice.write_text(format_notice(contents.packages), encoding="utf-8")
        names, folder_of_old = split.names, f"{split.name}/"
        for batch in batches(names):
            persistently(partial(hub.commit, batch, message=_title(batch)))
        persistently(
            lambda: hub.commit(
                {CARD_FILE: card, NOTICE_FILE: notice},
                message="Card and attribution",
                replaces=lambda name: name.startswith(folder_of_old) and name not in names,
            )
        )
    return where


def batches(files: Mapping[str, Path]) -> Iterator[dict[str, Path]]:
    """Yields files in groups that one commit takes."""
    batch: dict[str, Path] = {}
    n_bytes = 0
    for name, file in files.items():
        size = file.stat().st_size
        if batch and (len(batch) == _FILES_PER_COMMIT or n_bytes + size > _BYTES_PER_COMMIT):
            yield batch
            batch, n_bytes = {}, 0
        batch[name] = file
        n_bytes += size
    yield batch


def card_text(split: Split, contents: Contents) -> str:
    """Returns a repository's card: what this split holds, not the corpus."""
    return _CARD.format(
        head=render_front_matter({split.name: f"{split.name}/*.parquet"}),
        split=split.name,
        repo=split.repo,
        documents=contents.licences.total(),
        packages=len({name for name, _, _ in contents.packages}),
        megabytes=sum(file.stat().st_size for file in split.files) / 1e6,
        split_by=split.split_by,
        corpus=split.corpus_sha256,
        licences="\n".join(f"| {name} | {n:,} |" for name, n in contents.licences.most_common()),
    )


def _title(names: Mapping[str, Path]) -> str:
    first, *_, last = [*names, *names]
    return first if first == last else f"{first} to {last}"
