"""What an isolation level is: a name, and the command that starts a sandbox."""

from collections.abc import Callable
from dataclasses import dataclass

from evaluation.judge.verdict import Limits

BuildCommand = Callable[[int, Limits, str], list[str]]


@dataclass(frozen=True, kw_only=True)
class IsolationLevel:
    """One way to confine programs.

    ``build_command`` returns the command line of a sandbox, whose stdin must be the host's socket.
    It takes the sandbox's number, the limits and, if ``needs_folder``, a folder for the programs'
    files.
    """

    name: str
    build_command: BuildCommand
    needs_folder: bool = False
