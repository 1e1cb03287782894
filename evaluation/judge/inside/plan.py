"""What a sandbox's processes are told when they start, as JSON in one environment variable."""

import json
import os
from typing import NamedTuple

VARIABLE = "JUDGE_PLAN"
DEVICES = ("null", "zero", "urandom", "random", "full")
MOST_WALLS = 5  # a program is stopped after so many times its wall limit in any case
NAMESPACES, LANDLOCK, NOTHING = "namespaces", "landlock", "nothing"


class Plan(NamedTuple):
    """The limits of one program, and what confines it."""

    cpu_s: float
    wall_s: float
    memory_bytes: int
    disk_bytes: int
    processes: int
    processor: int  # the one that all of the sandbox runs on
    isolation: str  # one of the three above
    folder: str = ""  # for Landlock: where programs get folders of their own
    readable: tuple[str, ...] = ()  # for Landlock

    @classmethod
    def read(cls) -> "Plan":
        """Takes the plan out of the environment."""
        return cls(**json.loads(os.environ.pop(VARIABLE)))

    def written(self) -> str:
        """Returns the value of the variable."""
        return json.dumps(self._asdict())
