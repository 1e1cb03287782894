"""The supervisor: has one program after the other judged, and keeps the clocks.

It is the first process of its pid namespace (see ``__main__``): when it dies everything below it
does. Below it are the zygote, which forks a child for the next program while the current one runs,
and the examiner, which holds the tests.
"""

import contextlib
import os
import select
import signal
import socket
import time
from collections import deque
from typing import Any, NamedTuple, NoReturn

from evaluation.judge.inside import candidate, examiner, kernel
from evaluation.judge.inside.memory import MemoryWatch
from evaluation.judge.inside.output import Output
from evaluation.judge.inside.warm import warm_up
from evaluation.judge.inside.wire import WireError, receive, receive_frame, send, send_frame
from evaluation.judge.inside.zygote import Zygote

_CPU_CLOCK = 2  # in a process' clock id: its CPU time, see clock_getcpuclockid(3)
_LOOK_EVERY_S = 0.05  # at the clocks and the memory
_EXAMINER_GRACE_S = 1.0
_MAX_DYING = 3


class Examiner(NamedTuple):
    """The examiner's process and our end of its channel."""

    pid: int
    channel: socket.socket


class Program(NamedTuple):
    """A process for one program, with what it prints."""

    pid: int
    channel: socket.socket
    output: Output


class Run(NamedTuple):
    """How the run of a program ended, before it is told from the verdict why."""

    verdict: dict[str, Any] | None
    stopped: str | None
    cpu_s: float
    wall_s: float


class Supervisor:
    """Judges one program after the other, for one host."""

    def __init__(self, host: int, limits: dict[str, Any], zygote: Zygote) -> None:
        self._host = host
        self._limits = limits
        self._zygote = zygote
        self._dying: deque[int] = deque()
        self._memory = MemoryWatch(os.open("/proc", os.O_RDONLY | os.O_DIRECTORY))
        if limits["is_isolated"]:
            flags = kernel.MS_RDONLY | kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_NOEXEC
            kernel.do([kernel.tmpfs_call("/proc", flags, "size=0,nr_inodes=1,mode=000")])
        self._examiner = _start_examiner()
        self._next = self._fork_next()

    def serve(self) -> NoReturn:
        """Answers the host's jobs until it is gone."""
        send(self._host, {"ready": 1})
        while True:
            try:
                program, job = receive_frame(self._host), receive_frame(self._host)
            except WireError:
                os._exit(0)
            send(self._host, self._judge(program, job))

    def _judge(self, program: bytes, job: bytes) -> dict[str, Any]:
        child = self._next
        clock = (~child.pid << 3) | _CPU_CLOCK
        cpu_before = _clock(clock, 0.0)
        started = time.monotonic()
        with contextlib.suppress(OSError):  # it died in setting up; the examiner will find it gone
            send_frame(child.channel.fileno(), program)
        socket.send_fds(self._examiner.channel, [b"job\0"], [child.channel.fileno()])
        child.channel.close()
        send_frame(self._examiner.channel.fileno(), job)
        self._next = self._fork_next()  # while this one runs
        run = self._wait(child.output, clock, cpu_before, started)
        return self._concluded(child, run)

    def _wait(self, output: Output, clock: int, cpu_before: float, started: float) -> Run:
        """Waits for the verdict or the first limit to be reached, reading what is printed."""
        poll = select.poll()
        poll.register(self._examiner.channel, select.POLLIN)
        poll.register(output.descriptor, select.POLLIN)
        verdict, stopped = None, None
        looked = started
        while verdict is None and stopped is None:
            ready = {descriptor for descriptor, _ in poll.poll(_LOOK_EVERY_S * 1000)}
            if output.descriptor in ready and not output.read():
                poll.unregister(output.descriptor)
            if self._examiner.channel.fileno() in ready:
                verdict = self._examined()
            elif output.is_too_much:
                stopped = "output_limit"
            elif time.monotonic() - looked >= _LOOK_EVERY_S:
                looked = time.monotonic()
                stopped = self._limit_reached(_clock(clock, cpu_before) - cpu_before, started)
        cpu_s = _clock(clock, cpu_before) - cpu_before
        return Run(verdict, stopped, cpu_s, time.monotonic() - started)

    def _limit_reached(self, used_s: float, started: float) -> str | None:
        if used_s >= self._limits["cpu_s"]:
            return "timeout_cpu"
        if time.monotonic() - started >= self._limits["wall_s"]:
            return "timeout_wall"
        if self._memory.tree_bytes(self._next.pid) > self._limits["memory_bytes"]:
            return "oom"
        return None

    def _examined(self) -> dict[str, Any]:
        try:
            verdict = receive(self._examiner.channel.fileno())
        except (WireError, OSError):
            verdict = None
        return verdict if isinstance(verdict, dict) else {"outcome": "sandbox_failure"}

    def _concluded(self, child: Program, run: Run) -> dict[str, Any]:
        os.kill(child.pid, signal.SIGKILL)
        if not self._limits["is_isolated"]:
            _kill_group(child.pid)  # what its namespace would have done
        status = None
        if run.verdict is None or run.verdict["outcome"] == "gone":
            status = self._zygote.wait(child.pid)
        else:
            self._dying.append(child.pid)
        if run.stopped is not None or run.verdict == {"outcome": "sandbox_failure"}:
            self._recover_examiner()
        verdict = run.verdict or {"outcome": run.stopped}
        if verdict["outcome"] == "gone":
            verdict["outcome"] = _why_gone(status)
        if "MemoryError" in str(verdict.get("detail")):
            verdict["outcome"] = "oom"
        printed = child.output.close()
        spent = {"cpu_s": round(run.cpu_s, 4), "wall_s": round(run.wall_s, 4)}
        return {**verdict, **spent, "output": printed}

    def _recover_examiner(self) -> None:
        """Takes the examiner's late answer, or replaces it if it gives none."""
        poll = select.poll()
        poll.register(self._examiner.channel, select.POLLIN)
        if poll.poll(_EXAMINER_GRACE_S * 1000) and self._examined()["outcome"] != "sandbox_failure":
            return
        os.kill(self._examiner.pid, signal.SIGKILL)
        os.waitpid(self._examiner.pid, 0)
        self._examiner.channel.close()
        self._examiner = _start_examiner()

    def _fork_next(self) -> Program:
        ours, theirs = socket.socketpair()
        output = Output()
        reaped = self._dying.popleft() if len(self._dying) > _MAX_DYING else 0
        pid = self._zygote.fork(output.writer, theirs.fileno(), reaped=reaped)
        theirs.close()
        output.close_writer()
        return Program(pid, ours, output)


def _start_examiner() -> Examiner:
    ours, theirs = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        os.closerange(candidate.CHANNEL, theirs.fileno())
        os.closerange(theirs.fileno() + 1, candidate.MAX_DESCRIPTOR)
        try:
            kernel.die_with_parent()
            warm_up()
            examiner.serve(theirs)
        finally:
            os._exit(1)
    theirs.close()
    return Examiner(pid, ours)


def _kill_group(pid: int) -> None:
    with contextlib.suppress(OSError):  # it never came to have a group, or all of it is gone
        os.killpg(pid, signal.SIGKILL)


def _clock(clock: int, otherwise: float) -> float:
    try:
        return time.clock_gettime(clock)
    except OSError:  # the process has ended
        return otherwise


def _why_gone(status: int | None) -> str:
    if status is None:
        return "protocol_violation"
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        if number == signal.SIGXCPU:
            return "timeout_cpu"
        return "crashed" if number != signal.SIGKILL else "protocol_violation"
    return "exited_early"
