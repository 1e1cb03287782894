"""One sandbox, as the host sees it: a process, a socket, a control group, perhaps a folder."""

import json
import socket
import struct
import subprocess
import tempfile
import time
from typing import Any

from evaluation.judge.cgroups import MemoryGroup, memory_group
from evaluation.judge.inside.channel.wire import frame
from evaluation.judge.inside.plan import MOST_WALLS
from evaluation.judge.levels.isolation_level import Isolation
from evaluation.judge.verdict import Job, Limits, Outcome, Verdict
from training.foundation.errors import SandboxUnavailableError

START_S = 20.0
GRACE_S = 8.0  # beyond the wall limit, before a silent sandbox is given up
MAX_ANSWER_BYTES = 1 << 20
MAX_LOG_CHARS = 300


class SlotFailure(Exception):  # noqa: N818 - never leaves the host
    """The sandbox of a slot is gone or silent."""


class Slot:
    """One sandbox and its conversation."""

    def __init__(self, number: int, limits: Limits, isolation: Isolation) -> None:
        self._limits = limits
        self._folder = tempfile.mkdtemp(prefix="judge-") if isolation.needs_folder else ""
        words = isolation.command(number, limits, self._folder)
        self._memory: MemoryGroup | None = memory_group(number, limits.memory_bytes)
        if self._memory is not None:
            words = [*self._memory.joining_words(), *words]
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
        """Returns when the supervisor is ready."""
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
        answer = self._receive(MOST_WALLS * self._limits.wall_s + GRACE_S)
        try:
            if answer["outcome"] == "killed":
                answer["outcome"] = self._why_killed()
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
        if self._memory is not None:
            self._memory.close()
        if self._folder:
            subprocess.run(["/bin/rm", "-rf", "--", self._folder], check=False)  # noqa: S603
        self._log.seek(0)
        said = self._log.read().decode("utf-8", "replace").strip()
        self._log.close()
        return said[-MAX_LOG_CHARS:]

    def _why_killed(self) -> Outcome:
        is_by_kernel = self._memory is not None and self._memory.has_killed()
        return Outcome.OOM if is_by_kernel else Outcome.PROTOCOL_VIOLATION

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


def open_slot(number: int, limits: Limits, isolation: Isolation) -> Slot:
    """Starts a sandbox.

    Raises:
        SandboxUnavailableError: This machine does not let it start; the reason is named.
    """
    slot = Slot(number, limits, isolation)
    try:
        slot.wait_until_ready()
    except SlotFailure as error:
        said = slot.close().splitlines()
        raise SandboxUnavailableError(
            f"the sandbox does not start ({said[-1] if said else 'no message'});"
            " allow unprivileged user namespaces (sysctl kernel.unprivileged_userns_clone=1)"
        ) from error
    return slot
