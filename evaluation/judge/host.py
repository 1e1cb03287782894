"""The host's side of the judge: slots of warm sandboxes, jobs in, verdicts out.

Each slot is one sandbox, driven by one thread, two jobs in flight. A sandbox that fails is thrown
away and its jobs are judged again in a new one; only if that fails too is the outcome a sandbox
failure, which nobody scores.
"""

import json
import queue
import socket
import struct
import subprocess
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from evaluation.judge import bubblewrap
from evaluation.judge.inside.wire import frame
from evaluation.judge.verdict import Job, Limits, Outcome, Verdict
from training.artifact.errors import SandboxUnavailableError

START_S = 20.0
GRACE_S = 8.0  # beyond the wall limit, before a silent sandbox is given up
IN_FLIGHT = 2  # the second waits inside, so that the sandbox never waits for the host
MAX_ANSWER_BYTES = 1 << 20
MAX_LOG_CHARS = 300


Command = Callable[[int, Limits], list[str]]  # of a slot's supervisor: its isolation


class SlotFailure(Exception):  # noqa: N818 - never leaves this module
    """The sandbox of a slot is gone or silent."""


class Slot:
    """One sandbox and its conversation."""

    def __init__(self, number: int, limits: Limits, command: Command) -> None:
        self._limits = limits
        words = command(number, limits)
        ours, theirs = socket.socketpair()
        self._socket = ours
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the slot
        self._process = subprocess.Popen(  # noqa: S603 - our own words only
            words,
            stdin=theirs.fileno(),
            stdout=subprocess.DEVNULL,
            stderr=self._log,
        )
        theirs.close()

    def wait_until_ready(self) -> None:
        """Returns when the supervisor stands."""
        if self._receive(START_S) != {"ready": 1}:
            raise SlotFailure

    def submit(self, job: Job) -> None:
        """Sends a job; its verdict comes in turn."""
        tests = vars(job).copy()
        program = {"program": tests.pop("program"), "entry_point": job.entry_point}
        try:
            self._socket.settimeout(START_S)
            self._socket.sendall(frame(program) + frame(tests))
        except OSError as error:
            raise SlotFailure from error

    def verdict(self) -> Verdict:
        """Waits for the oldest job's verdict."""
        answer = self._receive(self._limits.wall_s + GRACE_S)
        try:
            outcome = Outcome(answer["outcome"])
        except (KeyError, TypeError, ValueError) as error:
            raise SlotFailure from error
        if outcome is Outcome.SANDBOX_FAILURE:
            raise SlotFailure
        return Verdict(
            outcome=outcome,
            detail=str(answer.get("detail", "")),
            calls=int(answer.get("calls", 0)),
            cpu_s=float(answer.get("cpu_s", 0.0)),
            wall_s=float(answer.get("wall_s", 0.0)),
            output=str(answer.get("output", "")),
        )

    def close(self) -> str:
        """Kills the sandbox with all that is in it; returns the end of its log."""
        self._process.kill()
        self._process.wait()
        self._socket.close()
        self._log.seek(0)
        said = self._log.read().decode("utf-8", "replace").strip()
        self._log.close()
        return said[-MAX_LOG_CHARS:]

    def _receive(self, timeout_s: float) -> Any:
        end = time.monotonic() + timeout_s
        try:
            (n_bytes,) = struct.unpack("<I", self._read(4, end))
            if n_bytes > MAX_ANSWER_BYTES:
                raise SlotFailure
            return json.loads(self._read(n_bytes, end))
        except (OSError, ValueError, EOFError) as error:
            raise SlotFailure from error

    def _read(self, n_bytes: int, end: float) -> bytes:
        data = b""
        while len(data) < n_bytes:
            self._socket.settimeout(max(0.001, end - time.monotonic()))
            chunk = self._socket.recv(n_bytes - len(data))
            if not chunk:
                raise EOFError
            data += chunk
        return data


def open_slot(number: int, limits: Limits, command: Command) -> Slot:
    """Starts a sandbox.

    Raises:
        SandboxUnavailableError: This machine does not let it start; the reason is named.
    """
    slot = Slot(number, limits, command)
    try:
        slot.wait_until_ready()
    except SlotFailure as error:
        said = slot.close().splitlines()
        raise SandboxUnavailableError(
            f"the sandbox does not start ({said[-1] if said else 'no message'});"
            " allow unprivileged user namespaces, or run where they are allowed"
        ) from error
    return slot


def judge_all(
    jobs: Iterable[Job],
    *,
    limits: Limits,
    workers: int,
    report: Callable[[int, Verdict], None],
    command: Command = bubblewrap.command,
) -> None:
    """Judges every job and reports each verdict once, with the job's number, in any order.

    Args:
        jobs: The jobs, numbered from 0.
        limits: For each.
        workers: How many sandboxes.
        report: Called from one thread at a time.
        command: Starts a sandbox; the default is the one to trust.

    Raises:
        SandboxUnavailableError: No sandbox can be started.
    """
    todo: queue.SimpleQueue[tuple[int, Job]] = queue.SimpleQueue()
    for item in enumerate(jobs):
        todo.put(item)
    lock = threading.Lock()
    errors: list[BaseException] = []

    def work(number: int) -> None:
        def tell(index: int, verdict: Verdict) -> None:
            with lock:
                report(index, verdict)

        try:
            _work(todo, partial(open_slot, number, limits, command), tell)
        except BaseException as error:  # noqa: BLE001 - raised again by the caller's thread
            errors.append(error)

    threads = [threading.Thread(target=work, args=(n,), daemon=True) for n in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def _work(
    todo: "queue.SimpleQueue[tuple[int, Job]]",
    open_one: Callable[[], Slot],
    tell: Callable[[int, Verdict], None],
) -> None:
    slot = open_one()
    in_flight: deque[tuple[int, Job]] = deque()
    try:
        while True:
            try:
                _fill(slot, todo, in_flight)
                if not in_flight:
                    return
                tell(in_flight[0][0], slot.verdict())
                in_flight.popleft()
            except SlotFailure:
                slot.close()
                for index, job in in_flight:
                    tell(index, judge_alone(job, open_one))
                in_flight.clear()
                slot = open_one()
    finally:
        slot.close()


def _fill(
    slot: Slot,
    todo: "queue.SimpleQueue[tuple[int, Job]]",
    in_flight: "deque[tuple[int, Job]]",
) -> None:
    while len(in_flight) < IN_FLIGHT:
        try:
            item = todo.get_nowait()
        except queue.Empty:
            return
        in_flight.append(item)
        slot.submit(item[1])


def judge_alone(job: Job, open_one: Callable[[], Slot]) -> Verdict:
    """Judges one job in a fresh sandbox; a failure of the sandbox is its outcome."""
    slot = open_one()
    try:
        slot.submit(job)
        return slot.verdict()
    except SlotFailure:
        return Verdict(outcome=Outcome.SANDBOX_FAILURE)
    finally:
        slot.close()
