"""The self-test: before any sample is judged, the sandbox proves that it judges and that it holds.

Some programs must pass, fail or time out. Others attempt what must be impossible; each of them
passes its test only if the attempt succeeds.
"""

from dataclasses import replace

from evaluation.judge.levels.isolation_level import IsolationLevel
from evaluation.judge.levels.visible_files import list_hidden, list_visible
from evaluation.judge.sandbox_pool import JudgeSettings, judge_all
from evaluation.judge.verdict import Job, Limits, Outcome, Verdict
from training.foundation.errors import SandboxUnavailableError

CPU_S = 0.2
_WORKERS = 2  # one runs the endless program meanwhile
WALL_S = 5.0

_TEST = "def check(candidate):\n    assert candidate(20) == 22\n    assert candidate(-2) == 0\n"

EXPECTED = {
    "an endless program": ("def f(x):\n    while True:\n        pass\n", Outcome.TIMEOUT_CPU),
    "an honest program": ("def f(x):\n    return x + 2\n", Outcome.PASSED),
    "a wrong program": ("def f(x):\n    return x + 3\n", Outcome.FAILED),
    "a program that does not parse": ("def f(x):\n    return (\n", Outcome.SYNTAX_ERROR),
    "an early exit": ("import os\ndef f(x):\n    os._exit(0)\n", Outcome.EXITED_EARLY),
}

_INSTALLED = "/lib*/python*/*-packages/*/__init__.py"

# Each raises an exception, and so ends as an error, unless the attempt succeeds.
ESCAPES = {
    "reading an installed package": "import glob, sys; [open(path).read() for prefix in"
    f" (sys.base_prefix, '/usr', '/usr/local') for path in glob.glob(prefix + '{_INSTALLED}')][0]",
    "reading a host file": "open('/etc/passwd').read()",
    "writing outside its folder": "open('/usr/x', 'w').write('x')",
    "reaching the network": "__import__('socket').socket()",
    "a socket of another family": "__import__('socket').socket(40, 1)",
    "seeing processes": "open('/proc/1/status').read()",
    "opening namespaces": "1 / (__import__('ctypes').CDLL(None).unshare(0x10000000) == 0)",
}


def run_selftest(limits: Limits, isolation: IsolationLevel) -> None:
    """Judges the self-test's programs.

    Raises:
        SandboxUnavailableError: A program did not end as it must; the message names it.
    """
    expected = {name: outcome for name, (_, outcome) in EXPECTED.items()}
    attempts = {**ESCAPES, **_name_an_installed_file()}
    expected |= dict.fromkeys(attempts, Outcome.ERROR)
    programs = [program for program, _ in EXPECTED.values()]
    programs += [
        f"import os\ndef f(x):\n    {attempt}\n    return x + 2\n" for attempt in attempts.values()
    ]
    jobs = [
        Job(task_id="selftest", program=program, entry_point="f", prelude="", test=_TEST)
        for program in programs
    ]
    verdicts: dict[int, Verdict] = {}
    short = replace(limits, cpu_s=CPU_S, wall_s=WALL_S)
    settings = JudgeSettings(limits=short, workers=_WORKERS, isolation=isolation)
    judge_all(jobs, settings, report=verdicts.__setitem__)
    for index, (name, outcome) in enumerate(expected.items()):
        verdict = verdicts[index]
        if verdict.outcome is not outcome:
            raise SandboxUnavailableError(
                f"the sandbox's self-test failed: {name} ended as {verdict.outcome}"
                f" ({verdict.detail}), expected {outcome}; do not trust scores from this machine"
            )


def _name_an_installed_file() -> dict[str, str]:
    """Returns an attempt to read a file beside the interpreter whose name is known, if any is."""
    folders = list_hidden(list_visible())
    path = next((path for folder in folders for path in folder.glob("*/__init__.py")), None)
    return {} if path is None else {"reading a package by its name": f"open({str(path)!r}).read()"}
