"""The isolation levels, strongest first, and the first that passes its self-test on this machine.

There is no silent fallback: the level is recorded in every result, and printed on standard error
unless it is the strongest. If no level works, the judge refuses and says what is missing.
"""

import sys

from evaluation.judge.levels import bubblewrap, landlock, namespaces, unconfined
from evaluation.judge.levels.isolation_level import IsolationLevel
from evaluation.judge.selftest import run_selftest
from evaluation.judge.verdict import Limits
from training.foundation.errors import SandboxUnavailableError

BUBBLEWRAP = IsolationLevel(name=bubblewrap.NAME, build_command=bubblewrap.build_command)
NAMESPACES = IsolationLevel(name=namespaces.NAME, build_command=namespaces.build_command)
LANDLOCK = IsolationLevel(
    name=landlock.NAME, build_command=landlock.build_command, needs_folder=True
)
LEVELS = (BUBBLEWRAP, NAMESPACES, LANDLOCK)
UNCONFINED = IsolationLevel(
    name=unconfined.NAME, build_command=unconfined.build_command, needs_folder=True
)


def select_level(limits: Limits, *, wanted: str | None = None) -> IsolationLevel:
    """Returns the first level whose self-test passes here.

    Args:
        limits: What each program may use.
        wanted: The only level to try; None for any.

    Raises:
        SandboxUnavailableError: The wanted level does not work, or none does; the message says
            what each one lacks.
    """
    reasons = []
    for level in LEVELS:
        if wanted not in {None, level.name}:
            continue
        try:
            run_selftest(limits, level)
        except SandboxUnavailableError as error:
            reasons.append(f"{level.name}: {error}")
            continue
        if reasons:
            sys.stderr.write(f"note: isolation level {level.name} ({'; '.join(reasons)})\n")
        return level
    if wanted is not None:
        raise SandboxUnavailableError(
            "the isolation level that --isolation requires does not work on this machine"
            f" ({'; '.join(reasons)}); fix that, or leave --isolation out to use the best level"
            " that works"
        )
    raise SandboxUnavailableError(
        f"no sandbox works on this machine ({'; '.join(reasons)}); fix one of these, or run the"
        " programs with all your permissions: --unsafe-no-sandbox"
    )
