"""A run over items, resumable: its folder, its metrics, its report page."""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

from evaluation.accuracy.items import Item, Kind, cut_items, items_hash, read_items
from evaluation.accuracy.metrics import Answer, calibration, expected_calibration_error, figures
from evaluation.command_line import DEFAULT_CORPUS, add_model_argument, add_out_argument
from evaluation.runs.estimators import CONFIDENCE, percent, percent_with_interval
from evaluation.runs.journal import Journal, read_journal
from evaluation.runs.run_folder import claim
from server.completer import Completer
from server.suggestion.explanation import reason_sentence
from training.artifact.directory import WEIGHTS_FILE
from training.foundation.atomic_files import (
    file_sha256,
    write_json_atomically,
    write_text_atomically,
)
from training.foundation.charts import render_details, render_lines, render_page, render_table
from training.foundation.command_parser import command_parser
from training.foundation.errors import ArtifactError, ConfigError
from training.foundation.folder_lock import folder_lock

ANSWERS_FILE = "answers.jsonl"
MAX_SHOWN = 100
_TITLES = {"lines": "Line and block completion", "infill": "Infilling"}
_EXAMPLE = """\
{prog} --corpus runs/corpus/debug --n 100
{prog} --model runs/debug/model --items items.jsonl"""
_COLUMNS = {  # of a metric in summary.json: its name for people
    "shown": "suggested",
    "exact_match": "exact match",
    "exact_match_of_shown": "exact match if shown",
    "edit_similarity": "edit similarity",
    "syntax_valid": "valid syntax",
}


def measure(
    argv: Sequence[str],
    *,
    name: str,
    purpose: str,
    kinds: Sequence[Kind],
    answer: Callable[[Completer, Item], Answer],
) -> int:
    """Runs a command over items: what is left of it, then its metrics.

    Args:
        argv: The command line.
        name: The command's; its runs are in ``runs/NAME``.
        purpose: What its help says first.
        kinds: The kinds of item that it measures.
        answer: Asks the completer at an item's position.
    """
    parser = command_parser(f"evaluation.{name}", purpose, example=_EXAMPLE)
    add_arguments(parser, kinds, out=Path("runs") / name)
    options = parser.parse_args(argv)
    items, identity = _prepare(options, kinds)
    with folder_lock(options.out):
        run = AccuracyRun(options.out, items, identity)
        completer = Completer.load(options.model)
        for item in tqdm(run.left(), desc=name, unit="item", file=sys.stderr):
            run.append(answer(completer, item))
        run.finish(_TITLES[name])
    return 0


def add_arguments(parser: argparse.ArgumentParser, kinds: Sequence[Kind], *, out: Path) -> None:
    """Adds the arguments of every run over items."""
    add_model_argument(parser)
    parser.add_argument(
        "--items",
        type=Path,
        metavar="FILE",
        help="positions to complete: JSON lines with id, kind, prefix, suffix and target; kind is"
        f" {', '.join(kinds)}",
    )
    parser.add_argument(
        "--corpus",
        type=Path,
        default=DEFAULT_CORPUS,
        metavar="FOLDER",
        help="without --items: take positions from the held-out packages of this corpus (default:"
        " %(default)s)",
    )
    parser.add_argument(
        "--n",
        type=int,
        default=200,
        help="positions of each kind to take from the corpus (default: %(default)s)",
    )
    parser.add_argument(
        "--seed",
        type=int,
        default=0,
        help="random seed for choosing positions (default: %(default)s)",
    )
    add_out_argument(parser, out, "the run's folder; run again to resume")


def _prepare(
    options: argparse.Namespace, kinds: Sequence[Kind]
) -> tuple[Sequence[Item], dict[str, Any]]:
    """Reads or cuts the items that a command line asks for; returns the run's identity with them.

    Raises:
        ConfigError: The options or the items cannot be used.
        PrerequisiteError: Items, corpus or model are missing.
    """
    if options.n < 1:
        raise ConfigError(f"--n is {options.n}, but must be at least 1; correct it")
    weights = options.model / WEIGHTS_FILE
    if not weights.is_file():
        raise ArtifactError(f"there is no model in {options.model}; correct --model")
    items = (
        read_items(options.items, kinds)
        if options.items
        else cut_items(options.corpus, kinds, n=options.n, seed=options.seed)
    )
    return items, {
        "model": str(options.model),
        "weights_sha256": file_sha256(weights),
        "items_sha256": items_hash(items),
    }


class AccuracyRun:
    """The items of a run and what was answered so far."""

    def __init__(self, out: Path, items: Sequence[Item], identity: dict[str, Any]) -> None:
        claim(out, identity)
        self._out = out
        self._identity = identity
        self._items = items
        self._path = out / ANSWERS_FILE
        self._journal = Journal(self._path)

    def left(self) -> list[Item]:
        """Returns the items without an answer."""
        done = {record["id"] for record in read_journal(self._path)}
        return [item for item in self._items if item.id not in done]

    def append(self, answer: Answer) -> None:
        """Records an answer."""
        self._journal.append(answer.record())

    def finish(self, title: str) -> None:
        """Writes ``summary.json`` and ``report.html``, and prints the metrics."""
        self._journal.close()
        answers = self._answers()
        kinds = list(dict.fromkeys(a.item.kind for a in answers))
        bins = calibration([a for a in answers if a.item.kind != "block"])
        summary = {
            **self._identity,
            "confidence": CONFIDENCE,
            "kinds": {kind: figures([a for a in answers if a.item.kind == kind]) for kind in kinds},
            "calibration": bins,
            "expected_calibration_error": expected_calibration_error(bins),
        }
        write_json_atomically(self._out / "summary.json", summary)
        write_text_atomically(self._out / "report.html", _page(title, summary, answers))
        sys.stdout.write(_format_metrics(summary["kinds"]))

    def _answers(self) -> list[Answer]:
        items = {item.id: item for item in self._items}
        return [
            Answer(
                item=items[record["id"]],
                text=record["completion"],
                confidence=record["confidence"],
                log_prob=record.get("log_prob"),
                reason=record["reason"],
            )
            for record in read_journal(self._path)
            if record["id"] in items
        ]


def _format_metrics(kinds: dict[str, Any]) -> str:
    lines = []
    for kind, found in kinds.items():
        items = "1 item" if found["items"] == 1 else f"{found['items']} items"
        lines.append(f"{kind}: {items}, {percent(CONFIDENCE, 0)} intervals\n")
        lines += [
            f"  {label:22}{percent_with_interval(found[name])}\n"
            for name, label in _COLUMNS.items()
            if found[name]
        ]
    return "".join(lines)


def _page(title: str, summary: dict[str, Any], answers: Sequence[Answer]) -> str:
    rows = [
        [kind, str(found["items"]), *(_cell(found[name]) for name in _COLUMNS)]
        for kind, found in summary["kinds"].items()
    ]
    head = ["", "items", *_COLUMNS.values()]
    sections = {"Metrics": render_table(head, rows)}
    if summary["calibration"]:
        sections["Confidence and exact match"] = _calibration(summary)
    wrong = [a for a in answers if not a.is_exact][:MAX_SHOWN]
    sections["Completions that differ from the file"] = "".join(
        render_details(
            a.item.id,
            [
                *_ending(a.item),
                "in the file:",
                *a.item.target.split("\n"),
                "suggested:",
                *(a.text or f"nothing. {reason_sentence(a.reason)}").split("\n"),
            ],
        )
        for a in wrong
    )
    note = f"Weights {summary['weights_sha256'][:12]}, items {summary['items_sha256'][:12]}."
    return render_page(title, f"Model {summary['model']}.", footnote=note, sections=sections)


def _calibration(summary: dict[str, Any]) -> str:
    bins = summary["calibration"]
    chart = render_lines(
        {
            "exact match": [(b["confidence"], b["value"]) for b in bins],
            "perfect calibration": [(b["confidence"], b["confidence"]) for b in bins],
        },
        along="confidence",
        bands={"exact match": [(b["confidence"], b["low"], b["high"]) for b in bins]},
    )
    error = summary["expected_calibration_error"]
    return f"{chart}<p>Expected calibration error: {percent(error)}.</p>"


def _ending(item: Item) -> list[str]:
    return item.prefix.split("\n")[-3:]


def _cell(found: dict[str, Any] | None) -> str:
    return "" if found is None else percent_with_interval(found)
