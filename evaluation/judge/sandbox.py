"""One sandbox as the host sees it: a process, a socket, a control group, perhaps a folder."""

import json
import socket
import struct
import subprocess
import tempfile
import time
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
GRACE_S = 8.0  # beyond the longest run, before a silent sandbox is given up
MAX_MESSAGE_BYTES = 1 << 20
MAX_LOG_CHARS = 300


class SandboxFailure(Exception):  # noqa: N818 - never leaves the judge
    """The sandbox has died, hangs, or has sent something unexpected."""


class Sandbox:
    """A running sandbox. Jobs are judged in the order in which they are submitted."""

    def __init__(self, number: int, limits: Limits, isolation: IsolationLevel) -> None:
        self._limits = limits
        self._folder = tempfile.mkdtemp(prefix="judge-") if isolation.needs_folder else ""
        command = isolation.build_command(number, limits, self._folder)
        self._memory: MemoryGroup | None = create_memory_group(number, limits.memory_bytes)
        if self._memory is not None:
            command = [*self._memory.build_join_command(), *command]
        ours, theirs = socket.socketpair()
        self._socket = ours
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the sandbox
        self._process = subprocess.Popen(  # noqa: S603 - a command of our own
            command,
            stdin=theirs.fileno(),
            stdout=subprocess.DEVNULL,
            stderr=self._log,
        )
        theirs.close()

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

    def close(self) -> str:
        """Kills the sandbox and all of its processes; returns the end of its log."""
        self._process.kill()
        self._process.wait()
        self._socket.close()
        if self._memory is not None:
            self._memory.close()
        if self._folder:
            remove_folder(self._folder)
        self._log.seek(0)
        log = self._log.read().decode("utf-8", "replace").strip()
        self._log.close()
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


def open_sandbox(number: int, limits: Limits, isolation: IsolationLevel) -> Sandbox:
    """Starts a sandbox.

    Args:
        number: Its place in the pool: decides its processor and, as root, its user.
        limits: What each program may use.
        isolation: What confines them.

    Raises:
        SandboxUnavailableError: It does not start on this machine; the message says why.
    """
    sandbox = Sandbox(number, limits, isolation)
    try:
        sandbox.wait_until_ready()
    except SandboxFailure as error:
        log = sandbox.close().splitlines()
        raise SandboxUnavailableError(
            f"the sandbox does not start ({log[-1] if log else 'no message'});"
            " allow unprivileged user namespaces (sysctl kernel.unprivileged_userns_clone=1)"
        ) from error
    return sandbox
