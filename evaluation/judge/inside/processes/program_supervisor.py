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
from collections import deque
from typing import Any, NamedTuple, NoReturn

from evaluation.judge.inside.channel.wire import WireError, receive, receive_frame, send, send_frame
from evaluation.judge.inside.confinement import syscalls
from evaluation.judge.inside.confinement.confinement import FIRST_FREE, MAX_DESCRIPTOR
from evaluation.judge.inside.plan import LANDLOCK, NAMESPACES, Plan
from evaluation.judge.inside.processes import examiner
from evaluation.judge.inside.processes.clocks import LOOK_EVERY_S, Clocks
from evaluation.judge.inside.processes.preload import warm_up
from evaluation.judge.inside.processes.process_usage import Tree
from evaluation.judge.inside.processes.program_output import Output
from evaluation.judge.inside.processes.workdirs import Rooms
from evaluation.judge.inside.processes.zygote import Zygote

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
    number: int  # of its fork


class Run(NamedTuple):
    """How the run of a program ended, before it is told from the verdict why."""

    verdict: dict[str, Any] | None
    stopped: str | None
    cpu_s: float
    wall_s: float


class Supervisor:
    """Judges one program after the other, for one host."""

    def __init__(self, host: int, plan: Plan, zygote: Zygote) -> None:
        self._host = host
        self._plan = plan
        self._zygote = zygote
        self._dying: deque[int] = deque()
        self._rooms = Rooms(plan)
        proc = os.open("/proc", os.O_RDONLY | os.O_DIRECTORY)
        self._tree = Tree(proc, is_nested=plan.isolation == NAMESPACES)
        if plan.isolation == NAMESPACES:
            flags = syscalls.MS_RDONLY | syscalls.MS_NOSUID | syscalls.MS_NODEV | syscalls.MS_NOEXEC
            syscalls.do([syscalls.tmpfs_call("/proc", flags, "size=0,nr_inodes=1,mode=000")])
        self._examiner = _start_examiner()
        self._n_forks = 0
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
        clocks = Clocks(child.pid, self._plan)
        with contextlib.suppress(OSError):  # it died in setting up; the examiner will find it gone
            send_frame(child.channel.fileno(), program)
        socket.send_fds(self._examiner.channel, [b"job\0"], [child.channel.fileno()])
        child.channel.close()
        send_frame(self._examiner.channel.fileno(), job)
        self._next = self._fork_next()  # while this one runs
        return self._concluded(child, self._wait(child, clocks))

    def _wait(self, child: Program, clocks: Clocks) -> Run:
        """Waits for the verdict or the first limit to be reached, reading what is printed."""
        poll = select.poll()
        poll.register(self._examiner.channel, select.POLLIN)
        poll.register(child.output.descriptor, select.POLLIN)
        verdict, stopped = None, None
        while verdict is None and stopped is None:
            ready = {descriptor for descriptor, _ in poll.poll(LOOK_EVERY_S * 1000)}
            if child.output.descriptor in ready and not child.output.read():
                poll.unregister(child.output.descriptor)
            if self._examiner.channel.fileno() in ready:
                verdict = self._examined()
            elif child.output.is_too_much:
                stopped = "output_limit"
            elif clocks.is_time_to_look():
                stopped = self._limit_reached(child, clocks)
        return Run(verdict, stopped, clocks.cpu_s(), clocks.wall_s())

    def _limit_reached(self, child: Program, clocks: Clocks) -> str | None:
        use = self._tree.look(
            program=child.pid, waiting=self._next.pid, examiner=self._examiner.pid
        )
        if use.memory_bytes > self._plan.memory_bytes:
            return "oom"
        if self._rooms.is_too_full(child.number):
            return "output_limit"
        return clocks.limit_reached(use)

    def _examined(self) -> dict[str, Any]:
        try:
            verdict = receive(self._examiner.channel.fileno())
        except (WireError, OSError):
            verdict = None
        return verdict if isinstance(verdict, dict) else {"outcome": "sandbox_failure"}

    def _concluded(self, child: Program, run: Run) -> dict[str, Any]:
        os.kill(child.pid, signal.SIGKILL)
        if self._plan.isolation != NAMESPACES:
            _kill_group(child.pid)  # what its namespace would have done
        status = None
        is_gone = run.verdict is None or run.verdict["outcome"] == "gone"
        if is_gone or self._plan.isolation == LANDLOCK:  # what it still writes would be left behind
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
        self._rooms.clear(child.number)
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
        self._n_forks += 1
        return Program(pid, ours, output, self._n_forks)


def _start_examiner() -> Examiner:
    ours, theirs = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        os.closerange(FIRST_FREE - 1, theirs.fileno())
        os.closerange(theirs.fileno() + 1, MAX_DESCRIPTOR)
        try:
            syscalls.die_with_parent()
            warm_up()
            examiner.serve(theirs)
        finally:
            os._exit(1)
    theirs.close()
    return Examiner(pid, ours)


def _kill_group(pid: int) -> None:
    with contextlib.suppress(OSError):  # it never came to have a group, or all of it is gone
        os.killpg(pid, signal.SIGKILL)


def _why_gone(status: int | None) -> str:
    """Returns the outcome; "killed" is for want of memory, or by its own doing: the host knows."""
    if status is None:
        return "protocol_violation"
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        if number == signal.SIGXCPU:
            return "timeout_cpu"
        return "crashed" if number != signal.SIGKILL else "killed"
    return "exited_early"
