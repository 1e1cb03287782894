"""What a level of isolation is: a name, and what starts a sandbox of it."""

from collections.abc import Callable
from dataclasses import dataclass

from evaluation.judge.verdict import Limits

Command = Callable[[int, Limits, str], list[str]]


@dataclass(frozen=True, kw_only=True)
class Isolation:
    """A level.

    ``command`` returns the command line of a slot's processes, whose stdin must be the host's
    socket, from the slot's number, the limits and, if it ``needs_folder``, one for programs' files.
    """

    level: str
    command: Command
    needs_folder: bool = False
