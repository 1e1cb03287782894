"""The log of each process: ``RUN/process-N.log`` with time, level, rank and place.

A Python logger: what libraries log (Accelerate, datasets, the Hub's client) and Python's warnings
land there too. On the terminal the main process shows sentences as they are, above the progress
bar; the others show errors alone.
"""

import logging
import sys
from pathlib import Path

from tqdm import tqdm

LOG_FILE = "process-{index}.log"
_ROOM = __name__.partition(".run.")[0]  # the package of the training
_FORMAT = "%(asctime)s %(levelname)s process %(process_index)d %(name)s: %(message)s"


class ProcessLog:
    """The handlers of one process, from its start to :meth:`close`.

    Args:
        run: The run's folder.
        index: The process.
        level: What the file keeps: "debug", "info", "warning" or "error".
        is_main: Whether it is the main process.
    """

    def __init__(self, run: Path, index: int, *, level: str, is_main: bool) -> None:
        self._file = logging.FileHandler(run / LOG_FILE.format(index=index), encoding="utf-8")
        self._file.setFormatter(logging.Formatter(_FORMAT, defaults={"process_index": index}))
        self._file.setLevel(level.upper())
        self._terminal = _BarHandler()
        self._terminal.setLevel(logging.INFO if is_main else logging.ERROR)
        self._ours, self._all = logging.getLogger(_ROOM), logging.getLogger()
        self._before = self._ours.level
        self._ours.setLevel(min(self._file.level, logging.INFO))
        self._ours.addHandler(self._terminal)
        self._all.addHandler(self._file)
        logging.captureWarnings(capture=True)

    def close(self) -> None:
        """Takes the handlers away again and closes the file."""
        logging.captureWarnings(capture=False)
        self._ours.removeHandler(self._terminal)
        self._ours.setLevel(self._before)
        self._all.removeHandler(self._file)
        self._file.close()


class _BarHandler(logging.Handler):
    """Prints above the progress bar; warnings and worse say what they are."""

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if record.levelno >= logging.WARNING:
            text = f"{record.levelname.lower()}: {text}"
        tqdm.write(text, file=sys.stderr)
