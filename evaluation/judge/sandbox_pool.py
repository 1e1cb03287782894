"""Judges many jobs at once: a pool of sandboxes, jobs in, verdicts out.

A thread drives each sandbox, with two jobs in flight. A sandbox that fails is discarded, and its
jobs are judged again, each in a fresh one. If that fails too, a harmless program is judged in a
third: if it passes, the job's program is to blame, and its outcome counts; otherwise the outcome is
a sandbox failure, which is never scored.
"""

import queue
import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import partial
from typing import Self

from evaluation.judge.levels.isolation_level import IsolationLevel
from evaluation.judge.sandbox import Sandbox, SandboxFailure, open_sandbox
from evaluation.judge.verdict import Job, Limits, Outcome, Verdict
from training.foundation.errors import SandboxUnavailableError

IN_FLIGHT = 2  # one job waits inside, so that the sandbox never waits for the host

CONTROL = Job(
    task_id="control",
    program="def f(x):\n    return x\n",
    entry_point="f",
    prelude="",
    test="assert f(1) == 1\n",
)

Report = Callable[[int, Verdict], None]
_JobQueue = queue.SimpleQueue[tuple[int, Job]]


@dataclass(frozen=True, kw_only=True)
class JudgeSettings:
    """How programs are judged: limits for each, number of sandboxes, isolation level."""

    limits: Limits
    workers: int
    isolation: IsolationLevel


class _StoppedError(Exception):
    """The pool has been stopped; what was not reported will be judged by another one."""


class SandboxPool:
    """Sandboxes that are started when they are first needed, and kept until the pool is closed.

    Args:
        settings: For all jobs.
    """

    def __init__(self, settings: JudgeSettings) -> None:
        self._settings = settings
        self._sandboxes: dict[int, Sandbox] = {}  # by the number of the worker that drives it
        # The threads last as long as the pool: some sandboxes die with the one that started them.
        self._threads = ThreadPoolExecutor(settings.workers, thread_name_prefix="sandbox")
        self._lock = threading.Lock()
        self._started: weakref.WeakSet[Sandbox] = weakref.WeakSet()  # to be shut down
        self._is_stopped = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()
        self._threads.shutdown()
        for sandbox in self._sandboxes.values():
            sandbox.close()

    def judge_all(self, jobs: Iterable[Job], *, report: Report) -> None:
        """Judges every job and reports each verdict once, in any order.

        Nothing is reported once this has returned or raised. Interrupted, it stops the pool.

        Args:
            jobs: Numbered from 0 in the reports.
            report: Called with a job's number and verdict, by one thread at a time.

        Raises:
            SandboxUnavailableError: No sandbox can be started.
        """
        pending: _JobQueue = queue.SimpleQueue()
        for item in enumerate(jobs):
            pending.put(item)
        lock = threading.Lock()

        def report_locked(index: int, verdict: Verdict) -> None:
            with lock:
                report(index, verdict)

        futures: list[Future[None]] = []
        try:
            for number in range(min(self._settings.workers, pending.qsize())):
                arguments = number, pending, report_locked
                futures.append(self._threads.submit(self._drive_sandbox, *arguments))
            wait(futures)
        except BaseException:
            self._stop()
            self._threads.shutdown()
            raise
        for future in futures:
            future.result()

    def _stop(self) -> None:
        """Has all threads end soon: their sandboxes fail, and they can start no others."""
        with self._lock:
            self._is_stopped = True
            for sandbox in self._started:
                sandbox.shut_down()

    def _start(self, number: int) -> Sandbox:
        limits, isolation = self._settings.limits, self._settings.isolation
        if self._is_stopped:
            raise _StoppedError
        try:
            return open_sandbox(number, limits, isolation, on_start=self._register)
        except SandboxUnavailableError:
            if self._is_stopped:
                raise _StoppedError from None
            raise

    def _register(self, sandbox: Sandbox) -> None:
        with self._lock:
            self._started.add(sandbox)
            if self._is_stopped:
                sandbox.shut_down()

    def _drive_sandbox(self, number: int, pending: _JobQueue, report: Report) -> None:
        start = partial(self._start, number)
        if number not in self._sandboxes:
            self._sandboxes[number] = start()
        in_flight: deque[tuple[int, Job]] = deque()
        while True:
            sandbox = self._sandboxes[number]
            try:
                _submit_jobs(sandbox, pending, in_flight)
                if not in_flight:
                    return
                report(in_flight[0][0], sandbox.receive_verdict())
                in_flight.popleft()
            except SandboxFailure:
                self._sandboxes.pop(number).close()
                for index, job in in_flight:
                    report(index, judge_alone(job, start))
                in_flight.clear()
                self._sandboxes[number] = start()


def judge_all(jobs: Iterable[Job], settings: JudgeSettings, *, report: Report) -> None:
    """Judges every job in a pool of its own; see :meth:`SandboxPool.judge_all`."""
    with SandboxPool(settings) as pool:
        pool.judge_all(jobs, report=report)


def _submit_jobs(sandbox: Sandbox, pending: _JobQueue, in_flight: deque[tuple[int, Job]]) -> None:
    while len(in_flight) < IN_FLIGHT:
        try:
            item = pending.get_nowait()
        except queue.Empty:
            return
        in_flight.append(item)
        sandbox.submit(item[1])


def judge_alone(job: Job, start: Callable[[], Sandbox]) -> Verdict:
    """Judges one job in a fresh sandbox; if that fails too, finds out whose fault it is."""
    verdict = _try_alone(job, start)
    if verdict is not None:
        return verdict
    control = _try_alone(CONTROL, start)
    is_to_blame = control is not None and control.outcome is Outcome.PASSED
    return Verdict(outcome=Outcome.BROKE_SANDBOX if is_to_blame else Outcome.SANDBOX_FAILURE)


def _try_alone(job: Job, start: Callable[[], Sandbox]) -> Verdict | None:
    sandbox = start()
    try:
        sandbox.submit(job)
        return sandbox.receive_verdict()
    except SandboxFailure:
        return None
    finally:
        sandbox.close()
