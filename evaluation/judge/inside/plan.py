"""What a sandbox's processes need to know when they start, as JSON in one environment variable."""

import json
import os
from typing import NamedTuple

VARIABLE = "JUDGE_PLAN"
MAX_WALL_FACTOR = 5  # a program is always stopped after so many times its wall-clock limit
NAMESPACES, LANDLOCK, NOTHING = "namespaces", "landlock", "nothing"


class Plan(NamedTuple):
    """The limits of one program, and what confines it."""

    cpu_s: float
    wall_s: float
    memory_bytes: int
    disk_bytes: int
    processes: int
    processor: int  # all of the sandbox runs on this one
    isolation: str  # one of the three constants above
    devices: tuple[str, ...] = ()  # what programs find in /dev
    is_memory_bounded: bool = False  # whether the kernel bounds all memory of the sandbox
    folder: str = ""  # for Landlock: the parent of the programs' working folders
    readable: tuple[str, ...] = ()  # for Landlock
    hidden: tuple[str, ...] = ()  # for Landlock: folders in what is readable
    covered: tuple[tuple[str, str], ...] = ()  # for namespaces: to bind into each /tmp

    @classmethod
    def take_from_environment(cls) -> "Plan":
        """Reads the plan and removes it from the environment."""
        return cls(**json.loads(os.environ.pop(VARIABLE)))

    def to_json(self) -> str:
        """Returns the value of the variable."""
        return json.dumps(self._asdict())
