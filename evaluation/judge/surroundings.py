"""The environment variables of a zygote: nothing of the host's, everything fixed."""

import json
from dataclasses import asdict

from evaluation.judge.verdict import Limits


def environment(limits: Limits, *, python_path: str, is_isolated: bool) -> dict[str, str]:
    """Returns the whole environment.

    Args:
        limits: What a program may use.
        python_path: The folders of the package ``evaluation`` and of others.
        is_isolated: Whether the zygote is to make namespaces.
    """
    return {
        "HOME": "/tmp",  # noqa: S108 - a program's own
        "TMPDIR": "/tmp",  # noqa: S108
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "PATH": "/usr/bin:/bin",
        "PYTHONPATH": python_path,
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "JUDGE_LIMITS": json.dumps({**asdict(limits), "is_isolated": is_isolated}),
    }
