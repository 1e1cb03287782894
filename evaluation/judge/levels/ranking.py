"""The isolation levels, best first, and the one that passes its self-test on this machine.

Never a silent fallback: the level is recorded in every result, and printed on standard error where
it is not the first; without any, the judge refuses and says what is missing.
"""

import sys

from evaluation.judge.levels import bubblewrap, landlock, namespaces, unconfined
from evaluation.judge.levels.isolation_level import Isolation
from evaluation.judge.selftest import run_selftest
from evaluation.judge.verdict import Limits
from training.foundation.errors import SandboxUnavailableError

BUBBLEWRAP = Isolation(level=bubblewrap.LEVEL, command=bubblewrap.command)
NAMESPACES = Isolation(level=namespaces.LEVEL, command=namespaces.command)
LANDLOCK = Isolation(level=landlock.LEVEL, command=landlock.command, needs_folder=True)
LEVELS = (BUBBLEWRAP, NAMESPACES, LANDLOCK)
UNCONFINED = Isolation(level=unconfined.LEVEL, command=unconfined.command, needs_folder=True)


def proven(limits: Limits, *, wanted: str | None = None) -> Isolation:
    """Returns the first level whose self-test passes here.

    Args:
        limits: For each program.
        wanted: The only level to try; None for any.

    Raises:
        SandboxUnavailableError: There is none; what each lacks is named.
    """
    reasons = []
    for level in LEVELS:
        if wanted not in {None, level.level}:
            continue
        try:
            run_selftest(limits, level)
        except SandboxUnavailableError as error:
            reasons.append(f"{level.level}: {error}")
            continue
        if reasons:
            sys.stderr.write(f"note: isolation level {level.level} ({'; '.join(reasons)})\n")
        return level
    raise SandboxUnavailableError(
        f"no sandbox works on this machine ({'; '.join(reasons)}); fix one of these, or run the"
        " programs with all your permissions: --unsafe-no-sandbox"
    )
