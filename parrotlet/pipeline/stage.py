"""A stage of a pipeline: one of the project's commands, and how far it has come."""

from collections.abc import Callable
from dataclasses import dataclass, field


def _unknown() -> float:
    return 0.0


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A command to run to its end.

    Attributes:
        name: Unique in its pipeline.
        words: The command and its arguments, as after ``parrotlet``.
        weight_s: About how long it takes, to share out the progress.
        measure: Returns the share of it that is done, from what it has written so far.
        may_fail: Whether the pipeline goes on if it fails for its input.
        folder: Where it is run; empty for the project's own.
        produces: A file that is there once it is finished; empty if its exit code says so. A
            command that only queues jobs ends before.
    """

    name: str
    words: tuple[str, ...]
    weight_s: float = 1.0
    measure: Callable[[], float] = field(default=_unknown, compare=False)
    may_fail: bool = False
    folder: str = ""
    produces: str = ""
