"""Sources to Parquet: the run of ``python -m training.corpus``.

Every source is read and screened by one of a few processes into a part of its own; then this
process selects among all documents (:mod:`training.corpus.selection.selection`) and writes what is
kept (:mod:`training.corpus.output.corpus_writer`). What is written depends on the sources and the
config alone.
"""

import json
import shutil
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from packaging.utils import canonicalize_name
from tqdm import tqdm

from training.corpus.config import CorpusConfig
from training.corpus.extraction.parts import Part
from training.corpus.extraction.source_reader import Reader
from training.corpus.input_hash import inputs_sha256
from training.corpus.output.corpus_page import dataset_card, html_page
from training.corpus.output.corpus_writer import (
    cluster_report,
    funnel,
    heldout_report,
    share_report,
    sizes,
    source_report,
    write_corpus,
)
from training.corpus.readers.sources import Source, SourceKind, list_sources
from training.corpus.selection.selection import Selection, select
from training.foundation.atomic_files import (
    check_replaceable,
    write_directory_atomically,
    write_json_atomically,
    write_text_atomically,
)
from training.foundation.config_schema import to_mapping
from training.foundation.errors import CorpusError
from training.foundation.progress import progress_bar
from training.foundation.worker_pool import work_folder, worker_pool

REPORT_FILE, PAGE_FILE, CARD_FILE = "report.json", "report.html", "README.md"


def build(config: CorpusConfig) -> dict[str, Any]:
    """Builds the corpus at ``config.out``, whole or not at all, and returns its report.

    Finished parts stay in a work folder beside it until the corpus is complete, so that an
    interrupted run resumes with the remaining sources. The caller holds the folder's lock.

    Raises:
        ConfigError: ``config.out`` is a folder of something else, which would be replaced.
        CorpusError: A source cannot be read, or no document is left.
    """
    started = time.monotonic()
    check_replaceable(config.out, mark=REPORT_FILE, key="out")
    inputs = inputs_sha256(config)
    work = work_folder(config.out, inputs)
    sources = list_sources(config)
    parts = [Part(folder=work, number=number) for number in range(len(sources))]
    reports = _read_all(sources, parts, config)
    check_heldout(config, sources, reports)
    selection = select(parts, config)
    warn_of_missing(selection)
    report = write_result(config, parts, reports, selection, inputs=inputs, started=started)
    shutil.rmtree(work, ignore_errors=True)
    return report


def write_result(
    config: CorpusConfig,
    parts: Sequence[Part],
    reports: Sequence[dict[str, Any]],
    selection: Selection,
    *,
    inputs: str,
    started: float,
) -> dict[str, Any]:
    """Writes the corpus at ``config.out``, whole or not at all; returns its report.

    Args:
        config: The corpus' config.
        parts: What was read.
        reports: The parts' reports.
        selection: What of the parts is kept.
        inputs: The hash of all that the corpus depends on.
        started: When the work began, on the monotonic clock.
    """
    with write_directory_atomically(config.out) as aside:
        totals = write_corpus(aside, parts, selection, rows_per_file=config.rows_per_file)
        packages = [source_report(r, number, selection) for number, r in enumerate(reports)]
        report = {
            **totals,
            "drops": _sum(packages, "drops"),
            "redactions": _sum(packages, "redactions"),
            "unparsable": sum(package["unparsable"] for package in packages),
            "heldout": heldout_report(selection),
            "shares": share_report(selection),
            "funnel": funnel(selection, sum(package["files"] for package in packages)),
            "sizes": sizes(selection),
            "duplicates": cluster_report(selection),
            "packages": sorted(packages, key=lambda p: (-p["kept_bytes"], p["package"])),
            "config": to_mapping(config),
            "inputs_sha256": inputs,
            "seconds": round(time.monotonic() - started, 1),
        }
        write_json_atomically(aside / REPORT_FILE, report)
        write_text_atomically(aside / PAGE_FILE, html_page(report))
        write_text_atomically(aside / CARD_FILE, dataset_card(report))
    return report


def _sum(packages: Sequence[dict[str, Any]], key: str) -> dict[str, int]:
    total: Counter[str] = Counter()
    for package in packages:
        total.update(package[key])
    return dict(sorted(total.items()))


def finished_report(config: CorpusConfig) -> dict[str, Any] | None:
    """Returns the report at ``config.out`` if it is of these very inputs, else None."""
    try:
        report = json.loads((config.out / REPORT_FILE).read_text(encoding="utf-8"))
        if not isinstance(report, dict) or report["inputs_sha256"] != inputs_sha256(config):
            return None
        for split, totals in report["splits"].items():
            if len(list((config.out / split).glob("part-*.parquet"))) != totals["files"]:
                return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None  # of an older version, or damaged: to be built again
    return report


def _read_all(
    sources: Sequence[Source], parts: Sequence[Part], config: CorpusConfig
) -> list[dict[str, Any]]:
    """Makes all parts that are not whole yet; returns every part's report."""
    reports = [part.read_report() for part in parts]
    missing = [number for number, report in enumerate(reports) if report is None]
    with (
        progress_bar(len(sources), "corpus", "source", initial=len(sources) - len(missing)) as bar,
        worker_pool(config.processes) as pool,
    ):
        futures = [
            (number, pool.submit(_read, sources[number], parts[number], config))
            for number in missing
        ]
        for number, future in futures:
            reports[number] = report = _result(future, sources[number])
            _warn(report["warnings"])
            bar.set_postfix_str(f"{report['package']}: {report['files']} files", refresh=False)
            bar.update()
    return [report for report in reports if report is not None]


def _result(future: Future[dict[str, Any]], source: Source) -> dict[str, Any]:
    try:
        return future.result()
    except BrokenProcessPool as error:
        raise CorpusError(
            f"a worker process was killed while reading {source.name} or the next sources"
            " (out of memory?); run the same command again to resume, or set processes=1"
        ) from error


_worker_reader: list[Reader] = []  # of this worker process


def _read(source: Source, part: Part, config: CorpusConfig) -> dict[str, Any]:
    if not _worker_reader:
        _worker_reader.append(Reader.of(config))
    return _worker_reader[0].read(source, part)


def check_heldout(
    config: CorpusConfig, sources: Sequence[Source], reports: Sequence[dict[str, Any]]
) -> None:
    """Refuses an archive that hides a held-out package under another file name.

    Raises:
        CorpusError: There is one.
    """
    heldout = {str(canonicalize_name(name)) for name in config.heldout}
    for source, report in zip(sources, reports, strict=True):
        named = str(canonicalize_name(report["package"]))
        if named in heldout and source.name not in heldout:
            raise CorpusError(
                f"{source.path} contains {named}, which is held out, under the name of"
                f" {source.name}; rename the file to {named} or remove it from the sources"
            )
    if not any(source.kind in {SourceKind.RECORDS, SourceKind.HUB} for source in sources):
        _warn(
            f"'heldout' names {name}, but no source has that name"
            for name in sorted(heldout - {source.name for source in sources})
        )


def warn_of_missing(selection: Selection) -> None:
    """Says that none of the packages to hold out has a document, so that others were taken."""
    missing = ", ".join(selection.heldout.missing)
    if missing:
        sentence = (
            f"no document of {missing} ('heldout') is in the corpus; a share of the others is held"
            " out instead (heldout_share)"
        )
        _warn([sentence])


def _warn(sentences: Iterator[str] | Sequence[str]) -> None:
    for sentence in sentences:
        tqdm.write(f"warning: {sentence}", file=sys.stderr)
