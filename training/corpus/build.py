"""Sources to Parquet: the run of ``python -m training.corpus``.

Every source is read and filtered by one of a few processes; this process alone decides what is kept
and writes (:mod:`training.corpus.writing`). Held-out packages come first, so that a training
document equal to a held-out one is the one dropped. The documents written depend on the sources and
the config alone.
"""

import json
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name
from tqdm import tqdm

from training.artifact.errors import ConfigError, CorpusError
from training.artifact.files import directory_written_aside, write_json_atomically
from training.corpus.config import CorpusConfig
from training.corpus.document import Package
from training.corpus.fingerprint import inputs_sha256
from training.corpus.reading import read_source
from training.corpus.sources import Source, list_sources
from training.corpus.writing import HELDOUT, TRAIN, CorpusWriter
from training.progress import progress_bar

REPORT_FILE = "report.json"


def build(config: CorpusConfig) -> dict[str, Any]:
    """Builds the corpus at ``config.out``, whole or not at all, and returns its report.

    Raises:
        ConfigError: ``config.out`` is a folder of something else, which would be replaced.
        CorpusError: A source cannot be had, or nothing is left of them.
    """
    started = time.monotonic()
    _check_replaceable(config.out)
    inputs = inputs_sha256(config)
    heldout = {str(canonicalize_name(name)) for name in config.heldout}
    sources = list_sources(config)
    _warn(
        f"'heldout' names {name}, which none of the sources is"
        for name in sorted(heldout - {source.name for source in sources})
    )
    sources.sort(key=lambda source: source.name not in heldout)  # stable: by name within each
    with (
        directory_written_aside(config.out) as aside,
        progress_bar(len(sources), "corpus", "package") as bar,
    ):
        writer = CorpusWriter(aside, config)
        for source, package in _read_ahead(sources, config):
            _check_split(source, package, heldout)
            _warn(package.warnings)
            bar.set_postfix_str(f"{package.name}: {len(package.documents)} files", refresh=False)
            writer.add(package, HELDOUT if source.name in heldout else TRAIN)
            bar.update()
        report = {**writer.finish(), "inputs_sha256": inputs}
        report["seconds"] = round(time.monotonic() - started, 1)
        write_json_atomically(aside / REPORT_FILE, report)
    return report


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


def _read_ahead(
    sources: Sequence[Source], config: CorpusConfig
) -> Iterator[tuple[Source, Package]]:
    """Yields each source with what was read of it, in order, a few being read ahead.

    Only a few: packages wait in memory until they are written.
    """
    context = multiprocessing.get_context("spawn")
    waiting: deque[tuple[Source, Future[Package]]] = deque()
    with ProcessPoolExecutor(config.processes, context, _start_worker) as pool:
        try:
            for source in sources:
                waiting.append((source, pool.submit(read_source, source, config)))
                if len(waiting) > config.processes:
                    yield _next(waiting)
            while waiting:
                yield _next(waiting)
        finally:
            pool.shutdown(cancel_futures=True)


def _next(waiting: deque[tuple[Source, Future[Package]]]) -> tuple[Source, Package]:
    source, future = waiting.popleft()
    try:
        return source, future.result()
    except BrokenProcessPool as error:
        raise CorpusError(
            f"a process that read packages was killed, at {source.name} or the next ones"
            " (out of memory?); set processes=1 or remove the package"
        ) from error


def _start_worker() -> None:
    """Leaves interrupts to the parent, and ends with it however it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None, "runs in a worker"
    parent.join()
    os._exit(1)  # nobody is left to read what this process is at


def _check_split(source: Source, package: Package, heldout: set[str]) -> None:
    """Refuses an archive that hides a held-out package under another file name."""
    named = str(canonicalize_name(package.name))
    if named in heldout and source.name not in heldout:
        raise CorpusError(
            f"{source.path} calls itself {named}, which is held out, but was taken for"
            f" {source.name}; rename it to {named} or remove it from the sources"
        )


def _check_replaceable(out: Path) -> None:
    """Refuses to put a corpus in the place of a folder that holds anything else."""
    is_corpus = (out / REPORT_FILE).is_file()
    if out.exists() and not is_corpus and not (out.is_dir() and not any(out.iterdir())):
        raise ConfigError(f"out is {out}, which exists and is no corpus; name a new folder")


def _warn(sentences: Iterator[str] | Sequence[str]) -> None:
    for sentence in sentences:
        tqdm.write(f"warning: {sentence}", file=sys.stderr)
