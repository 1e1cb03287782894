"""A run over items: complete what is left, then metrics, summary and page; resumable."""

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from tqdm import tqdm

from evaluation.accuracy.accuracy_page import draw_page
from evaluation.accuracy.accuracy_summary import (
    AccuracyIdentity,
    format_summary,
    summarise,
)
from evaluation.accuracy.items import Item, Kind, cut_items, hash_items, read_items
from evaluation.accuracy.metrics import CompletedItem
from evaluation.accuracy.workspaces import Workspaces
from evaluation.runs.arguments import (
    MAX_N,
    add_corpus_argument,
    add_device_argument,
    add_model_argument,
    add_out_argument,
    add_sampling_arguments,
    add_workspace_argument,
)
from evaluation.runs.corpus_documents import (
    CorpusDocument,
    Split,
    hash_documents,
    read_documents,
)
from evaluation.runs.journal import Journal, read_records
from evaluation.runs.known_calibration import describe_calibration
from evaluation.runs.known_gates import require_gate
from evaluation.runs.record_fields import get_field
from evaluation.runs.run_folder import REPORT_FILE, SUMMARY_FILE, start_or_resume
from server.backends.batch_settings import choose_device
from server.completer import Completer
from training.artifact.directory import WEIGHTS_FILE
from training.foundation.atomic_files import (
    file_sha256,
    write_json_atomically,
    write_text_atomically,
)
from training.foundation.command_parser import command_parser, whole_number
from training.foundation.errors import ArtifactError
from training.foundation.folder_lock import folder_lock

ANSWERS_FILE = "answers.jsonl"
_EXAMPLE = """\
{prog} --corpus runs/corpus/debug --n 100
{prog} --model runs/debug/model --items items.jsonl"""


@dataclass(frozen=True, kw_only=True)
class AccuracyTask:
    """What a command measures.

    Attributes:
        name: The command's name; its runs are in ``runs/NAME`` by default.
        title: The title of the report page.
        purpose: The first sentences of the command's help.
        kinds: The kinds of item.
        complete: Asks the completer for an item's text.
        has_confidence: Whether the model's confidence is recorded.
        recorded_as: The command's name in ``run.json``; "" for none.
    """

    name: str
    title: str
    purpose: str
    kinds: Sequence[Kind]
    complete: Callable[[Completer, Item], CompletedItem]
    has_confidence: bool = True
    recorded_as: str = ""


def run_accuracy(argv: Sequence[str], task: AccuracyTask) -> None:
    """Runs what is left of a run, writes its summary and page, and prints the metrics.

    Raises:
        ConfigError: The options, the items or the run's folder cannot be used.
        PrerequisiteError: Items, corpus or model are missing.
    """
    options = _parser(task).parse_args(argv)
    items = _load_items(options, task.kinds)
    out: Path = options.out
    gate = require_gate(options.model) if options.workspace else ""
    documents = _read_workspaces(options, items)
    identity = AccuracyIdentity(
        model=str(options.model),
        weights_sha256=file_sha256(options.model / WEIGHTS_FILE),
        items_sha256=hash_items(items),
        memory_sha256=gate,
        workspace_sha256=hash_documents(documents) if options.workspace else "",
        calibration=describe_calibration(options.model) if task.has_confidence else "",
        command=task.recorded_as,
    )
    with folder_lock(out):
        start_or_resume(out, identity.to_json())
        completed = _complete_items(items, documents, task, options)
        summary = summarise(identity, completed)
        write_json_atomically(out / SUMMARY_FILE, summary.to_json())
        write_text_atomically(out / REPORT_FILE, draw_page(task.title, summary, completed))
        sys.stdout.write(format_summary(summary))


def _complete_items(
    items: Sequence[Item],
    documents: Sequence[CorpusDocument],
    task: AccuracyTask,
    options: argparse.Namespace,
) -> list[CompletedItem]:
    """Completes the items that are left, and returns all completed items."""
    completer = Completer.load(options.model, choose_device(options.device))
    path = options.out / ANSWERS_FILE
    by_id = {item.id: item for item in items}
    done = _read_answers(path, by_id)
    with Journal(path) as journal, Workspaces(documents, completer.index_workspace) as workspaces:
        todo = [item for item in items if item.id not in done]
        for item in tqdm(todo, desc=task.name, unit="item", file=sys.stderr):
            if options.workspace:
                completer.memory = workspaces.recall(item)
            completed = task.complete(completer, item)
            journal.append(completed.to_json())
            done[item.id] = completed
    return [done[item.id] for item in items]


def _read_workspaces(options: argparse.Namespace, items: Sequence[Item]) -> list[CorpusDocument]:
    """Returns the documents of the packages that are workspaces."""
    if not options.workspace:
        return []
    packages = {item.package for item in items}
    splits: list[Split] = ["heldout", "train"] if options.whole_workspace else ["heldout"]
    found = chain.from_iterable(read_documents(options.corpus, split) for split in splits)
    return [document for document in found if document.package in packages]


def _read_answers(path: Path, items: Mapping[str, Item]) -> dict[str, CompletedItem]:
    """Returns what earlier runs have completed, each item once."""

    def parse(record: Mapping[str, Any]) -> CompletedItem | None:
        item = items.get(get_field(record, "id", str))
        return None if item is None else CompletedItem.from_json(record, item)

    return {found.item.id: found for found in read_records(path, parse) if found is not None}


def _load_items(options: argparse.Namespace, kinds: Sequence[Kind]) -> list[Item]:
    if not (options.model / WEIGHTS_FILE).is_file():
        raise ArtifactError(f"there is no model in {options.model}; correct --model")
    if options.items:
        return read_items(options.items, kinds)
    documents = list(read_documents(options.corpus, "heldout"))
    return cut_items(
        documents, kinds, n=options.n, seed=options.seed, per_document=options.per_document
    )


def _parser(task: AccuracyTask) -> argparse.ArgumentParser:
    parser = command_parser(f"evaluation.{task.name}", task.purpose, example=_EXAMPLE)
    add_model_argument(parser)
    add_device_argument(parser)
    parser.add_argument(
        "--items",
        type=Path,
        metavar="FILE",
        help="positions to complete: JSON lines with id, kind, prefix, suffix and target; kind is"
        f" {', '.join(task.kinds)}",
    )
    add_corpus_argument(
        parser, "without --items: take positions from the held-out packages of this corpus"
    )
    add_workspace_argument(
        parser, "with --corpus: the other files of a position's package are known"
    )
    parser.add_argument(
        "--whole-workspace",
        action="store_true",
        help="with --workspace: files of the package that are not held out are known, too",
    )
    parser.add_argument(
        "--per-document",
        type=whole_number(1, MAX_N),
        default=1,
        metavar="N",
        help="positions of each kind to take from a file at most (default: %(default)s)",
    )
    about = "positions of each kind to take from the corpus"
    add_sampling_arguments(parser, 200, about, "choosing positions")
    add_out_argument(parser, Path("runs") / task.name, "the run's folder; run again to resume")
    return parser
