"""How many bits a byte a model needs for each of some files, read from left to right.

A file is read in windows of the model's context, of which the last is cut at the file's end; each
window begins anew, so that the figure depends on nothing but the file and the model. Where the
processor multiplies bfloat16, products are rounded to it, as in training: that takes three fifths
of the time and moves the figure by about a hundredth of a percent.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import torch
from torch.nn import functional

from evaluation.runs.corpus_documents import CorpusDocument, make_unique_id
from evaluation.runs.record_fields import get_field
from training.artifact.directory import Artifact
from training.artifact.network.bfloat16 import has_bfloat16_products
from training.artifact.network.gpt2 import GPT2

MAX_WINDOWS = 4  # of a file


@dataclass(frozen=True, kw_only=True)
class FileBits:
    """What a model needs for a file: nats for so many bytes."""

    name: str
    nats: float
    n_bytes: int

    def to_json(self) -> dict[str, object]:
        """Returns the record of a file."""
        return {"name": self.name, "nats": self.nats, "bytes": self.n_bytes}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Self:
        """Reads what :meth:`to_json` wrote."""
        return cls(
            name=get_field(record, "name", str),
            nats=get_field(record, "nats", float),
            n_bytes=get_field(record, "bytes", int),
        )


def measure_files(artifact: Artifact, documents: Iterable[CorpusDocument]) -> list[FileBits]:
    """Measures an artifact on each document; empty ones are left out.

    Of several versions of a file, each has a name of its own.
    """
    model = artifact.model()
    lengths = [len(token) for token in artifact.tokenizer.byte_table]
    is_half = has_bfloat16_products()
    n_of_name: Counter[str] = Counter()
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=is_half):
        measured = [_measure_file(artifact, model, lengths, document) for document in documents]
    return [
        replace(file, name=make_unique_id(file.name, n_of_name))
        for file in measured
        if file.n_bytes
    ]


def bits_per_byte(files: Sequence[FileBits]) -> float:
    """Returns the bits a byte over all files."""
    return sum(f.nats for f in files) / math.log(2) / max(1, sum(f.n_bytes for f in files))


def _measure_file(
    artifact: Artifact, model: GPT2, lengths: Sequence[int], document: CorpusDocument
) -> FileBits:
    ids = artifact.tokenizer.encode(document.text)
    start = artifact.start_ids
    step = artifact.context_tokens - len(start)
    nats, n_bytes = 0.0, 0
    for at in range(0, min(len(ids), MAX_WINDOWS * step), step):
        window = ids[at : at + step]
        nats += _count_nats(model, start, window)
        n_bytes += sum(lengths[token] for token in window)
    return FileBits(name=document.name, nats=nats, n_bytes=n_bytes)


def _count_nats(model: GPT2, start: Sequence[int], window: Sequence[int]) -> float:
    row = torch.tensor([[*start, *window]])
    hidden = model.compute_hidden(row[:, :-1])[0]
    logits = model.logits(hidden[len(start) - 1 :])  # [T, V]
    return float(functional.cross_entropy(logits, row[0, len(start) :], reduction="sum"))
