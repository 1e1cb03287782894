"""The supervisor: has one program after another judged, and keeps the clocks.

It is the first process of its pid namespace (see ``__main__``): when it dies, so does everything
below it. Below it are the zygote, which forks a child for the next program while the current one
runs, and the examiner, which holds the tests.
"""

import contextlib
import os
import resource
import select
import signal
import socket
from collections import deque
from typing import NamedTuple, NoReturn

from evaluation.judge.inside.channel.judge_messages import Ending, Finding, VerdictMessage
from evaluation.judge.inside.channel.wire import (
    WireError,
    receive,
    receive_frame,
    send,
    send_frame,
)
from evaluation.judge.inside.confinement import syscalls
from evaluation.judge.inside.confinement.confinement import FIRST_FREE, MAX_DESCRIPTOR
from evaluation.judge.inside.plan import LANDLOCK, NAMESPACES, Plan
from evaluation.judge.inside.processes import examiner
from evaluation.judge.inside.processes.clocks import Clocks
from evaluation.judge.inside.processes.preload import preload_modules
from evaluation.judge.inside.processes.process_usage import ProcessUsage
from evaluation.judge.inside.processes.program_output import ProgramOutput
from evaluation.judge.inside.processes.workdirs import Workdirs
from evaluation.judge.inside.processes.zygote import Zygote

_EXAMINER_GRACE_S = 1.0
_MAX_DYING = 3
_SHORT_RUN_S = 0.01
_PEEK = int(socket.MSG_PEEK | socket.MSG_DONTWAIT)
_SANDBOX_FAILURE = Finding("sandbox_failure")
_TOO_MANY = Finding("error", "more processes and threads than a program may have")


class ExaminerProcess(NamedTuple):
    """The examiner's process and our end of its channel."""

    pid: int
    channel: socket.socket


class ProgramProcess(NamedTuple):
    """The process of one program, and what it prints."""

    pid: int
    channel: socket.socket
    output: ProgramOutput
    number: int  # of its fork

    def is_alive(self) -> bool:
        """Returns False if the kernel killed it while it waited, when memory had run out."""
        try:
            return bool(self.channel.recv(1, _PEEK))
        except BlockingIOError:  # it has not confined itself yet
            return True
        except OSError:
            return False


class Run(NamedTuple):
    """How a program's run ended: by the examiner's finding, or by an exceeded limit."""

    finding: Finding | None
    limit: Finding | None
    cpu_s: float
    wall_s: float


class Supervisor:
    """Judges one program after another for one host."""

    def __init__(self, host: int, plan: Plan, zygote: Zygote) -> None:
        self._host = host
        self._plan = plan
        self._zygote = zygote
        self._dying: deque[int] = deque()  # killed programs, not yet waited for
        self._workdirs = Workdirs(plan)
        proc = os.open("/proc", os.O_RDONLY | os.O_DIRECTORY)
        self._usage = ProcessUsage(proc, is_nested=plan.isolation == NAMESPACES)
        if plan.isolation == NAMESPACES:
            flags = syscalls.MS_RDONLY | syscalls.MS_NOSUID
            flags |= syscalls.MS_NODEV | syscalls.MS_NOEXEC
            hide = syscalls.prepare_tmpfs("/proc", flags, "size=0,nr_inodes=1,mode=000")
            syscalls.make_calls([hide])
        self._examiner = _start_examiner(plan.memory_bytes)
        self._n_forks = 0
        self._next = self._fork_next()

    def serve(self) -> NoReturn:
        """Answers the host's jobs until the host is gone."""
        send(self._host, {"ready": 1})
        while True:
            try:
                program, test = receive_frame(self._host), receive_frame(self._host)
            except WireError:
                os._exit(0)
            verdict = self._judge(program, test)
            with contextlib.suppress(BrokenPipeError):  # the next message will not come either
                send(self._host, verdict)

    def _judge(self, program: bytes, test: bytes) -> VerdictMessage:
        child = self._take_next()
        clocks = Clocks(child.pid, self._examiner.pid, self._plan)
        with contextlib.suppress(OSError):  # it died while confining itself; the examiner will see
            send_frame(child.channel.fileno(), program)
        socket.send_fds(self._examiner.channel, [b"job\0"], [child.channel.fileno()])
        child.channel.close()
        send_frame(self._examiner.channel.fileno(), test)
        self._next = self._fork_next()  # while this one runs
        return self._conclude(child, self._wait(child, clocks))

    def _take_next(self) -> ProgramProcess:
        child = self._next
        if child.is_alive():
            return child
        self._zygote.wait(child.pid)
        child.channel.close()
        child.output.close()
        self._workdirs.remove(child.number)
        return self._fork_next()

    def _wait(self, child: ProgramProcess, clocks: Clocks) -> Run:
        """Waits for the finding or the first exceeded limit, and reads what is printed."""
        poll = select.poll()
        poll.register(self._examiner.channel, select.POLLIN)
        poll.register(child.output.descriptor, select.POLLIN)
        poll.register(self._host, 0)  # reports only that the host has hung up
        finding: Finding | None = None
        limit: Finding | None = None
        while finding is None and limit is None:
            ready = {descriptor for descriptor, _ in poll.poll(clocks.interval_s * 1000)}
            if self._host in ready:
                self._end_with_host(child)
            if child.output.descriptor in ready and not child.output.read():
                poll.unregister(child.output.descriptor)
            if self._examiner.channel.fileno() in ready:
                finding = self._check_threads(child, self._receive_finding())
            elif child.output.is_too_long:
                limit = Finding("output_limit")
            elif clocks.is_check_due():
                limit = self._find_exceeded_limit(child, clocks)
        return Run(finding, limit, clocks.read_cpu_s(), clocks.read_wall_s())

    def _end_with_host(self, child: ProgramProcess) -> NoReturn:
        """Ends the sandbox, and the program before it."""
        self._kill(child)
        self._zygote.wait(child.pid)
        os._exit(0)

    def _find_exceeded_limit(self, child: ProgramProcess, clocks: Clocks) -> Finding | None:
        usage = self._usage.measure(program=child.pid, examiner=self._examiner.pid)
        if usage.memory_bytes > self._plan.memory_bytes:
            return Finding("oom")
        if usage.n_threads > self._plan.processes:
            return _TOO_MANY
        if self._workdirs.is_too_full(child.number, child.pid):
            return Finding("output_limit")
        ending = clocks.find_exceeded_limit(usage)
        return None if ending is None else Finding(ending)

    def _check_threads(self, child: ProgramProcess, finding: Finding) -> Finding:
        """Returns what a program's run ended with, which may have been too short to be measured."""
        if self._plan.isolation == NAMESPACES or finding.ending != "passed":
            return finding  # there the kernel counts them
        is_too_many = self._usage.count_threads(child.pid) > self._plan.processes
        return _TOO_MANY if is_too_many else finding

    def _receive_finding(self) -> Finding:
        try:
            ending, detail, calls = receive(self._examiner.channel.fileno())
        except (WireError, OSError, TypeError, ValueError):
            return _SANDBOX_FAILURE
        return Finding(ending, str(detail), int(calls))

    def _kill(self, child: ProgramProcess) -> None:
        os.kill(child.pid, signal.SIGKILL)
        if self._plan.isolation != NAMESPACES:
            _kill_group(child.pid)  # as its namespace would have done

    def _conclude(self, child: ProgramProcess, run: Run) -> VerdictMessage:
        self._kill(child)
        status = None
        is_gone = run.finding is None or run.finding.ending == "gone"
        # With Landlock its writes would outlive its folder; else what it started may be in the
        # next one's way, but a short program cannot have started much.
        if is_gone or self._plan.isolation == LANDLOCK or run.wall_s > _SHORT_RUN_S:
            status = self._zygote.wait(child.pid)
        else:
            self._dying.append(child.pid)
        if run.limit is not None or run.finding == _SANDBOX_FAILURE:
            self._recover_examiner()
        finding = run.finding or run.limit or _SANDBOX_FAILURE
        verdict = VerdictMessage(
            outcome=_explain_end(status) if finding.ending == "gone" else finding.ending,
            detail=finding.detail,
            calls=finding.calls,
            cpu_s=round(run.cpu_s, 4),
            wall_s=round(run.wall_s, 4),
            output=child.output.close(),
        )
        self._workdirs.remove(child.number)
        return verdict

    def _recover_examiner(self) -> None:
        """Discards the examiner's late finding, or replaces the examiner if there is none."""
        poll = select.poll()
        poll.register(self._examiner.channel, select.POLLIN)
        if poll.poll(_EXAMINER_GRACE_S * 1000) and self._receive_finding() != _SANDBOX_FAILURE:
            return
        os.kill(self._examiner.pid, signal.SIGKILL)
        os.waitpid(self._examiner.pid, 0)
        self._examiner.channel.close()
        self._examiner = _start_examiner(self._plan.memory_bytes)

    def _fork_next(self) -> ProgramProcess:
        ours, theirs = socket.socketpair()
        output = ProgramOutput()
        reap = self._dying.popleft() if len(self._dying) > _MAX_DYING else 0
        pid = self._zygote.fork(output.writer, theirs.fileno(), reap=reap)
        theirs.close()
        output.close_writer()
        self._n_forks += 1
        return ProgramProcess(pid, ours, output, self._n_forks)


def _start_examiner(memory_bytes: int) -> ExaminerProcess:
    ours, theirs = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        os.closerange(FIRST_FREE - 1, theirs.fileno())
        os.closerange(theirs.fileno() + 1, MAX_DESCRIPTOR)
        try:
            syscalls.die_with_parent()
            preload_modules()
            resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
            examiner.serve(theirs)
        finally:
            os._exit(1)
    theirs.close()
    return ExaminerProcess(pid, ours)


def _kill_group(pid: int) -> None:
    with contextlib.suppress(OSError):  # it never had a group, or all of it is gone
        os.killpg(pid, signal.SIGKILL)


def _explain_end(status: int | None) -> Ending:
    """Returns why a program's process is gone.

    "killed" is for lack of memory or by its own doing; the host knows which.
    """
    if status is None:
        return "protocol_violation"
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        if number == signal.SIGXCPU:
            return "timeout_cpu"
        return "crashed" if number != signal.SIGKILL else "killed"
    return "exited_early"
