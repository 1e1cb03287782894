"""The host's side of the judge: slots of warm sandboxes, jobs in, verdicts out.

Each slot is one sandbox, driven by one thread, two jobs in flight. A sandbox that fails is thrown
away and its jobs are judged again in a new one; only if that fails too is the outcome a sandbox
failure, which nobody scores.
"""

import queue
import threading
from collections import deque
from collections.abc import Callable, Iterable
from functools import partial

from evaluation.judge.levels.isolation_level import Isolation
from evaluation.judge.sandbox import Slot, SlotFailure, open_slot
from evaluation.judge.verdict import Job, Limits, Outcome, Verdict

IN_FLIGHT = 2  # the second waits inside, so that the sandbox never waits for the host


def judge_all(
    jobs: Iterable[Job],
    *,
    limits: Limits,
    workers: int,
    report: Callable[[int, Verdict], None],
    isolation: Isolation,
) -> None:
    """Judges every job and reports each verdict once, with the job's number, in any order.

    Args:
        jobs: The jobs, numbered from 0.
        limits: For each.
        workers: How many sandboxes.
        report: Called from one thread at a time.
        isolation: What confines the programs.

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
            _work(todo, partial(open_slot, number, limits, isolation), tell)
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
