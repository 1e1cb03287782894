"""A run over places: ask at those that are left, then judge, summary and page; resumable."""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

from evaluation.accuracy.workspaces import Workspaces
from evaluation.insertions.fit_answers import Answer, Trigger, request_answer
from evaluation.insertions.fit_page import draw_fit_page
from evaluation.insertions.fit_summary import FitIdentity, format_fit, summarise_fit
from evaluation.insertions.places import Place, cut_places, hash_places
from evaluation.runs.arguments import (
    add_corpus_argument,
    add_model_argument,
    add_out_argument,
    add_sampling_arguments,
    add_workspace_argument,
)
from evaluation.runs.corpus_documents import CorpusDocument, hash_documents, read_documents
from evaluation.runs.journal import Journal, read_records
from evaluation.runs.known_calibration import describe_calibration
from evaluation.runs.known_gates import require_gate
from evaluation.runs.record_fields import get_field
from evaluation.runs.run_folder import REPORT_FILE, SUMMARY_FILE, start_or_resume
from server.completer import Completer
from training.artifact.directory import WEIGHTS_FILE
from training.foundation.atomic_files import (
    file_sha256,
    write_json_atomically,
    write_text_atomically,
)
from training.foundation.command_parser import command_parser
from training.foundation.errors import ArtifactError, ConfigError
from training.foundation.folder_lock import folder_lock

ANSWERS_FILE = "answers.jsonl"
_PURPOSE = """\
Measure whether suggestions fit the code around the cursor, as users see them: held-out
files are cut at places of many kinds, half of them with the brackets and quotes that an
editor closes by itself. At each place the completer is asked as while typing and on
request, with the default settings, and its answer is inserted.

Reports for each kind of place: shown, exact match, broken syntax, repetition of what
follows, wrong indentation, suggestions inside a name, and trivial ones; prints a table
and writes summary.json and report.html with examples."""
_EXAMPLE = """\
{prog} --corpus runs/corpus/debug --n 300
{prog} --model runs/debug/model --out runs/fit-debug"""


def run_fit(argv: Sequence[str]) -> None:
    """Runs what is left of a run, writes its summary and page, and prints the table.

    Raises:
        ConfigError: The options or the run's folder cannot be used, or the corpus has no places.
        PrerequisiteError: Corpus or model are missing.
    """
    options = _parser().parse_args(argv)
    places = _load_places(options)
    out: Path = options.out
    gate = require_gate(options.model) if options.workspace else ""
    documents = _read_workspaces(options, places)
    identity = FitIdentity(
        model=str(options.model),
        weights_sha256=file_sha256(options.model / WEIGHTS_FILE),
        places_sha256=hash_places(places),
        memory_sha256=gate,
        workspace_sha256=hash_documents(documents) if options.workspace else "",
        calibration=describe_calibration(options.model),
    )
    with folder_lock(out):
        start_or_resume(out, identity.to_json())
        answers = _request_answers(places, documents, options)
        summary = summarise_fit(identity, answers)
        write_json_atomically(out / SUMMARY_FILE, summary.to_json())
        write_text_atomically(out / REPORT_FILE, draw_fit_page(summary, answers))
        sys.stdout.write(format_fit(summary))


def _request_answers(
    places: Sequence[Place], documents: Sequence[CorpusDocument], options: argparse.Namespace
) -> list[Answer]:
    """Asks for the answers that are left, and returns all of them."""
    completer = Completer.load(options.model)
    path = options.out / ANSWERS_FILE
    answers = _read_answers(path, places)
    done = {(answer.place.id, answer.trigger) for answer in answers}
    todo = [(p, t) for p in places for t in Trigger if (p.id, t) not in done]
    with Journal(path) as journal, Workspaces(documents, completer.index_workspace) as workspaces:
        for place, trigger in tqdm(todo, desc="fit", unit="answer", file=sys.stderr):
            if options.workspace:
                completer.memory = workspaces.recall(place)
            answer = request_answer(completer, place, trigger)
            journal.append(answer.to_json())
            answers.append(answer)
    return answers


def _read_workspaces(options: argparse.Namespace, places: Sequence[Place]) -> list[CorpusDocument]:
    """Returns the documents of the packages that are workspaces."""
    if not options.workspace:
        return []
    packages = {place.package for place in places}
    return [d for d in read_documents(options.corpus, "heldout") if d.package in packages]


def _read_answers(path: Path, places: Sequence[Place]) -> list[Answer]:
    """Returns what earlier runs have answered."""
    by_id = {place.id: place for place in places}

    def parse(record: Mapping[str, Any]) -> Answer | None:
        place = by_id.get(get_field(record, "id", str))
        return None if place is None else Answer.from_json(record, place)

    return [answer for answer in read_records(path, parse) if answer is not None]


def _load_places(options: argparse.Namespace) -> list[Place]:
    if not (options.model / WEIGHTS_FILE).is_file():
        raise ArtifactError(f"there is no model in {options.model}; correct --model")
    places = cut_places(options.corpus, n=options.n, seed=options.seed)
    if not places:
        raise ConfigError(
            f"the held-out files of {options.corpus} have no place to cut; name another --corpus"
        )
    return places


def _parser() -> argparse.ArgumentParser:
    parser = command_parser("evaluation.fit", _PURPOSE, example=_EXAMPLE)
    add_model_argument(parser)
    add_corpus_argument(parser, "take places from the held-out packages of this corpus")
    add_workspace_argument(parser, "the other files of a place's package are known")
    about = "places to take from the corpus, as many of each kind"
    add_sampling_arguments(parser, 2000, about, "choosing places")
    add_out_argument(parser, Path("runs/fit"), "the run's folder; run again to resume")
    return parser
