"""The messages between the sandbox's processes, as they are on the wire.

For each program the host sends a :class:`ProgramMessage` and a :class:`TestMessage`; the supervisor
passes them on, unread, to the candidate and to the examiner. The candidate answers the examiner's
calls with an :class:`Answer`; the examiner sends the supervisor a :class:`Finding`, and the
supervisor sends the host a :class:`VerdictMessage`.

What a candidate sends may be forged by its program: its readers check every part.
"""

from typing import Any, Literal, NamedTuple, TypedDict

# How a program ended: the values of ``evaluation.judge.verdict.Outcome`` that are decided inside,
# "gone" (its process ended or sent nonsense: the supervisor finds out which) and "killed" (by
# SIGKILL: the host knows whether for lack of memory).
Ending = Literal[
    "passed",
    "failed",
    "error",
    "syntax_error",
    "timeout_cpu",
    "timeout_wall",
    "oom",
    "crashed",
    "exited_early",
    "protocol_violation",
    "output_limit",
    "sandbox_failure",
    "gone",
    "killed",
]

NEVER_CALLED = (
    "the test never called the candidate: it must define check(candidate), or assert outside of"
    " functions"
)


class ProgramMessage(TypedDict):
    """The program under test; see ``evaluation.judge.verdict.Job``."""

    program: str
    entry_point: str


class TestMessage(TypedDict):
    """How to test it; see ``evaluation.judge.verdict.Job``."""

    task_id: str
    entry_point: str
    prelude: str
    test: str
    is_in_process: bool


class InProcessTest(TypedDict):
    """A test to run in the candidate's process, and a secret that proves that it ran to its end."""

    test: str
    number: str


class Answer(TypedDict, total=False):
    """What a candidate answers. Exceptions are a text and the names of their types.

    Of the types the exception's own comes first, and then its bases, nearest first.
    """

    ok: int  # the program is loaded
    s: list[str]  # it does not compile
    e: list[str]  # an exception, while loading or in a call
    r: Any  # what the call returned, as JSON from ``plain_values.encode``
    u: str  # the call returned something that is no plain value; its type's name
    a: list[Any]  # the arguments, positional and named, if the call changed them
    done: str  # the in-process test passed; its number
    failed: list[str]  # an assertion of the in-process test failed


class Finding(NamedTuple):
    """What the examiner found out about one program."""

    ending: Ending
    detail: str = ""
    calls: int = 0


class VerdictMessage(TypedDict):
    """See ``evaluation.judge.verdict.Verdict``."""

    outcome: Ending
    detail: str
    calls: int
    cpu_s: float
    wall_s: float
    output: str
