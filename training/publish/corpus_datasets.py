"""A corpus as two dataset repositories: ``OWNER/NAME-train`` and ``OWNER/NAME-valid``.

The validation dataset is the held-out split, or the last file of the training split if nothing is
held out. Each repository has a card and a NOTICE for its own documents. The corpus report is not
published, because it names local folders. Called by ``python -m training.publish corpus``.
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
from training.corpus.output.corpus_report import read_report
from training.corpus.output.dataset_card import render_front_matter
from training.corpus.output.dataset_history import render_history
from training.corpus_reader import HELDOUT, TRAIN, read_corpus_hash
from training.foundation.errors import CorpusError
from training.licensing.attribution import format_notice
from training.publish.hub import Hub
from training.publish.publishable_files import resolve_within
from training.publish.sender import retry

VALIDATION = "validation"  # the name that datasets uses
_FILES_PER_COMMIT, _BYTES_PER_COMMIT = 32, 2 << 30
_CARD = """{head}
# Python source code: {split}

{documents:,} documents of {packages:,} packages, {megabytes:,.1f} MB of Parquet. Each document
keeps its package, version, path, SPDX licence and SHA-256; `NOTICE` names all packages. {split_by}
Made by Parrotlet; SHA-256 of the whole corpus: `{corpus}`.

| licence | documents |
|---|---|
{licences}

{history}

```python
load_dataset("{repo}", split="{split}", streaming=True)
```
"""


@dataclass(frozen=True, kw_only=True)
class DatasetSplit:
    """The files of one dataset repository."""

    name: str
    repo: str
    files: Sequence[Path]
    split_by: str
    corpus_sha256: str
    history: str = ""  # how the corpus was made, as Markdown

    @property
    def files_by_path(self) -> dict[str, Path]:
        """The files by their path in the repository."""
        return {f"{self.name}/{file.name}": file for file in self.files}


@dataclass(kw_only=True)
class SplitContents:
    """The packages and licences of a split's documents."""

    packages: set[tuple[str, str, str]] = field(default_factory=set)
    licences: Counter[str] = field(default_factory=Counter)

    @property
    def names(self) -> set[str]:
        """The packages without their versions."""
        return {name for name, _, _ in self.packages}

    @classmethod
    def read(cls, files: Sequence[Path]) -> "SplitContents":
        """Reads the columns it needs from Parquet files, in batches of rows."""
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


def plan_splits(corpus: Path, repo: str) -> tuple[DatasetSplit, ...]:
    """Returns the splits for the train and the validation repository.

    Raises:
        CorpusError: The corpus is unfinished, or nothing is left to validate on.
    """
    sha256 = read_corpus_hash(corpus)
    train, heldout = (
        [resolve_within(corpus, file) for file in sorted((corpus / split).glob("*.parquet"))]
        for split in (TRAIN, HELDOUT)
    )
    if not heldout:
        train, heldout = train[:-1], train[-1:]
        split_by = "The validation split is the corpus' last file; a package may be in both splits."
    elif SplitContents.read(train).names & SplitContents.read(heldout).names:
        split_by = "The validation split has single documents; a package may be in both splits."
    else:
        split_by = "The validation split contains whole packages, none of which is in training."
    if not train:
        raise CorpusError(
            f"{corpus} has one file and no held-out documents, so nothing to validate on; build it"
            " again with 'heldout_share' or 'heldout', or fewer 'rows_per_file'"
        )
    history = _read_history(corpus)
    return tuple(
        DatasetSplit(
            name=name,
            repo=f"{repo}-{end}",
            files=files,
            split_by=split_by,
            corpus_sha256=sha256,
            history=history,
        )
        for name, end, files in ((TRAIN, "train", train), (VALIDATION, "valid", heldout))
    )


def _read_history(corpus: Path) -> str:
    try:
        return render_history(read_report(corpus))
    except CorpusError:  # of another version, which has no such report
        return "How it was made is not recorded in this version."


def publish_split(split: DatasetSplit, *, private: bool) -> str:
    """Uploads a split to its dataset repository, and removes the files of earlier corpora.

    The files are sent in commits of bounded size, the card in the last; files that the repository
    already has are not sent again.

    Returns:
        The repository's URL and visibility.

    Raises:
        HubError: The upload failed; the same call resumes it.
    """
    hub = Hub(split.repo, "dataset", shows_progress=True)
    url = retry(lambda: hub.create(private=private))
    with tempfile.TemporaryDirectory() as folder:
        card, notice = Path(folder) / CARD_FILE, Path(folder) / NOTICE_FILE
        contents = SplitContents.read(split.files)
        card.write_text(render_card(split, contents), encoding="utf-8")
        notice.write_text(format_notice(contents.packages), encoding="utf-8")
        files, old_folder = split.files_by_path, f"{split.name}/"
        for batch in batch_files(files):
            retry(partial(hub.commit, batch, message=_describe_batch(batch)))
        retry(
            lambda: hub.commit(
                {CARD_FILE: card, NOTICE_FILE: notice},
                message="Card and attribution",
                replaces=lambda name: name.startswith(old_folder) and name not in files,
            )
        )
    return url


def batch_files(files: Mapping[str, Path]) -> Iterator[dict[str, Path]]:
    """Yields files in groups that fit into one commit."""
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


def render_card(split: DatasetSplit, contents: SplitContents) -> str:
    """Returns a repository's card, which describes this split alone."""
    return _CARD.format(
        head=render_front_matter({split.name: f"{split.name}/*.parquet"}),
        split=split.name,
        repo=split.repo,
        documents=contents.licences.total(),
        packages=len({name for name, _, _ in contents.packages}),
        megabytes=sum(file.stat().st_size for file in split.files) / 1e6,
        split_by=split.split_by,
        corpus=split.corpus_sha256,
        history=split.history,
        licences="\n".join(f"| {name} | {n:,} |" for name, n in contents.licences.most_common()),
    )


def _describe_batch(names: Mapping[str, Path]) -> str:
    first, *_, last = [*names, *names]
    return first if first == last else f"{first} to {last}"
