"""The zygote: owns the sandbox's processes, forks one confined child a program, keeps the clocks.

Started by ``evaluation.judge.host`` as ``python -m evaluation.judge.inside.zygote`` with the host's
socket as stdin and the limits in ``JUDGE_LIMITS``. It becomes the first process of a pid namespace
of its own, so that when it dies everything below it does. The next child is forked while the
current one runs, and stands in namespaces of its own: killing it kills all that it started.
"""

import contextlib
import gc
import json
import os
import select
import signal
import socket
import sys
import time
from typing import Any, NamedTuple, NoReturn

from evaluation.judge.inside import candidate, examiner, kernel
from evaluation.judge.inside.memory import MemoryWatch
from evaluation.judge.inside.output import Output
from evaluation.judge.inside.seccomp import build_filter
from evaluation.judge.inside.warm import warm_up
from evaluation.judge.inside.wire import WireError, receive, send

_NOBODY = 65534
_CPU_CLOCK = 2  # in a process' clock id: its CPU time, see clock_getcpuclockid(3)
_LOOK_EVERY_S = 0.05  # at the clocks and the memory
_EXAMINER_GRACE_S = 1.0
_MAX_DYING = 3


class Child(NamedTuple):
    """A forked process and our end of its channel."""

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


class Zygote:
    """Judges one program after the other, for one host."""

    def __init__(self, host: int, limits: dict[str, Any]) -> None:
        self._host = host
        self._limits = limits
        self._own_pids = os.open("/proc/self/ns/pid", os.O_RDONLY)
        self._filter = build_filter()
        self._dying: set[int] = set()
        self._proc = os.open("/proc", os.O_RDONLY | os.O_DIRECTORY)
        self._memory = MemoryWatch(self._proc)
        if limits["is_isolated"]:
            kernel.bound_capabilities()
            flags = kernel.MS_RDONLY | kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_NOEXEC
            kernel.mount_tmpfs("/proc", flags, "size=0,nr_inodes=1,mode=000")
            kernel.hide_from_peers()
        candidate.limit_children(limits)
        self._examiner = self._start_examiner()
        gc.collect()
        gc.freeze()  # children share these pages
        gc.disable()
        self._next = self._fork_child()

    def serve(self) -> NoReturn:
        """Answers the host's jobs until it is gone."""
        send(self._host, {"ready": 1})
        while True:
            try:
                job = receive(self._host)
            except WireError:
                os._exit(0)
            send(self._host, self._judge(job))

    def _judge(self, job: dict[str, Any]) -> dict[str, Any]:
        self._reap()
        child = self._next
        clock = (~child.pid << 3) | _CPU_CLOCK
        cpu_before = _clock(clock, 0.0)
        started = time.monotonic()
        try:
            program = {"program": job.pop("program"), "entry_point": job["entry_point"]}
            send(child.channel.fileno(), program)
        except OSError:
            pass  # it died in setting up; the examiner will find it gone
        socket.send_fds(self._examiner.channel, [b"job\0"], [child.channel.fileno()])
        child.channel.close()
        send(self._examiner.channel.fileno(), job)
        self._next = self._fork_child()  # while this one runs
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
            _, status = os.waitpid(child.pid, 0)  # all of its pid namespace is dead now
        else:
            self._dying.add(child.pid)
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
        self._next.output.close()
        for process in (self._next, self._examiner):  # the next child holds the old socket
            os.kill(process.pid, signal.SIGKILL)
            os.waitpid(process.pid, 0)
            process.channel.close()
        self._examiner = self._start_examiner()
        self._next = self._fork_child()

    def _start_examiner(self) -> Child:
        ours, theirs = socket.socketpair()
        pid = os.fork()
        if pid == 0:
            ours.close()
            os.close(self._host)
            os.close(self._proc)
            try:
                examiner.serve(theirs)
            finally:
                os._exit(1)
        theirs.close()
        return Child(pid, ours)

    def _fork_child(self) -> Program:
        ours, theirs = socket.socketpair()
        output = Output()
        if self._limits["is_isolated"]:
            kernel.unshare(kernel.NEW_PID)
        pid = os.fork()
        if pid == 0:
            try:
                gc.enable()
                candidate.run(
                    candidate.Surroundings(
                        channel=theirs.fileno(),
                        output=output.writer,
                        limits=self._limits,
                        filter_program=self._filter,
                    )
                )
            finally:
                os._exit(1)
        if self._limits["is_isolated"]:
            kernel.enter_namespace(self._own_pids, kernel.NEW_PID)
        theirs.close()
        output.close_writer()
        return Program(pid, ours, output)

    def _reap(self) -> None:
        while self._dying:
            options = 0 if len(self._dying) > _MAX_DYING else os.WNOHANG
            pid, _ = os.waitpid(-1, options)
            if pid == 0:
                return
            self._dying.discard(pid)


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


def _enter_namespaces() -> None:
    uid, gid = os.getuid(), os.getgid()
    kernel.unshare(kernel.NEW_USER | kernel.NEW_NS | kernel.NEW_PID | kernel.NEW_IPC)
    kernel.map_user(_NOBODY, uid, _NOBODY, gid)


def main() -> None:
    """Enters namespaces of its own and serves from the first process of the new pid namespace."""
    limits = json.loads(os.environ.pop("JUDGE_LIMITS"))
    host = os.dup(0)
    null = os.open("/dev/null", os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    os.sched_setaffinity(0, {limits["cpu"]})
    if limits["is_isolated"]:
        _enter_namespaces()
    warm_up()
    pid = os.fork()
    if pid == 0:
        try:
            kernel.die_with_parent()
            Zygote(host, limits).serve()
        except BaseException:  # noqa: BLE001 - the host reads it from the log
            sys.excepthook(*sys.exc_info())  # no traceback module in every child's memory
        os._exit(1)
    os.close(host)
    os.waitpid(pid, 0)


if __name__ == "__main__":
    main()
