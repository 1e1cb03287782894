"""Builds a corpus: every source into a part, then what is kept of all parts into the corpus folder.

The sources are extracted by a few processes; then this process selects among all documents and
writes what is kept. The result depends on the sources and the config alone. Called by
``python -m training.corpus``.
"""

import shutil
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool

from tqdm import tqdm

from training.corpus.config import CorpusConfig
from training.corpus.extraction.parts import Part
from training.corpus.extraction.source_extractor import SourceExtractor
from training.corpus.extraction.source_list import list_sources
from training.corpus.extraction.source_report import SourceReport
from training.corpus.input_hash import hash_inputs
from training.corpus.output.corpus_folder import CORPUS_FOLDER, write_corpus
from training.corpus.output.corpus_report import CorpusReport
from training.corpus.readers.corpus_source import CorpusSource
from training.corpus.readers.source_contents import NAMED
from training.corpus.selection.selection import Selection, select
from training.foundation.atomic_files import check_replaceable
from training.foundation.errors import CorpusError
from training.foundation.parallel.worker_pool import work_folder, worker_pool
from training.foundation.progress import progress_bar


def build_corpus(config: CorpusConfig) -> CorpusReport:
    """Builds the corpus at ``config.out``, completely or not at all, and returns its report.

    Finished parts stay in a work folder beside it until the corpus is complete, so that an
    interrupted run resumes with the remaining sources. The caller holds the folder's lock.

    Raises:
        ConfigError: ``config.out`` is a folder of something else, which would be replaced.
        CorpusError: A source cannot be read, or no document is left.
    """
    started = time.monotonic()
    check_replaceable(config.out, CORPUS_FOLDER, key="out")
    inputs_sha256 = hash_inputs(config)
    work = work_folder(config.out, inputs_sha256)
    sources = list_sources(config)
    parts = [Part(folder=work, number=number) for number in range(len(sources))]
    reports = _extract_all(sources, parts, config)
    selection = select(parts, config)
    warn_of_names(config, reports, selection)
    report = write_corpus(
        config, parts, reports, selection, inputs_sha256=inputs_sha256, started=started
    )
    shutil.rmtree(work, ignore_errors=True)
    return report


def _extract_all(
    sources: Sequence[CorpusSource], parts: Sequence[Part], config: CorpusConfig
) -> list[SourceReport]:
    """Makes the parts that are missing or incomplete, and returns every part's report."""
    reports = [part.read_report() for part in parts]
    missing = [number for number, report in enumerate(reports) if report is None]
    with (
        progress_bar(len(sources), "corpus", "source", initial=len(sources) - len(missing)) as bar,
        worker_pool(config.processes) as pool,
    ):
        futures = [
            (number, pool.submit(_extract, sources[number], parts[number], config))
            for number in missing
        ]
        for number, future in futures:
            reports[number] = report = _wait_for(future, sources[number])
            _warn(report.warnings)
            bar.set_postfix_str(f"{report.package}: {report.files} files", refresh=False)
            bar.update()
    return [report for report in reports if report is not None]


def _wait_for(future: Future[SourceReport], source: CorpusSource) -> SourceReport:
    try:
        return future.result()
    except BrokenProcessPool as error:
        raise CorpusError(
            f"a worker process was killed while reading {source.name} or the next sources"
            " (out of memory?); run the same command again to resume, or set processes=1"
        ) from error


_worker_extractor: list[SourceExtractor] = []  # of this worker process


def _extract(source: CorpusSource, part: Part, config: CorpusConfig) -> SourceReport:
    if not _worker_extractor:
        _worker_extractor.append(SourceExtractor.create(config))
    return _worker_extractor[0].extract(source, part)


def warn_of_names(
    config: CorpusConfig, reports: Sequence[SourceReport], selection: Selection
) -> None:
    """Warns of names in the config that match nothing, and of what is held out instead."""
    overridden = {name for report in reports for name in report.overridden}
    _warn(
        f"'licence_overrides' names {name}, but no source or record has that name"
        for name in sorted(config.licence_overrides.keys() - overridden)
    )
    _warn(
        f"'heldout' names {name}, but no document in the corpus is of a package of that name"
        for name in selection.heldout.unmatched
    )
    _warn(_name_unmatched_files(config, selection))
    missing = ", ".join(selection.heldout.missing)
    if missing:
        sentence = (
            f"no document of {missing} ('heldout') is in the corpus; a share of the others is held"
            " out instead (heldout_share)"
        )
        _warn([sentence])


def _name_unmatched_files(config: CorpusConfig, selection: Selection) -> Iterator[str]:
    paths = selection.heldout.unmatched_files
    if not paths:
        return
    named = ", ".join(paths[:NAMED]) + (f", ... ({len(paths)} in all)" if paths[NAMED:] else "")
    is_default = config.heldout_share is None and selection.heldout.by in {"package", "document"}
    instead = "; a share of the others is held out instead (heldout_share)" if is_default else ""
    yield f"'heldout_files' names {named}, but no document in the corpus has that path{instead}"


def _warn(sentences: Iterable[str]) -> None:
    for sentence in sentences:
        tqdm.write(f"warning: {sentence}", file=sys.stderr)
