"""A run over items, resumable: its folder, its figures, its page."""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

from tqdm import tqdm

from evaluation.accuracy import Answer, calibration, expected_calibration_error, figures
from evaluation.claim import claim
from evaluation.estimate import CONFIDENCE
from evaluation.items import Item, Kind, cut_items, items_hash, read_items
from evaluation.journal import Journal, read_journal
from server.completer import Completer
from server.models import BUNDLED_MODEL
from training.artifact.directory import WEIGHTS_FILE
from training.artifact.errors import ArtifactError, ConfigError
from training.artifact.files import file_sha256, write_json_atomically, write_text_atomically
from training.charts import folded, lines, page, table

ANSWERS_FILE = "answers.jsonl"
MAX_SHOWN = 100
_COLUMNS = ("shown", "exact_match", "exact_match_of_shown", "edit_similarity", "syntax_valid")


def measure(
    argv: Sequence[str],
    *,
    name: str,
    about: str,
    kinds: Sequence[Kind],
    answer: Callable[[Completer, Item], Answer],
) -> int:
    """Runs a command over items: what is left of it, then its figures.

    Args:
        argv: The command line.
        name: The command's; its runs stand in ``runs/NAME``.
        about: Its help.
        kinds: What it takes.
        answer: Asks the completer at an item's place.
    """
    parser = argparse.ArgumentParser(prog=f"python -m evaluation.{name}", description=about)
    add_arguments(parser, out=Path("runs") / name)
    options = parser.parse_args(argv)
    run = AccuracyRun.of(options, kinds)
    completer = Completer.load(options.model)
    for item in tqdm(run.left(), desc=name, file=sys.stderr):
        run.append(answer(completer, item))
    run.finish(name.capitalize())
    return 0


def add_arguments(parser: argparse.ArgumentParser, *, out: Path) -> None:
    """Adds what every run over items is told."""
    parser.add_argument("--model", type=Path, default=BUNDLED_MODEL, help="an artifact directory")
    parser.add_argument("--items", type=Path, help="JSON lines {id, kind, prefix, suffix, target}")
    parser.add_argument(
        "--corpus",
        type=Path,
        default=Path("runs/corpus/default"),
        help="without --items: a corpus, whose held-out packages items are cut from",
    )
    parser.add_argument("--n", type=int, default=200, help="items of each kind that are cut")
    parser.add_argument("--seed", type=int, default=0, help="of the places they are cut at")
    parser.add_argument("--out", type=Path, default=out, help="the run's folder")


class AccuracyRun:
    """The items of a run and what was answered so far."""

    def __init__(self, out: Path, items: Sequence[Item], identity: dict[str, Any]) -> None:
        claim(out, identity)
        self._out = out
        self._identity = identity
        self._items = items
        self._path = out / ANSWERS_FILE
        self._journal = Journal(self._path)

    @classmethod
    def of(cls, options: argparse.Namespace, kinds: Sequence[Kind]) -> Self:
        """Reads or cuts the items that a command line asks for.

        Raises:
            ConfigError: The options or the items cannot be used.
            PrerequisiteError: Items, corpus or model are missing.
        """
        if options.n < 1:
            raise ConfigError(f"--n is {options.n}, wanted at least 1")
        weights = options.model / WEIGHTS_FILE
        if not weights.is_file():
            raise ArtifactError(f"there is no model directory {options.model}; correct --model")
        items = (
            read_items(options.items, kinds)
            if options.items
            else cut_items(options.corpus, kinds, n=options.n, seed=options.seed)
        )
        identity = {
            "model": str(options.model),
            "weights_sha256": file_sha256(weights),
            "items_sha256": items_hash(items),
        }
        return cls(options.out, items, identity)

    def left(self) -> list[Item]:
        """Returns the items without an answer."""
        done = {record["id"] for record in read_journal(self._path)}
        return [item for item in self._items if item.id not in done]

    def append(self, answer: Answer) -> None:
        """Takes an answer down."""
        self._journal.append(answer.record())

    def finish(self, title: str) -> None:
        """Writes ``summary.json`` and ``report.html``, and prints the figures."""
        self._journal.close()
        answers = self._answers()
        kinds = list(dict.fromkeys(a.item.kind for a in answers))
        bins = calibration([a for a in answers if a.item.kind != "block"])  # sure of a line
        summary = {
            **self._identity,
            "confidence": CONFIDENCE,
            "kinds": {kind: figures([a for a in answers if a.item.kind == kind]) for kind in kinds},
            "calibration": bins,
            "expected_calibration_error": expected_calibration_error(bins),
        }
        write_json_atomically(self._out / "summary.json", summary)
        write_text_atomically(self._out / "report.html", _page(title, summary, answers))
        sys.stdout.write(_told(summary["kinds"]))

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


def _told(kinds: dict[str, Any]) -> str:
    rows = []
    for kind, found in kinds.items():
        told = [
            f"{name.replace('_', ' ')} {100 * found[name]['value']:.1f} %"
            f" ({100 * found[name]['low']:.1f} to {100 * found[name]['high']:.1f})"
            for name in _COLUMNS
            if found[name]
        ]
        rows.append(f"{kind}, {found['items']} items: {', '.join(told)}\n")
    return "".join(rows)


def _page(title: str, summary: dict[str, Any], answers: Sequence[Answer]) -> str:
    rows = [
        [kind, str(found["items"]), *(_cell(found[name]) for name in _COLUMNS)]
        for kind, found in summary["kinds"].items()
    ]
    head = ["", "items", *(name.replace("_", " ") for name in _COLUMNS)]
    sections = {"Figures": table(head, rows)}
    if summary["calibration"]:
        sections["Confidence against exact match"] = _calibration(summary)
    wrong = [a for a in answers if not a.is_exact][:MAX_SHOWN]
    sections["Not as in the file"] = "".join(
        folded(
            a.item.id,
            [
                *_ending(a.item),
                "is:",
                *a.item.target.split("\n"),
                "was shown:",
                *(a.text or f"nothing: {a.reason}").split("\n"),
            ],
        )
        for a in wrong
    )
    note = f"Weights {summary['weights_sha256'][:12]}, items {summary['items_sha256'][:12]}."
    return page(title, f"Model {summary['model']}.", footnote=note, sections=sections)


def _calibration(summary: dict[str, Any]) -> str:
    bins = summary["calibration"]
    chart = lines(
        {
            "exact match": [(b["confidence"], b["value"]) for b in bins],
            "if confidence were accuracy": [(b["confidence"], b["confidence"]) for b in bins],
        },
        along="confidence",
        bands={"exact match": [(b["confidence"], b["low"], b["high"]) for b in bins]},
    )
    error = summary["expected_calibration_error"]
    return f"{chart}<p>Expected calibration error {100 * error:.1f} %.</p>"


def _ending(item: Item) -> list[str]:
    return item.prefix.split("\n")[-3:]


def _cell(found: dict[str, Any] | None) -> str:
    if found is None:
        return ""
    return f"{100 * found['value']:.1f} ({100 * found['low']:.1f} to {100 * found['high']:.1f})"
