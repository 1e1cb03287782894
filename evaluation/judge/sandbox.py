"""One sandbox as the host sees it: a process, a socket, a control group, perhaps a folder."""

import contextlib
import json
import socket
import struct
import subprocess
import tempfile
import time
from collections.abc import Callable
from typing import Any

from evaluation.judge.cgroups import MemoryGroup, create_memory_group
from evaluation.judge.compiled_modules import encode_modules
from evaluation.judge.inside.channel.judge_messages import ProgramMessage, TestMessage
from evaluation.judge.inside.channel.wire import TooLargeError, encode_frame
from evaluation.judge.inside.plan import MAX_WALL_FACTOR
from evaluation.judge.inside.processes.workdirs import remove_folder
from evaluation.judge.levels.isolation_level import IsolationLevel
from evaluation.judge.verdict import Job, Limits, Outcome, Verdict
from training.foundation.errors import SandboxUnavailableError

START_TIMEOUT_S = 20.0
END_TIMEOUT_S = 5.0  # for it to end by itself, before it is killed
GRACE_S = 8.0  # beyond the longest run, before a silent sandbox is given up
MAX_MESSAGE_BYTES = 1 << 20
MAX_LOG_CHARS = 300


class SandboxFailure(Exception):  # noqa: N818 - never leaves the judge
    """The sandbox has died, hangs, or has sent something unexpected."""


class Sandbox:
    """A running sandbox. Jobs are judged in the order in which they are submitted."""

    def __init__(self, number: int, limits: Limits, isolation: IsolationLevel) -> None:
        self._limits = limits
        with contextlib.ExitStack() as resources:
            folder = tempfile.mkdtemp(prefix="judge-") if isolation.needs_folder else ""
            if folder:
                resources.callback(remove_folder, folder)
            command = isolation.build_command(number, limits, folder)
            self._memory: MemoryGroup | None = create_memory_group(number, limits.memory_bytes)
            if self._memory is not None:
                resources.callback(self._memory.close)
                command = [*self._memory.build_join_command(), *command]
            self._log = resources.enter_context(tempfile.TemporaryFile())
            ours, theirs = socket.socketpair()
            self._socket = resources.enter_context(ours)
            with theirs:
                self._process = subprocess.Popen(  # noqa: S603 - a command of our own
                    command,
                    stdin=theirs.fileno(),
                    stdout=subprocess.DEVNULL,
                    stderr=self._log,
                    start_new_session=True,  # Ctrl-C interrupts the host, which then ends it
                )
            self._resources = resources.pop_all()

    def wait_until_ready(self) -> None:
        """Sends it its modules, and returns when the supervisor is ready."""
        try:
            self._socket.settimeout(START_TIMEOUT_S)
            self._socket.sendall(encode_modules())
        except OSError as error:
            raise SandboxFailure from error
        if self._receive(START_TIMEOUT_S) != {"ready": 1}:
            raise SandboxFailure

    def submit(self, job: Job) -> None:
        """Sends a job; one that is too large to be sent counts as one that breaks the sandbox."""
        program = ProgramMessage(program=job.program, entry_point=job.entry_point)
        test = TestMessage(
            task_id=job.task_id,
            entry_point=job.entry_point,
            prelude=job.prelude,
            test=job.test,
            is_in_process=job.is_in_process,
        )
        try:
            self._socket.settimeout(START_TIMEOUT_S)
            self._socket.sendall(encode_frame(program) + encode_frame(test))
        except (OSError, TooLargeError) as error:
            raise SandboxFailure from error

    def receive_verdict(self) -> Verdict:
        """Waits for the verdict of the oldest job that has none yet."""
        message = self._receive(MAX_WALL_FACTOR * self._limits.wall_s + GRACE_S)
        try:
            if message["outcome"] == "killed":
                message["outcome"] = self._explain_kill()
            outcome = Outcome(message["outcome"])
            verdict = Verdict(
                outcome=outcome,
                detail=str(message["detail"]),
                calls=int(message["calls"]),
                cpu_s=float(message["cpu_s"]),
                wall_s=float(message["wall_s"]),
                output=str(message["output"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise SandboxFailure from error
        if outcome is Outcome.SANDBOX_FAILURE:
            raise SandboxFailure
        return verdict

    def shut_down(self) -> None:
        """Has the sandbox end, and whoever waits for it fail; any thread may call this."""
        with contextlib.suppress(OSError):  # it is closed, or the sandbox has ended
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> str:
        """Ends the sandbox and all of its processes; returns the end of its log."""
        if self._log.closed:
            return ""
        self.shut_down()
        try:
            self._process.wait(END_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.seek(0)
        log = self._log.read().decode("utf-8", "replace").strip()
        self._resources.close()
        return log[-MAX_LOG_CHARS:]

    def _explain_kill(self) -> Outcome:
        is_out_of_memory = self._memory is not None and self._memory.poll_oom_kill()
        return Outcome.OOM if is_out_of_memory else Outcome.PROTOCOL_VIOLATION

    def _receive(self, timeout_s: float) -> Any:
        deadline = time.monotonic() + timeout_s
        try:
            (n_bytes,) = struct.unpack("<I", self._read(4, deadline))
            if n_bytes > MAX_MESSAGE_BYTES:
                raise SandboxFailure
            return json.loads(self._read(n_bytes, deadline))
        except (OSError, ValueError, EOFError) as error:
            raise SandboxFailure from error

    def _read(self, n_bytes: int, deadline: float) -> bytes:
        data = b""
        while len(data) < n_bytes:
            self._socket.settimeout(max(0.001, deadline - time.monotonic()))
            chunk = self._socket.recv(n_bytes - len(data))
            if not chunk:
                raise EOFError
            data += chunk
        return data


def open_sandbox(
    number: int,
    limits: Limits,
    isolation: IsolationLevel,
    *,
    on_start: Callable[[Sandbox], None] = lambda _: None,
) -> Sandbox:
    """Starts a sandbox.

    Args:
        number: Its place in the pool: decides its processor and, as root, its user.
        limits: What each program may use.
        isolation: What confines them.
        on_start: Called as soon as there is a process to shut down.

    Raises:
        SandboxUnavailableError: It does not start on this machine; the message says why.
    """
    sandbox = Sandbox(number, limits, isolation)
    on_start(sandbox)
    try:
        sandbox.wait_until_ready()
    except SandboxFailure as error:
        log = sandbox.close().splitlines()
        raise SandboxUnavailableError(
            f"the sandbox does not start ({log[-1] if log else 'no message'});"
            " allow unprivileged user namespaces (sysctl kernel.unprivileged_userns_clone=1)"
        ) from error
    return sandbox
