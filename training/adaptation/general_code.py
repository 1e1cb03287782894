"""General code that comes with Parrotlet, so that a model that learns a repository forgets little.

Two samples, each of documents with their packages and licences, which a ``NOTICE`` of the same name
quotes: ``replay.jsonl.gz``, of the default corpus' training split, is mixed into what is learned;
``unread.jsonl.gz``, of packages that no corpus here trains on (``training/configs/
corpus-unread.toml``), only measures what was forgotten, which code that the model was trained on
overstates. ``python -m training.adaptation.make_sample`` makes both.
"""

import gzip
import io
import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from training.adaptation.heldout_files import draw
from training.foundation.errors import CorpusError, ForeignDataError
from training.foundation.foreign_text import as_object, parse_json, read_bounded

REPLAY_FILE = Path(__file__).with_name("replay.jsonl.gz")
UNREAD_FILE = Path(__file__).with_name("unread.jsonl.gz")
PATH_PREFIX = "replay/"  # of all paths in a sample
_MAX_PACKED_BYTES, _MAX_BYTES = 64 << 20, 512 << 20
_MAX_DOCUMENT_BYTES = 4 << 20


@dataclass(frozen=True, kw_only=True)
class GeneralDocument:
    """A document of general code."""

    package: str
    version: str
    path: str
    licence: str
    text: str

    @property
    def n_bytes(self) -> int:
        """The size of its text."""
        return len(self.text.encode())

    def to_json_line(self) -> str:
        """Returns it as a record of a corpus."""
        return json.dumps(vars(self)) + "\n"


def read_sample(file: Path) -> list[GeneralDocument]:
    """Returns the documents of a sample in the order in which they are taken.

    Raises:
        CorpusError: It is damaged.
    """
    try:
        packed = read_bounded(file, _MAX_PACKED_BYTES)
        return sorted(_parse(packed), key=lambda document: draw(document.path))
    except FileNotFoundError:
        return []  # left out of an installation: nothing is mixed in, or measured
    except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
        raise CorpusError(f"{file} is damaged ({error}); install Parrotlet again") from error


def _parse(packed: bytes) -> Iterator[GeneralDocument]:
    n_bytes = 0
    with gzip.open(io.BytesIO(packed)) as stream:
        while line := stream.readline(_MAX_DOCUMENT_BYTES):
            n_bytes += len(line)
            if n_bytes > _MAX_BYTES:
                raise ForeignDataError("it unpacks to implausibly much")
            row = as_object(parse_json(line))
            names = GeneralDocument.__dataclass_fields__
            yield GeneralDocument(**{name: str(row[name]) for name in names})


def take_bytes(documents: Sequence[GeneralDocument], n_bytes: int) -> list[GeneralDocument]:
    """Returns the first documents, of about ``n_bytes`` together; all if they have fewer."""
    taken: list[GeneralDocument] = []
    total = 0
    for document in documents:
        if total >= n_bytes:
            break
        taken.append(document)
        total += document.n_bytes
    return taken


def choose_prefix(own_paths: Collection[str]) -> str:
    """Returns the folder for general code in a corpus, in which no file of the repository is.

    What is in it is learned as the original model predicts it, and not as it is.
    """
    prefix = PATH_PREFIX
    while any(path.startswith(prefix) for path in own_paths):
        prefix = f"general-{prefix}"
    return prefix


def move_documents(documents: Sequence[GeneralDocument], prefix: str) -> list[GeneralDocument]:
    """Returns the documents of a sample with their paths in another folder."""
    return [replace(d, path=f"{prefix}{d.path.removeprefix(PATH_PREFIX)}") for d in documents]
