"""What comes out of judging a sample: the outcomes, and the limits it was judged under."""

from dataclasses import dataclass
from enum import StrEnum

MIB = 1 << 20


class Outcome(StrEnum):
    """How a program under test ended. Only ``PASSED`` counts as solved."""

    PASSED = "passed"
    FAILED = "failed"  # an assertion of the test did not hold
    ERROR = "error"  # an exception came through to the test, or in loading
    SYNTAX_ERROR = "syntax_error"
    TIMEOUT_CPU = "timeout_cpu"
    TIMEOUT_WALL = "timeout_wall"
    OOM = "oom"
    CRASHED = "crashed"  # a signal
    EXITED_EARLY = "exited_early"
    PROTOCOL_VIOLATION = "protocol_violation"  # it spoke out of turn
    OUTPUT_LIMIT = "output_limit"
    SANDBOX_FAILURE = "sandbox_failure"  # ours, never scored
    INVALID_PROBLEM = "invalid_problem"  # its own solution does not pass its test; never scored


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What one program may use."""

    cpu_s: float = 3.0
    wall_s: float = 12.0
    memory_bytes: int = 2048 * MIB
    disk_bytes: int = 64 * MIB
    processes: int = 64


@dataclass(frozen=True, kw_only=True)
class Job:
    """One program to judge.

    ``program`` is the untrusted text; ``prelude`` defines the helpers that ``test`` may use, and
    ``test`` defines ``check(candidate)`` or asserts by itself. ``is_in_process`` gives the program
    and its test one process, where the verdict can be forged.
    """

    task_id: str
    program: str
    entry_point: str
    prelude: str
    test: str
    is_in_process: bool = False


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The outcome of one job."""

    outcome: Outcome
    detail: str = ""
    calls: int = 0
    cpu_s: float = 0.0
    wall_s: float = 0.0
    output: str = ""  # the end of what it printed
