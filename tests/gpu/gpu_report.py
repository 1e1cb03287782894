"""Everything worth knowing about a GPU in eight minutes: tests, speeds, contenders.

Run: ``python tests/gpu/gpu_report.py [--out FILE.jsonl]`` on a machine with one large GPU and this
checkout's packages (the extras ``dev`` and ``train``); it needs no network. Each part is a process
with a time limit of its own, so that one that fails or hangs costs nobody else anything, and what
it has found by then counts. Prints each figure as a JSON line as soon as it is known, and a table
at the end; exits with 4 if a part did not finish.

Data: blocks of random tokens and documents, made on the spot, for speeds; the standard library,
through the real stages, for runs; the bundled model for samples and keystrokes. So nothing travels
but the checkout.

``--device cpu --tiny`` is the dry run: the same parts on a CPU, with networks that take seconds.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PARTS_FOLDER = HERE / "report_parts"
INCOMPLETE = 4


@dataclass(frozen=True)
class Part:
    """A part of the report: ``MODULE.FUNCTION`` yields its rows.

    Attributes:
        limit_s: Seconds after which it is stopped.
        options: What the function gets beside the device.
    """

    function: str
    limit_s: float
    options: tuple[str, ...] = ()


PARTS = {  # in order of worth: the last ones go without if time runs out
    "machine": Part("report_kernels.describe_machine", 20),
    "tests": Part("report_tests.run_tests", 120),
    "small": Part("report_training.measure_config", 65, ("small",)),
    "small, contender": Part("report_contender.measure_contender", 50, ("small",)),
    "default": Part("report_training.measure_config", 55, ("default",)),
    "xl": Part("report_training.measure_config", 80, ("xl",)),
    "pass@k": Part("report_serving.measure_samples", 50),
    "keystroke": Part("report_serving.measure_keystrokes", 30),
    "kernels": Part("report_kernels.measure_kernels", 50),
}


def run_part(part, device, *, is_tiny):
    """Yields the rows of a part; called in its own process."""
    import importlib

    module, _, function = part.function.partition(".")
    yield from getattr(importlib.import_module(module), function)(
        device, *part.options, is_tiny=is_tiny
    )


def supervise(command, limit_s, on_row):
    """Runs a part's process and passes its rows on; returns why it did not finish, or None."""
    paths = os.pathsep.join(map(str, (ROOT, PARTS_FOLDER)))
    environment = {**os.environ, "PYTHONPATH": paths}
    with tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            cwd=ROOT,
            env=environment,
            start_new_session=True,
        )
        watch = subprocess.Popen(  # ends the part and what it has started, also while we read
            ["sh", "-c", f"sleep {limit_s:.1f}; kill -9 -{process.pid}"],
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        started = time.monotonic()
        with process:
            for line in process.stdout:
                if line.startswith("{"):
                    on_row(json.loads(line))
        code = process.returncode
        os.killpg(watch.pid, signal.SIGKILL)
        watch.wait()
        if code == -signal.SIGKILL and time.monotonic() - started >= limit_s - 1:
            return f"stopped after {limit_s:.0f} s"
        errors.seek(0)
        lines = errors.read().strip().splitlines() or [""]
        return None if code == 0 else f"exit code {code}: {lines[-1][:200]}"


def make_report(parts, options, write):
    """Runs the parts within the minutes; returns all rows, errors among them."""
    rows, ends = [], time.monotonic() + 60 * options.minutes
    for name, part in parts.items():

        def keep(row, name=name):
            rows.append({"part": name, **row})
            write(rows[-1])

        left = ends - time.monotonic()
        if left < 1:
            keep({"error": f"no time left of {options.minutes:g} minutes"})
            continue
        started = time.monotonic()
        command = [sys.executable, __file__, "--part", name, "--device", options.device]
        error = supervise([*command, *["--tiny"] * options.tiny], min(part.limit_s, left), keep)
        if error:
            keep({"error": error})
        keep({"figure": "seconds", "value": round(time.monotonic() - started, 1), "unit": "s"})
    for row in compare_with_contenders(rows):
        rows.append(row)
        write(row)
    return rows


def compare_with_contenders(rows):
    """Yields how many times as fast ours is as each contender's plain loop."""
    speeds = {(row["part"], row["figure"]): row for row in rows if row.get("unit") == "tokens/s"}
    for (part, figure), row in speeds.items():
        plain = speeds.get((f"{part}, contender", "plain loop"))
        if plain:
            ratio = row["value"] / plain["value"]
            yield {"part": part, "figure": f"{figure}, to plain loop", "value": ratio, "unit": "x"}


def draw_table(rows):
    """Returns the rows as aligned text."""
    lines = []
    for row in rows:
        value = row.get("value")
        shown = row.get("error") or (f"{value:,.4g}" if isinstance(value, float) else str(value))
        unit = "ERROR" if "error" in row else row.get("unit", "")
        lines.append((row["part"], row.get("figure", ""), shown, unit, row.get("note", "")))
    widths = [max(len(line[i]) for line in lines) for i in range(4)] if lines else [0] * 4
    cells = [[c.ljust(w) for c, w in zip(line, widths, strict=False)] for line in lines]
    return "\n".join(
        "  ".join([*cell, line[4]]).rstrip() for cell, line in zip(cells, lines, strict=True)
    )


def main(argv):
    """Writes the report, or does one part of it; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--device", default="cuda", choices=("cuda", "cpu"))
    parser.add_argument("--tiny", action="store_true", help="networks that take seconds on a CPU")
    parser.add_argument("--minutes", type=float, default=8.0, help="for all parts together")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), metavar="PART")
    parser.add_argument("--out", type=Path, help="a file for the JSON lines, too")
    parser.add_argument("--part", choices=PARTS, help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    if options.part:
        for row in run_part(PARTS[options.part], options.device, is_tiny=options.tiny):
            sys.stdout.write(json.dumps(row) + "\n")
            sys.stdout.flush()
        return 0
    with (options.out or Path(os.devnull)).open("w", encoding="utf-8") as file:

        def write(row):
            for stream in (sys.stdout, file):
                stream.write(json.dumps(row) + "\n")
                stream.flush()

        parts = {name: PARTS[name] for name in options.only}
        rows = make_report(parts, options, write)
    sys.stdout.write(draw_table(rows) + "\n")
    return INCOMPLETE if any("error" in row for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
