"""What the judge is given and what it returns: a job, the limits, and a verdict."""

from dataclasses import dataclass
from enum import StrEnum

from training.foundation.config_schema import RangedConfig, number_field

MIB = 1 << 20
MAX_PROGRAM_CHARS = 4 << 20  # the judge takes no longer programs


class Outcome(StrEnum):
    """How a program ended. Only ``PASSED`` counts as solved."""

    PASSED = "passed"
    FAILED = "failed"  # an assertion of the test did not hold
    ERROR = "error"  # an exception while loading, or one that reached the test
    SYNTAX_ERROR = "syntax_error"
    TIMEOUT_CPU = "timeout_cpu"
    TIMEOUT_WALL = "timeout_wall"
    OOM = "oom"
    CRASHED = "crashed"  # ended by a signal
    EXITED_EARLY = "exited_early"
    PROTOCOL_VIOLATION = "protocol_violation"  # its process sent something unexpected
    OUTPUT_LIMIT = "output_limit"
    BROKE_SANDBOX = "broke_sandbox"  # no sandbox survives it, and another program's does
    SANDBOX_FAILURE = "sandbox_failure"  # our fault; never scored
    INVALID_PROBLEM = "invalid_problem"  # its test proves nothing here; never scored


@dataclass(frozen=True, kw_only=True)
class Limits(RangedConfig):
    """What one program may use."""

    cpu_s: float = number_field(3.0, least=0.1, most=86_400)
    wall_s: float = number_field(12.0, least=0.1, most=4 * 86_400)
    memory_bytes: int = number_field(2048 * MIB, least=32 * MIB, most=1 << 40)
    disk_bytes: int = number_field(64 * MIB, least=0, most=1 << 40)
    processes: int = number_field(64, least=1, most=100_000)


@dataclass(frozen=True, kw_only=True)
class Job:
    """One program to judge.

    Attributes:
        task_id: The problem's name; a test is compiled once per name and sandbox.
        program: The untrusted source text.
        entry_point: The function to call.
        prelude: Source text that defines the helpers that ``test`` uses.
        test: Source text that defines ``check(candidate)``, or holds bare assertions.
        is_in_process: Whether the program and its test share one process, in which a hostile
            program may forge its verdict.
        counter_tests: For such a test: others, which a program that passes it must fail.
    """

    task_id: str
    program: str
    entry_point: str
    prelude: str
    test: str
    is_in_process: bool = False
    counter_tests: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The outcome of one job."""

    outcome: Outcome
    detail: str = ""
    calls: int = 0
    cpu_s: float = 0.0
    wall_s: float = 0.0
    output: str = ""  # the end of what the program printed
