"""The server's end of indexing: runs the process when the workspace has changed, not too often.

One thread waits for changes; while there are none, nothing runs. Open documents are known without
an index, so a file on disk may be known a little late.
"""

import json
import logging
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from server.isolation import ROOT, child_command, child_environment

_MIN_PAUSE_S = 10.0
_MAX_PAUSE_S = 3600.0  # after failures
_PAUSE_FACTOR = 20.0  # of the processor time that the last run took, or of a failed one's time
_TIMEOUT_S = 600.0
_SETTLE_S = 1.0  # a checkout changes many files
_PACKAGE = __name__.split(".worker.", maxsplit=1)[0]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class IndexedFolders:
    """What is indexed: folders, without the user's private files."""

    roots: Sequence[Path] = ()
    private_globs: Sequence[str] = ()

    def allows_all_of(self, others: "IndexedFolders") -> bool:
        """Returns whether no file of other folders is left out here."""
        has_roots = set(self.roots) >= set(others.roots)
        return has_roots and set(self.private_globs) <= set(others.private_globs)


@dataclass(frozen=True, kw_only=True)
class IndexFound:
    """An index, and the processor time that it took."""

    folder: str
    processor_s: float


class Indexing:
    """Keeps the index of a workspace up to date.

    Args:
        on_index: Called with the folder of each new index, in a thread of its own; with "" if the
            last one has files that are not to be used any more.
    """

    def __init__(self, on_index: Callable[[str], None]) -> None:
        self._on_index = on_index
        self._change = threading.Condition()
        self._folders = IndexedFolders()
        self._tokenizer = ""
        self._is_due = False
        self._is_urgent = False  # other folders do not wait for the pause to end
        self._is_closed = False
        self._process: subprocess.Popen[bytes] | None = None
        self._thread: threading.Thread | None = None

    def use_folders(self, folders: IndexedFolders) -> None:
        """Indexes other folders from now on; an index with unwanted files is dropped at once."""
        with self._change:
            if folders != self._folders:
                before, self._folders = self._folders, folders
                if not folders.allows_all_of(before):
                    self._on_index("")
                self._is_urgent = True
                self._note()

    def use_tokenizer(self, file: str) -> None:
        """Indexes by this tokenizer from now on; "" for no index.

        The file may be the same and have other content, as after a model was trained again, so
        that an index is due in any case; one that is up to date is found at once.
        """
        with self._change:
            self._is_urgent |= file != self._tokenizer
            self._tokenizer = file
            self._note()

    def note_change(self) -> None:
        """Takes note of a file that may have changed."""
        with self._change:
            self._note()

    def close(self) -> None:
        """Ends indexing, and the process if one runs."""
        with self._change:
            self._is_closed = True
            if self._process is not None:
                self._process.kill()
            self._change.notify()

    def _note(self) -> None:
        self._is_due = True
        if self._thread is None and self._can_run():
            self._thread = threading.Thread(target=self._work, name="indexing", daemon=True)
            self._thread.start()
        self._change.notify()

    def _can_run(self) -> bool:
        return self._is_due and bool(self._tokenizer and self._folders.roots)

    def _work(self) -> None:
        pause_s = failed_s = 0.0  # the last two are equal after a failure
        while True:
            with self._change:
                self._change.wait_for(lambda: self._is_closed or self._can_run())
                self._change.wait_for(lambda: self._is_closed or self._is_urgent, timeout=pause_s)
                self._change.wait_for(lambda: self._is_closed, timeout=_SETTLE_S)
                if self._is_closed:
                    return
                if not self._can_run():  # the folders are gone meanwhile
                    continue
                self._is_due = self._is_urgent = False
                folders, tokenizer = self._folders, self._tokenizer
                process = self._start_process()
            started = time.monotonic()
            found = None if process is None else self._finish(process, folders, tokenizer)
            if found is None:  # a full disk, say, on which the next run would fail as well
                took_s = time.monotonic() - started
                pause_s = max(_MIN_PAUSE_S, _PAUSE_FACTOR * took_s, 2 * failed_s)
                pause_s = failed_s = min(_MAX_PAUSE_S, pause_s)
            else:
                pause_s, failed_s = max(_MIN_PAUSE_S, _PAUSE_FACTOR * found.processor_s), 0.0
                with self._change:
                    if (folders, tokenizer) == (self._folders, self._tokenizer):
                        self._on_index(found.folder)

    def _start_process(self) -> "subprocess.Popen[bytes] | None":
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own program
                child_command(f"{_PACKAGE}.indexing"),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env=child_environment(),
                cwd=ROOT,
                start_new_session=True,  # a scheduler's group of its own, to be slowed down alone
            )
        except OSError as error:
            _log.warning("cannot index the workspace (%s)", error.strerror)
            return None
        return self._process

    def _finish(
        self, process: "subprocess.Popen[bytes]", folders: IndexedFolders, tokenizer: str
    ) -> "IndexFound | None":
        """Waits for the process; returns what it made, None if that is nothing."""
        request = {
            "roots": [str(root) for root in folders.roots],
            "private_globs": list(folders.private_globs),
            "tokenizer": tokenizer,
        }
        try:
            answer, _ = process.communicate(json.dumps(request).encode(), timeout=_TIMEOUT_S)
            values = json.loads(answer)
            found = IndexFound(
                folder=str(values["folder"]), processor_s=float(values["processor_s"])
            )
        except (subprocess.TimeoutExpired, OSError, ValueError, KeyError, TypeError):
            process.kill()
            process.wait()
            if not self._is_closed:
                _log.warning("the workspace is not indexed (exit code %s)", process.returncode)
            return None
        finally:
            with self._change:
                self._process = None
        return found
