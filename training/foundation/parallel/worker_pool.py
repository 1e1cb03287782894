"""Worker processes for long jobs, and the work folder from which such a job resumes.

Called by :mod:`training.corpus.build`, :mod:`training.prepare` and :mod:`training.stream`.
"""

import gc
import multiprocessing
import os
import shutil
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from pathlib import Path

from training.foundation.atomic_files import write_text_atomically
from training.foundation.errors import ConfigError, CorpusError

_INPUTS_FILE = "inputs"
_RARE_COLLECTIONS = (100_000, 20, 50)  # syntax trees and token lists: many objects, no cycles


@contextmanager
def worker_pool(processes: int) -> Iterator[ProcessPoolExecutor]:
    """Yields a pool of processes that end with this one, however it ends.

    After an error they are stopped at once; the next run repeats what they were doing.

    Raises:
        CorpusError: A worker was killed.
    """
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, context, start_worker) as pool:
        try:
            yield pool
        except BaseException as error:
            for worker in multiprocessing.active_children():
                worker.terminate()
            pool.shutdown(cancel_futures=True)
            if isinstance(error, BrokenProcessPool):
                raise CorpusError(
                    "a worker process was killed (out of memory?); run the same command again to"
                    " resume, or set processes=1 in the config"
                ) from error
            raise


def work_folder(out: Path, inputs: str) -> Path:
    """Returns the folder beside ``out`` for intermediate results.

    Args:
        out: The final result.
        inputs: A hash over everything it depends on; results of other inputs are removed.

    Raises:
        ConfigError: A folder of that name exists, and something else wrote it.
    """
    out = out.resolve()
    work = out.parent / f".{out.name}.work"
    mark = work / _INPUTS_FILE
    if os.path.lexists(work) and not mark.is_file() and not _is_empty_folder(work):
        raise ConfigError(
            f"{work} is where intermediate results go, but it holds something else; move it away"
        )
    if not mark.is_file() or mark.read_text(encoding="utf-8") != inputs:
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        write_text_atomically(mark, inputs)
    return work


def _is_empty_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink() and not any(path.iterdir())


def start_worker() -> None:
    """Leaves interrupts to the parent, and exits when the parent does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    gc.freeze()
    gc.set_threshold(*_RARE_COLLECTIONS)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None, "runs in a worker"
    parent.join()
    os._exit(1)  # nobody is left to use this process's work
