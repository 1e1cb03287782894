"""General code that is mixed in, so that a model that learns a repository forgets nothing else.

``replay.jsonl.gz`` beside this file holds documents of the default corpus' training split, each
with its package and licence; ``NOTICE`` names the packages. ``python -m
training.adaptation.make_replay`` makes another sample from any corpus.
"""

import gzip
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from training.adaptation.heldout_files import draw
from training.foundation.errors import CorpusError, ForeignDataError
from training.foundation.foreign_text import as_object, parse_json, read_bounded

REPLAY_FILE = Path(__file__).with_name("replay.jsonl.gz")
PATH_PREFIX = "replay/"  # no path of a repository's own file begins so in the corpus
KEPT_SHARE = 0.1  # of the documents, which only measure what was forgotten
_MAX_PACKED_BYTES, _MAX_BYTES = 64 << 20, 512 << 20
_MAX_DOCUMENT_BYTES = 4 << 20


@dataclass(frozen=True, kw_only=True)
class ReplayDocument:
    """A document of general code."""

    package: str
    version: str
    path: str
    licence: str
    text: str

    def to_json_line(self) -> str:
        """Returns it as a record of a corpus."""
        return json.dumps(vars(self)) + "\n"


def read_replay(file: Path = REPLAY_FILE) -> list[ReplayDocument]:
    """Returns the documents of a sample in the order in which they are taken.

    Raises:
        CorpusError: It is damaged.
    """
    try:
        packed = read_bounded(file, _MAX_PACKED_BYTES)
        return sorted(_parse(packed), key=lambda document: draw(document.path))
    except FileNotFoundError:
        return []  # left out of an installation: nothing is mixed in
    except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
        raise CorpusError(f"{file} is damaged ({error}); install Parrotlet again") from error


def _parse(packed: bytes) -> Iterator[ReplayDocument]:
    n_bytes = 0
    with gzip.open(io.BytesIO(packed)) as stream:
        while line := stream.readline(_MAX_DOCUMENT_BYTES):
            n_bytes += len(line)
            if n_bytes > _MAX_BYTES:
                raise ForeignDataError("it unpacks to implausibly much")
            row = as_object(parse_json(line))
            names = ReplayDocument.__dataclass_fields__
            yield ReplayDocument(**{name: str(row[name]) for name in names})


def split_replay(
    documents: Sequence[ReplayDocument], n_bytes: int
) -> tuple[list[ReplayDocument], list[ReplayDocument]]:
    """Returns documents of about ``n_bytes`` to train on, and those that only measure."""
    n_kept = round(KEPT_SHARE * len(documents))
    chosen, total = [], 0
    for document in documents[n_kept:]:
        if total >= n_bytes:
            break
        chosen.append(document)
        total += len(document.text.encode())
    return chosen, list(documents[:n_kept])
