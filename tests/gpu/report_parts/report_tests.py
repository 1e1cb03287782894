"""The tests of ``tests/gpu`` on the device, each a row as soon as it has ended."""

import importlib.util
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
_OUTCOMES = "PASSED|FAILED|ERROR|SKIPPED"
# As pytest writes it by itself, and with several processes.
_LINE = re.compile(rf"(?P<name>\S+::\S.*?) (?P<outcome>{_OUTCOMES})\b")
_LINE_OF_SEVERAL = re.compile(rf"\[gw\d+\].* (?P<outcome>{_OUTCOMES}) (?P<name>\S+::.*\S)")
_PROCESSES = 4


def run_tests(device, *, is_tiny):
    """Yields each test's outcome, then how many there were of each.

    Raises:
        RuntimeError: A test failed, or none ran.
    """
    words = ["tests/gpu", "-v", "--tb=short", "-p", "no:cacheprovider", "-p", "no:randomly"]
    words += ["-m", "gpu"] if device == "cuda" else []
    if not is_tiny and importlib.util.find_spec("xdist"):
        words += ["--numprocesses", str(_PROCESSES)]  # they wait for compilers, not for the GPU
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
            ended = read_outcome(line)
            if ended:
                found[ended[0]] = ended[1]
                yield {"figure": ended[0], "value": ended[1]}
            elif line.startswith("E  "):
                yield {"figure": "why", "value": line[4:].strip()[:200]}
    for outcome in sorted(set(found.values())):
        count = sum(value == outcome for value in found.values())
        yield {"figure": outcome, "value": count, "unit": "tests"}
    if process.returncode:
        raise RuntimeError(f"pytest ended with exit code {process.returncode}")


def read_outcome(line):
    """Returns a test's name and outcome from a line of pytest, or None from another line."""
    found = _LINE_OF_SEVERAL.match(line) or _LINE.match(line)
    return found and (found["name"].partition("::")[2], found["outcome"].lower())
