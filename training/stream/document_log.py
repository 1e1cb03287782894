"""Which documents a streamed run has read: package, version, path, licence, hash, and how much.

Shards tell this afterwards, since they stay on the disk; of a stream it is recorded, without the
text, in ``RUN/documents/step-N.parquet``: the documents whose windows began since the file before.
A file is written before the checkpoint of its step, and those of later steps are removed when a run
resumes from an earlier one. Read by ``python -m training.provenance``.
"""

import io
import re
import struct
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from training.foundation.atomic_files import write_bytes_atomically, write_json_atomically
from training.foundation.errors import CorpusError, PrerequisiteError
from training.shards.encoding import DOCUMENT_COLUMNS
from training.shards.seen_documents import SeenDocuments
from training.stream.lane import Window
from training.stream.lane_state import LaneFacts

DOCUMENTS_FOLDER = "documents"
RECORD_FILE = "documents.parquet"  # in a published checkpoint, which has no run around it
SUMMARY_FILE = "stream.json"
SEEN_SCHEMA = pa.schema(
    [
        ("lane", pa.int32()),
        ("number", pa.int64()),  # of the document in its lane
        ("blocks", pa.list_(pa.int64())),  # of each of its pieces, the block among the lane's
        ("tokens", pa.list_(pa.int32())),  # of each of its pieces
        *((column, pa.string()) for column in DOCUMENT_COLUMNS),
    ]
)
_NAME = re.compile(r"step-(\d{8,})\.parquet")
_LENGTH = struct.Struct("<Q")
_NOTED = ("lane", "number", "package", "version", "licence", "quality")


def tabulate_window(window: Window) -> pa.Table:
    """Returns what a window holds of each document, as rows of :data:`SEEN_SCHEMA`."""
    pieces, n_tokens = window.pieces, window.tokens.shape[1]
    lengths = np.diff(pieces["first_token"], append=window.tokens.size)
    blocks = window.first_block + pieces["first_token"] // n_tokens
    order = np.argsort(pieces["document"], kind="stable")
    ends = np.searchsorted(pieces["document"][order], np.arange(len(window.documents) + 1))
    rows = []
    for index, (number, document) in enumerate(window.documents):
        own = order[ends[index] : ends[index + 1]]
        rows.append(
            {
                "lane": window.before.facts.lane,
                "number": number,
                "blocks": blocks[own].tolist(),
                "tokens": lengths[own].tolist(),
                **document,
            }
        )
    return pa.Table.from_pylist(rows, schema=SEEN_SCHEMA)


def pack_dump(states: bytes, tables: Sequence[pa.Table]) -> bytes:
    """Returns a process' states and documents as bytes that can be sent to the main process."""
    return _LENGTH.pack(len(states)) + states + render_logs([SEEN_SCHEMA.empty_table(), *tables])


def unpack_dump(dump: bytes) -> tuple[bytes, pa.Table]:
    """Returns what :func:`pack_dump` was given."""
    (n_bytes,) = _LENGTH.unpack_from(dump)
    end = _LENGTH.size + n_bytes
    return dump[_LENGTH.size : end], pq.read_table(io.BytesIO(dump[end:]))


class DocumentLog:
    """The files of one run.

    Attributes:
        packages: Name, version and licence of all packages that were read.
        licences: How many documents each has; one of the next epoch is another.
        has_quality: Whether any document has a level of quality.
    """

    def __init__(self, run: Path) -> None:
        self._folder = run / DOCUMENTS_FOLDER
        self.packages: set[tuple[str, str, str]] = set()
        self.licences: Counter[str] = Counter()
        self.has_quality = False
        self._newest: dict[int, int] = {}  # number of a document by lane

    def write(self, step: int, tables: Sequence[pa.Table]) -> None:
        """Writes the documents that were read up to a step, if there are new ones.

        Raises:
            OSError: They cannot be written.
        """
        table = pa.concat_tables(tables)
        if not table.num_rows:
            return
        self._note(table)
        self._folder.mkdir(parents=True, exist_ok=True)
        write_bytes_atomically(self._folder / f"step-{step:08d}.parquet", render_logs([table]))

    def write_summary(self, step: int, lanes: Sequence[LaneFacts]) -> None:
        """Writes for people how far the stream has been read, and what was dropped of it.

        Documents include those of the windows that the lanes are in; drops are those before them.

        Raises:
            OSError: They cannot be written.
        """
        drops = sum((Counter(dict(lane.drops)) for lane in lanes), Counter[str]())
        epochs = [lane.position.epoch for lane in lanes]
        summary = {
            "step": step,
            "documents": self.licences.total(),
            "dropped": dict(drops.most_common()),
            "epochs": [min(epochs), max(epochs)],
            "licences": dict(self.licences.most_common()),
            "packages": len(self.packages),
        }
        write_json_atomically(self._folder.with_name(SUMMARY_FILE), summary)

    def go_back_to(self, step: int) -> None:
        """Removes what was read after a step, and reads the packages up to it.

        Raises:
            CorpusError: A file is damaged, or there is none.
        """
        self.packages.clear()
        self.licences.clear()
        self.has_quality = False
        self._newest.clear()
        for number, path in list_logs(self._folder):
            if number > step:
                path.unlink()
            else:
                self._note(read_log(path, _NOTED))
        if step and not self.packages:
            raise CorpusError(
                f"{self._folder} does not say which documents the run has read until step {step};"
                " restore it from a backup, or remove the run and start it again"
            )

    def import_from(self, checkpoint: Path, step: int) -> None:
        """Copies what another run has read, up to a checkpoint of it.

        Raises:
            PrerequisiteError: It is not known, or damaged.
        """
        tables = [read_log(path) for path in find_logs(checkpoint, step)]
        if not tables:
            raise PrerequisiteError(
                f"{checkpoint} does not say which documents it was trained on; copy its run's"
                f" folder '{DOCUMENTS_FOLDER}' too, so that it lies beside 'checkpoints', or use"
                " pretrain.start_from in place of pretrain.resume_from"
            )
        self._folder.mkdir(parents=True, exist_ok=True)
        write_bytes_atomically(self._folder / f"step-{step:08d}.parquet", render_logs(tables))

    def _note(self, table: pa.Table) -> None:
        columns = [table[name].to_pylist() for name in _NOTED]
        self.has_quality |= any(columns.pop())
        for lane, number, *package in zip(*columns, strict=True):
            if number > self._newest.get(lane, -1):  # not the rest of an earlier one
                self._newest[lane] = number
                self.packages.add((package[0], package[1], package[2]))
                self.licences[package[2]] += 1


def find_logs(checkpoint: Path, step: int, *, run: Path | None = None) -> list[Path]:
    """Returns the files of what a checkpoint's run had read: its own one, or those of the run.

    Args:
        checkpoint: ``RUN/model`` or ``RUN/checkpoints/step-N``, wherever the run is now, or a
            published one.
        step: Of the checkpoint.
        run: The run's folder, as it was called when it trained; None if it is not known.
    """
    own = checkpoint / RECORD_FILE
    if own.is_file():
        return [own]
    near = [*checkpoint.resolve().parents[:2], *([] if run is None else [run])]
    found = (list_logs_until(folder / DOCUMENTS_FOLDER, step) for folder in near)
    return next(filter(None, found), [])


def list_logs_until(folder: Path, step: int) -> list[Path]:
    """Returns the files of a run up to a step, in order."""
    return [path for number, path in list_logs(folder) if number <= step]


def render_logs(tables: Sequence[pa.Table]) -> bytes:
    """Returns what was read as the bytes of one file."""
    packed = io.BytesIO()
    pq.write_table(pa.concat_tables(tables), packed, compression="zstd")
    return packed.getvalue()


def list_logs(folder: Path) -> Iterator[tuple[int, Path]]:
    """Yields the steps of a run's files, and the files, in order."""
    if folder.is_dir():
        found = ((_NAME.fullmatch(path.name), path) for path in folder.iterdir())
        yield from sorted((int(match[1]), path) for match, path in found if match)


def read_log(path: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """Reads a file.

    Raises:
        CorpusError: It is damaged.
    """
    names = SEEN_SCHEMA.names if columns is None else list(columns)
    try:
        table = pq.read_table(io.BytesIO(path.read_bytes()), columns=names)
        return table.cast(pa.schema([SEEN_SCHEMA.field(name) for name in names]))
    except (OSError, ValueError, pa.ArrowException) as error:
        raise CorpusError(
            f"{path} is damaged, so it is unknown what the run has read; restore it from a backup,"
            " or remove the run and start it again"
        ) from error


def count_streamed_documents(logs: Sequence[Path], *, n_lane_blocks: int) -> SeenDocuments:
    """Counts what was seen of each document.

    A document is one by all its columns, however often it was read.

    Args:
        logs: The files of the run's record.
        n_lane_blocks: How many blocks of each lane were read.

    Raises:
        CorpusError: A file is damaged.
    """
    counts: dict[tuple[str, ...], list[int]] = {}  # times, tokens
    readings: dict[tuple[Any, ...], int] = {}  # tokens of each reading, seen or not
    for path in logs:
        table = read_log(path)
        columns = [table[name].to_pylist() for name in DOCUMENT_COLUMNS]
        keys = zip(*columns, strict=True)
        names = ("lane", "number", "blocks", "tokens")
        rows = zip(*(table[name].to_pylist() for name in names), strict=True)
        for key, (lane, number, blocks, tokens) in zip(keys, rows, strict=True):
            of_document = counts.setdefault(key, [0, 0])
            seen = [(b, n) for b, n in zip(blocks, tokens, strict=True) if b < n_lane_blocks]
            of_document[0] += len({block for block, _ in seen})
            of_document[1] += sum(n for _, n in seen)
            reading = (key, lane, number)
            readings[reading] = readings.get(reading, 0) + sum(tokens)
    passes = dict.fromkeys(counts, 0)
    for (key, _, _), n_tokens in readings.items():
        passes[key] = max(passes[key], n_tokens)
    times_and_tokens = np.array(list(counts.values()), np.int64).reshape(-1, 2)
    return SeenDocuments(
        documents=[dict(zip(DOCUMENT_COLUMNS, key, strict=True)) for key in counts],
        times=times_and_tokens[:, 0],
        tokens=times_and_tokens[:, 1],
        tokens_a_pass=np.array([passes[key] for key in counts], np.int64),
    )
