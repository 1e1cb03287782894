"""The zygote: a process that only forks, one child per program, when the supervisor asks.

It shares its memory with every child, and whatever either writes after the fork is copied page by
page; that is most of what a short program costs. So the zygote does as little as it can, and has
rehearsed it; clocks, messages and verdicts are left to the supervisor, which forks no programs.
Each child is in namespaces of its own: killing it kills everything that it started.

Sockets are from ``_socket``: the module ``socket`` would add half a megabyte to each child.
"""

import contextlib
import gc
import os
import resource
import signal
import struct
import sys
from _socket import AF_UNIX, CMSG_SPACE, SCM_RIGHTS, SOCK_SEQPACKET, SOL_SOCKET, socket, socketpair
from typing import NoReturn

from evaluation.judge.inside.confinement import syscalls
from evaluation.judge.inside.confinement.confinement import FIRST_FREE, create_confinement
from evaluation.judge.inside.plan import Plan
from evaluation.judge.inside.processes import candidate
from evaluation.judge.inside.processes.preload import preload_modules

_NUMBER = struct.Struct("<i")
_DESCRIPTORS = struct.Struct("3i")
_EXPECTED = _DESCRIPTORS.pack(1, 2, candidate.CHANNEL)
_CONTROL_BYTES = CMSG_SPACE(_DESCRIPTORS.size)
_GONE = "the zygote is gone"


class Zygote:
    """The supervisor's end: starts the process and sends it requests.

    Args:
        plan: The sandbox's.
    """

    def __init__(self, plan: Plan) -> None:
        self._control, theirs = socketpair(AF_UNIX, SOCK_SEQPACKET)
        namespaces = [os.open(f"/proc/self/ns/{name}", os.O_RDONLY) for name in ("pid", "mnt")]
        if os.fork() == 0:
            log = os.dup(2)
            try:
                self._control.close()
                syscalls.die_with_parent()
                _ZygoteProcess(theirs, plan, namespaces).serve()
            except BaseException:  # noqa: BLE001 - the host reads it from the log
                os.dup2(log, 2)
                sys.excepthook(*sys.exc_info())
            os._exit(1)
        for descriptor in namespaces:
            os.close(descriptor)
        theirs.close()
        self._receive()  # from now on it needs /proc no more

    def fork(self, output: int, channel: int, *, reap: int) -> int:
        """Returns the process of a new child, which confines itself before anything else.

        Args:
            output: The descriptor to which it prints.
            channel: The descriptor on which it answers.
            reap: An earlier child, already killed, to wait for first; 0 for none.
        """
        descriptors = _DESCRIPTORS.pack(output, output, channel)
        rights = [(SOL_SOCKET, SCM_RIGHTS, descriptors)]
        self._control.sendmsg([_NUMBER.pack(reap)], rights)
        return self._receive()

    def wait(self, pid: int) -> int:
        """Waits for a killed child, and all that it started, to end; returns its status."""
        self._control.send(_NUMBER.pack(pid))
        return self._receive()

    def _receive(self) -> int:
        answer = self._control.recv(_NUMBER.size)
        if not answer:
            raise OSError(_GONE)
        (number,) = _NUMBER.unpack(answer)
        return int(number)


class _ZygoteProcess:
    """The process. Between requests its descriptors 1 to 3 are free for the next child's."""

    def __init__(self, control: socket, plan: Plan, namespaces: list[int]) -> None:
        self._control = control
        self._oom_score = os.open("/proc/self/oom_score_adj", os.O_WRONLY)
        syscalls.hide_from_peers()
        control.send(_NUMBER.pack(0))
        self._confinement = create_confinement(plan, namespaces)
        resource.setrlimit(resource.RLIMIT_AS, (plan.memory_bytes, plan.memory_bytes))
        for number in (signal.SIGPIPE, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)

    def serve(self) -> NoReturn:
        """Forks whenever it is asked to; ends with the supervisor."""
        preload_modules()
        candidate.rehearse()
        os.closerange(1, FIRST_FREE)
        gc.collect()
        gc.freeze()  # children share these pages
        gc.disable()
        while True:
            request, rights, _, _ = self._control.recvmsg(_NUMBER.size, _CONTROL_BYTES)
            if not request:
                os._exit(0)
            (answer,) = _NUMBER.unpack(request)
            if answer:  # once it has ended, all of its pid namespace has
                answer = os.waitpid(answer, 0)[1]
            if rights:
                answer = self._fork(rights[0][2])
            self._control.send(_NUMBER.pack(answer))

    def _fork(self, descriptors: bytes) -> int:
        if descriptors != _EXPECTED:
            raise OSError("a child's descriptors are not the expected ones")
        calls = self._confinement.enter()
        self._set_oom_score(b"1000")  # inherited: short of memory, the kernel kills a program
        pid = os.fork()
        if pid == 0:
            try:
                candidate.run(calls)
            finally:
                os._exit(1)
        self._set_oom_score(b"0")
        self._confinement.leave()
        return pid

    def _set_oom_score(self, score: bytes) -> None:
        with contextlib.suppress(OSError):
            os.write(self._oom_score, score)
