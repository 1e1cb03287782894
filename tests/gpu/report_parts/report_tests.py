"""The tests of ``tests/gpu`` on the device, each a row as soon as it has ended."""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
_OUTCOME = re.compile(r"(\S+::\S.*?) (PASSED|FAILED|ERROR|SKIPPED)")


def run_tests(device, *, is_tiny):
    """Yields each test's outcome, then how many there were of each.

    Raises:
        RuntimeError: A test failed, or none ran.
    """
    words = ["tests/gpu", "-v", "--tb=short", "-p", "no:cacheprovider", "-p", "no:randomly"]
    words += ["-m", "gpu"] if device == "cuda" else []
    words += ["-k", "is_the_cpu_s and validation"] if is_tiny else []
    found = {}
    with (
        tempfile.TemporaryDirectory() as folder,
        subprocess.Popen(
            [sys.executable, "-m", "pytest", *words, f"--basetemp={folder}/tests"],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        ) as process,
    ):
        for line in process.stdout:
            outcome = _OUTCOME.match(line)
            if outcome:
                found[outcome[1]] = outcome[2].lower()
                name = outcome[1].partition("::")[2]
                yield {"figure": name, "value": outcome[2].lower()}
            elif line.startswith("E  "):
                yield {"figure": "why", "value": line[4:].strip()[:200]}
    for outcome in sorted(set(found.values())):
        count = sum(value == outcome for value in found.values())
        yield {"figure": outcome, "value": count, "unit": "tests"}
    if process.returncode:
        raise RuntimeError(f"pytest ended with exit code {process.returncode}")
