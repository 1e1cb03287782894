"""The names of benchmark problems: the same where a corpus is searched and where a model is scored.

``parrotlet overlap`` lists problems by name, and ``parrotlet passk --overlap`` leaves them out.
"""

from collections.abc import Mapping
from typing import Any

_MBPP_FIELDS = frozenset({"code", "test_list"})


def is_mbpp(record: Mapping[str, Any]) -> bool:
    """Returns whether a benchmark's record is in MBPP's format."""
    return record.keys() >= _MBPP_FIELDS


def name_problem(record: Mapping[str, Any]) -> str:
    """Returns the name of the problem in a benchmark's record; MBPP's own are mere numbers."""
    task_id = str(record.get("task_id", ""))
    return f"Mbpp/{task_id}" if is_mbpp(record) and "/" not in task_id else task_id
