"""The self-test: before any sample is judged, the sandbox shows that it judges and that it holds.

Programs that must pass, fail and time out; and programs that try what must not succeed, each
written so that it passes its test only if it got out.
"""

from dataclasses import replace

from evaluation.judge.levels.isolation_level import Isolation
from evaluation.judge.sandbox_pool import judge_all
from evaluation.judge.verdict import Job, Limits, Outcome, Verdict
from training.foundation.errors import SandboxUnavailableError

CPU_S = 0.5
WALL_S = 5.0

_TEST = "def check(candidate):\n    assert candidate(20) == 22\n    assert candidate(-2) == 0\n"

MUST_BE = {
    "an honest program": ("def f(x):\n    return x + 2\n", Outcome.PASSED),
    "a wrong program": ("def f(x):\n    return x + 3\n", Outcome.FAILED),
    "a program that does not parse": ("def f(x):\n    return (\n", Outcome.SYNTAX_ERROR),
    "an endless program": ("def f(x):\n    while True:\n        pass\n", Outcome.TIMEOUT_CPU),
    "an early exit": ("import os\ndef f(x):\n    os._exit(0)\n", Outcome.EXITED_EARLY),
}

# Each returns the right answer only if the attempt succeeds.
MUST_NOT_ESCAPE = {
    "reading a host file": "open('/etc/passwd').read()",
    "writing outside its folder": "open('/usr/x', 'w').write('x')",
    "reaching the network": "__import__('socket').socket()",
    "a socket of another family": "__import__('socket').socket(40, 1)",
    "seeing processes": "open('/proc/1/status').read()",
    "opening namespaces": "1 / (__import__('ctypes').CDLL(None).unshare(0x10000000) == 0)",
}


def run_selftest(limits: Limits, isolation: Isolation) -> None:
    """Judges the self-test's programs.

    Raises:
        SandboxUnavailableError: One of them did not end as it must; it is named.
    """
    names = [*MUST_BE, *MUST_NOT_ESCAPE]
    programs = [program for program, _ in MUST_BE.values()]
    programs += [
        f"import os\ndef f(x):\n    {attempt}\n    return x + 2\n"
        for attempt in MUST_NOT_ESCAPE.values()
    ]
    jobs = [
        Job(task_id="selftest", program=program, entry_point="f", prelude="", test=_TEST)
        for program in programs
    ]
    found: dict[int, Verdict] = {}
    short = replace(limits, cpu_s=CPU_S, wall_s=WALL_S)
    judge_all(jobs, limits=short, workers=1, report=found.__setitem__, isolation=isolation)
    for index, name in enumerate(names):
        verdict = found[index]
        wanted = MUST_BE[name][1] if name in MUST_BE else Outcome.ERROR
        if verdict.outcome is not wanted:
            raise SandboxUnavailableError(
                f"the sandbox's self-test failed: {name} ended as {verdict.outcome}"
                f" ({verdict.detail}), expected {wanted}; do not trust scores from this machine"
            )
