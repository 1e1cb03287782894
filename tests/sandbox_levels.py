"""What this machine lacks of what tests need: said once, in one sentence each.

On somebody's machine such a test is skipped with the reason. CI installs all of it, so a skip there
would hide that something is no longer tested: there the test fails.
"""

import functools
import os

import pytest

from evaluation.judge.levels.ranking import LEVELS
from evaluation.judge.selftest import run_selftest
from evaluation.judge.verdict import Limits
from training.foundation.errors import SandboxUnavailableError


def lacking(reason):
    """Ends the test, which this machine cannot run."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"CI must be able to run this test, but {reason}", pytrace=False)
    pytest.skip(reason)


@functools.cache
def why_not(isolation):
    """Returns why a level of isolation does not hold here, None if it does."""
    try:
        run_selftest(Limits(), isolation)
    except SandboxUnavailableError as error:
        return f"{isolation.name} does not work on this machine: {error}"
    return None


def best_level():
    """Returns the level that the judge would take; ends the test where there is none."""
    reasons = []
    for isolation in LEVELS:
        reason = why_not(isolation)
        if reason is None:
            return isolation
        reasons.append(reason)
    return lacking("; ".join(reasons))


def pick_some(programs, isolation):
    """Returns what to judge at a level of programs that meet the same code at each.

    All on the first level, one in three on others; ``JUDGE_ALL_PROGRAMS=1`` picks all.
    """
    step = 1 if isolation is LEVELS[0] or os.environ.get("JUDGE_ALL_PROGRAMS") else 3
    names = list(programs)[LEVELS.index(isolation) % step :: step]
    return {name: programs[name] for name in names}


def need_level(isolation):
    """Ends a test of a level that does not hold here."""
    reason = why_not(isolation)
    if reason is not None:
        lacking(reason)
