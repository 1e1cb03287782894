"""What a command calls itself in its help: the way it was started.

The command ``parrotlet`` puts its own name and the subcommand's into ``sys.argv[0]``; everything
else was started as a module.
"""

import sys

LAUNCHER = "parrotlet"
_ROOT = __package__.removesuffix("training.artifact")  # "parrotlet." in a wheel


def program_name(module: str) -> str:
    """Returns the words that start a command.

    Args:
        module: The command's module by its name in the checkout, for example ``training.corpus``.
    """
    started_as = sys.argv[0]
    if started_as.startswith(f"{LAUNCHER} "):
        return started_as
    return f"python -m {_ROOT}{module}"
