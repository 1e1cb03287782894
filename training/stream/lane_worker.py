"""Processes that make windows ahead of the training process that needs them.

Each makes those of some lanes, in the order in which steps will need them, and sends them through a
pipe. A thread of the training process takes them out, so many ahead. With no worker the training
process makes each window when it needs it; the blocks are the same.
"""

import dataclasses
import heapq
import multiprocessing
import os
import queue
import signal
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection

from training.foundation.errors import CorpusError, ParrotletError
from training.foundation.parallel.worker_pool import start_worker
from training.stream.lane import Lane, StreamPlan, Window
from training.stream.lane_state import LaneState

_CLOSE_S = 5.0  # for a worker to end by itself


def iterate_windows(plan: StreamPlan, states: Sequence[LaneState]) -> Iterator[Window]:
    """Yields the windows of some lanes without end, those that are needed first first."""
    stages = plan.open_stages()
    lanes = [Lane(plan, state, stages) for state in states]
    waiting = [(state.facts.first_block, number) for number, state in enumerate(states)]
    heapq.heapify(waiting)
    while waiting:
        _, number = waiting[0]
        window = lanes[number].make_window()
        heapq.heapreplace(waiting, (window.after.facts.first_block, number))
        yield window


class WindowSource:
    """Windows of a training process' lanes, made here or by workers.

    Args:
        plan: The stream.
        states: The lanes' states, by lane.
        n_workers: How many processes make windows; 0 for none.
        n_ahead: Of each worker, windows that wait here at most.
    """

    def __init__(
        self, plan: StreamPlan, states: Mapping[int, LaneState], *, n_workers: int, n_ahead: int
    ) -> None:
        ordered = [states[lane] for lane in sorted(states)]
        shares = [ordered[i :: max(1, n_workers)] for i in range(max(1, n_workers))]
        shares = [share for share in shares if share]
        self._owner = {s.facts.lane: number for number, share in enumerate(shares) for s in share}
        self._workers = [_Worker(plan, share, n_ahead) for share in shares] if n_workers else []
        self._sources = [iter(worker) for worker in self._workers] or [
            iterate_windows(plan, share) for share in shares
        ]

    def take(self, lane: int) -> Window:
        """Returns the next window of whoever makes a lane's: this lane's, or another's before it.

        Raises:
            CorpusError: The files cannot be read, or a worker was killed.
        """
        return next(self._sources[self._owner[lane]])

    def close(self) -> None:
        """Ends the workers."""
        for worker in self._workers:
            worker.close()


class _Worker:
    """The training process' side of a worker."""

    def __init__(self, plan: StreamPlan, states: Sequence[LaneState], n_ahead: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._receiver, sender = context.Pipe(duplex=False)
        arguments = (sender, dataclasses.replace(plan), tuple(states))  # without its tokenizer
        self._process = context.Process(target=_serve, args=arguments, daemon=True)
        with _without_main():
            self._process.start()
        sender.close()  # so that the worker's end is the only one
        self._is_closing = threading.Event()
        self._waiting: queue.Queue[Window | Exception] = queue.Queue(n_ahead)
        self._thread = threading.Thread(target=self._receive, daemon=True)
        self._thread.start()

    def __iter__(self) -> Iterator[Window]:
        while True:
            found = self._waiting.get()
            if isinstance(found, Exception):
                raise found
            yield found

    def close(self) -> None:
        self._is_closing.set()
        self._process.kill()
        self._process.join(_CLOSE_S)
        with self._waiting.mutex:
            self._waiting.queue.clear()
            self._waiting.not_full.notify_all()
        self._thread.join(_CLOSE_S)
        self._receiver.close()

    def _receive(self) -> None:
        while not self._is_closing.is_set():
            try:
                found = self._receiver.recv()
            except (EOFError, OSError):
                found = CorpusError(
                    "a process that reads the stream was killed (out of memory?); run the same"
                    " command again to resume, or lower stream.workers"
                )
            self._waiting.put(found)
            if isinstance(found, Exception):
                return


@contextmanager
def _without_main() -> Iterator[None]:
    """Lets a new process begin without the main module, which would import PyTorch there."""
    main = sys.modules["__main__"]
    hidden = {name: vars(main).get(name) for name in ("__file__", "__spec__")}
    for name in hidden:
        setattr(main, name, None)
    try:
        yield
    finally:
        for name, value in hidden.items():
            if value is None and name == "__file__":
                delattr(main, name)
            else:
                setattr(main, name, value)


def _serve(connection: Connection, plan: StreamPlan, states: Sequence[LaneState]) -> None:
    """Sends windows until the training process is gone."""
    start_worker()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # the training saves first, and ends this
    os.environ["TOKENIZERS_PARALLELISM"] = "false"  # the cores are the training's
    try:
        for window in iterate_windows(plan, states):
            connection.send(window)
    except BrokenPipeError:
        return
    except ParrotletError as error:
        connection.send(error)
    except Exception as error:  # noqa: BLE001 - reported by the training process
        connection.send(CorpusError(f"reading the stream failed unexpectedly: {error!r}"))
    connection.close()
