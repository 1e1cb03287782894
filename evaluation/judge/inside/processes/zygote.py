"""The zygote: a process that only forks, one child a program, on the supervisor's request.

It shares its memory with every child, and what either writes after the fork is copied, page by
page: that is most of what a short program costs. So the zygote does as little as it can, has
rehearsed it, and leaves clocks, messages and verdicts to the supervisor, which forks no programs.
Each child stands in namespaces of its own: killing it kills all that it started.

Sockets are from ``_socket``: the module ``socket`` would be half a megabyte more in each child.
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
from evaluation.judge.inside.confinement.confinement import FIRST_FREE, ground
from evaluation.judge.inside.plan import Plan
from evaluation.judge.inside.processes import candidate
from evaluation.judge.inside.processes.preload import warm_up

_NUMBER = struct.Struct("<i")
_DESCRIPTORS = struct.Struct("3i")
_EXPECTED = _DESCRIPTORS.pack(1, 2, candidate.CHANNEL)
_ROOM = CMSG_SPACE(_DESCRIPTORS.size)
_GONE = "the zygote is gone"


class Zygote:
    """The supervisor's end: starts the process, and asks it.

    Args:
        plan: The sandbox's.
    """

    def __init__(self, plan: Plan) -> None:
        self._control, theirs = socketpair(AF_UNIX, SOCK_SEQPACKET)
        homes = [os.open(f"/proc/self/ns/{name}", os.O_RDONLY) for name in ("pid", "mnt")]
        if os.fork() == 0:
            log = os.dup(2)
            try:
                self._control.close()
                syscalls.die_with_parent()
                _Nursery(theirs, plan, homes).serve()
            except BaseException:  # noqa: BLE001 - the host reads it from the log
                os.dup2(log, 2)
                sys.excepthook(*sys.exc_info())
            os._exit(1)
        for descriptor in homes:
            os.close(descriptor)
        theirs.close()
        self._answered()  # it has what it needs of /proc

    def fork(self, output: int, channel: int, *, reaped: int) -> int:
        """Returns the process of a new child, confined or about to be.

        Args:
            output: What it prints to.
            channel: What it answers on.
            reaped: An earlier child, killed already, to be waited for first; 0 for none.
        """
        descriptors = _DESCRIPTORS.pack(output, output, channel)
        rights = [(SOL_SOCKET, SCM_RIGHTS, descriptors)]
        self._control.sendmsg([_NUMBER.pack(reaped)], rights)
        return self._answered()

    def wait(self, pid: int) -> int:
        """Waits for the end of a killed child and all that it started; returns its status."""
        self._control.send(_NUMBER.pack(pid))
        return self._answered()

    def _answered(self) -> int:
        answer = self._control.recv(_NUMBER.size)
        if not answer:
            raise OSError(_GONE)
        (number,) = _NUMBER.unpack(answer)
        return int(number)


class _Nursery:
    """The process. Between requests its descriptors 1 to 3 are free, for the next child's."""

    def __init__(self, control: socket, plan: Plan, homes: list[int]) -> None:
        self._control = control
        with contextlib.suppress(OSError):  # should the kernel lack memory, a program is to go
            syscalls.write_own("oom_score_adj", "1000")
        syscalls.hide_from_peers()
        control.send(_NUMBER.pack(0))
        self._ground = ground(plan, homes)
        resource.setrlimit(resource.RLIMIT_AS, (plan.memory_bytes, plan.memory_bytes))
        for number in (signal.SIGPIPE, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)

    def serve(self) -> NoReturn:
        """Forks whenever it is asked to; ends with the supervisor."""
        warm_up()
        candidate.rehearse()
        os.closerange(1, FIRST_FREE)
        gc.collect()
        gc.freeze()  # children share these pages
        gc.disable()
        while True:
            request, rights, _, _ = self._control.recvmsg(_NUMBER.size, _ROOM)
            if not request:
                os._exit(0)
            (answer,) = _NUMBER.unpack(request)
            if answer:
                answer = os.waitpid(answer, 0)[1]  # all of its pid namespace is dead then
            if rights:
                answer = self._fork(rights[0][2])
            self._control.send(_NUMBER.pack(answer))

    def _fork(self, descriptors: bytes) -> int:
        if descriptors != _EXPECTED:
            raise OSError("a child's descriptors are not where they belong")
        confinement = self._ground.lay()
        pid = os.fork()
        if pid == 0:
            try:
                candidate.run(confinement)
            finally:
                os._exit(1)
        self._ground.leave()
        return pid
