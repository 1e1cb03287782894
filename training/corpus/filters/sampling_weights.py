"""Sampling weights: the share of tests, configuration and trivial files to keep.

Pure functions of a path, a text and the config's shares; which files are dropped is decided in
:mod:`training.corpus.selection.balance`. CodeParrot dropped such files for words like "test"
anywhere in a short file, "latest" among them; here paths and assignments decide.
"""

import re

from training.corpus.config import BalanceConfig

# Possessive and within one line, so that the time is linear. What follows white space is a target,
# or an operator behind a blank, as where a line goes on.
_ASSIGNMENT = re.compile(
    r"^[^\S\n]*+(?:[\w.\[\]'\", ]++|(?<= ))(?::[^=\n]++)?[-+*/|&^%@]?=(?!=)", re.MULTILINE
)
_TEST_FOLDER = re.compile(
    r"^(?:tests?|testing|testsuites?|unittests?|e2e|tests?[_-].*|.*[_-]tests?)$"
)
_TEST_NAME = re.compile(r"^(?:tests?|test_.*|.*_tests?|conftest)\.py$")
_CONFIG_NAMES = {"conf.py", "config.py", "configs.py", "settings.py", "setup.py", "noxfile.py"}
_CONFIG_FOLDERS = {"conf", "config", "configs", "settings"}


def compute_weight(path: str, text: str, config: BalanceConfig) -> float:
    """Returns the share of files like this one to keep."""
    weight = 1.0
    if is_test(path):
        weight *= config.test_weight
    elif is_configuration(path):
        weight *= config.configuration_weight
    if has_few_assignments(text, config.min_assignments):
        weight *= config.few_assignments_weight
    return weight


def is_test(path: str) -> bool:
    """Returns whether a path is that of a test, by its folder or its name."""
    *folders, name = path.lower().split("/")
    return bool(_TEST_NAME.match(name)) or any(map(_TEST_FOLDER.match, folders))


def is_configuration(path: str) -> bool:
    """Returns whether a path is that of a configuration file, by its folder or its name."""
    *folders, name = path.lower().split("/")
    return name in _CONFIG_NAMES or not _CONFIG_FOLDERS.isdisjoint(folders)


def has_few_assignments(text: str, least: int) -> bool:
    """Returns whether fewer than ``least`` lines are assignments: stubs, lists of imports."""
    matches = _ASSIGNMENT.finditer(text)
    return sum(1 for _, _ in zip(range(least), matches, strict=False)) < least
