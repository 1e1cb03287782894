"""The report page of a pass@k run: ``python -m evaluation.report RUN`` draws it again.

Nothing of a program is taken for markup: all that is shown is escaped.
"""

import json
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from evaluation.passk.generation import SAMPLES_FILE
from evaluation.passk.judging import RESULTS_FILE
from evaluation.passk.summary import SUMMARY_FILE, counts_of
from evaluation.runs.estimators import CONFIDENCE, estimate, percent
from evaluation.runs.journal import read_journal
from training.foundation.atomic_files import write_text_atomically
from training.foundation.charts import (
    Row,
    rank_counts,
    render_bars,
    render_details,
    render_grid,
    render_lines,
    render_page,
    render_table,
)
from training.foundation.command_parser import command_parser
from training.foundation.errors import ConfigError, run_main
from training.foundation.folder_lock import folder_lock

REPORT_FILE = "report.html"
_PURPOSE = "Draw the report page of a finished pass@k run again, as RUN/report.html."
MAX_SHOWN_SAMPLES = 300
MAX_SLOW_PROBLEMS = 20
_COLOURS = {
    "passed": "#3b7a57",
    "failed": "#b5522b",
    "error": "#d08a3e",
    "syntax_error": "#7a3b73",
    "invalid_problem": "#cccccc",
    "sandbox_failure": "#cccccc",
}
_OTHER_COLOUR = "#2b5fb5"  # limits and signals


def write_report(out: Path, summary: Mapping[str, Any]) -> Path:
    """Writes ``report.html`` beside a run's results and returns its path."""
    results = list(read_journal(out / RESULTS_FILE))
    path = out / REPORT_FILE
    sections = {
        "pass@k": _figures(summary),
        "pass@k by k": _curve(results),
        "Outcomes": render_bars(_outcomes(summary)),
        "Problems": _heat_map(results),
        "CPU time per problem": _times(results),
        "Samples that failed": _failures(out, results),
        "Details": render_details("summary.json", json.dumps(summary, indent=2).splitlines()),
    }
    write_text_atomically(
        path,
        render_page(
            f"{summary['problem_set']}: {summary.get('model', 'unknown model')}",
            _lead(summary),
            footnote=f"Isolation: {summary['isolation']}. Python {summary['python']},"
            f" {summary['machine']}, kernel {summary['kernel']}.",
            sections=sections,
        ),
    )
    return path


def _outcomes(summary: Mapping[str, Any]) -> list[Row]:
    outcomes: Mapping[str, int] = summary["outcomes"]
    return rank_counts({name.replace("_", " "): n for name, n in outcomes.items()})


def _lead(summary: Mapping[str, Any]) -> str:
    text = f"{summary['samples']} samples, {summary['problems']} problems."
    if summary["is_partial"]:
        text += f" Partial results: {summary['samples_wanted']} samples are planned."
    if not summary["is_valid"]:
        text += " Not valid: the sandbox failed on too many samples."
    if summary["invalid_problems"]:
        names = ", ".join(summary["invalid_problems"])
        text += f" Not scored, because their own solution fails: {names}."
    overlap = summary["decontamination"]
    if overlap:
        text += f" Problems in the training corpus: {len(overlap['problems_in_corpus'])}."
    return text


def _figures(summary: Mapping[str, Any]) -> str:
    rows = [
        [f"pass@{k}", *(percent(found[end], 2) for end in ("value", "low", "high"))]
        for k, found in summary["pass_at_k"].items()
    ]
    if summary["decontamination"]:
        rows += [
            [
                f"pass@{k} without problems in the training corpus",
                *(percent(found[end], 2) for end in ("value", "low", "high")),
            ]
            for k, found in summary["decontamination"]["pass_at_k_without"].items()
        ]
    return render_table(["", "estimate", f"{percent(CONFIDENCE, 0)} interval from", "to"], rows)


def _curve(results: Sequence[Mapping[str, Any]]) -> str:
    counts = list(counts_of(results).values())
    most = min((n for n, _ in counts), default=0)
    if not most:
        return "<p>None.</p>"
    found = {k: estimate(counts, k) for k in range(1, most + 1)}
    return render_lines(
        {"pass@k": [(k, f.value) for k, f in found.items()]},
        along="k",
        bands={"pass@k": [(k, f.low, f.high) for k, f in found.items()]},
    )


def _heat_map(results: Sequence[Mapping[str, Any]]) -> str:
    rows: dict[str, list[tuple[str, str]]] = {}
    for result in results:
        outcome = result["outcome"]
        what = f"sample {result['sample']}: {outcome} {result.get('detail', '')}"
        square = (_COLOURS.get(outcome, _OTHER_COLOUR), what)
        rows.setdefault(result["task_id"], []).append(square)
    return render_grid(rows)


def _times(results: Sequence[Mapping[str, Any]]) -> str:
    seconds: dict[str, list[float]] = {}
    for result in results:
        if "cpu_s" in result:
            seconds.setdefault(result["task_id"], []).append(result["cpu_s"])
    means = Counter({task_id: fmean(times) for task_id, times in seconds.items()})
    return render_bars(
        [(name, s, f"{s:.3f} s") for name, s in means.most_common(MAX_SLOW_PROBLEMS)]
    )


def _failures(out: Path, results: Sequence[Mapping[str, Any]]) -> str:
    failed = {(r["task_id"], r["sample"]): r for r in results if not r["passed"]}
    parts: list[str] = []
    for sample in read_journal(out / SAMPLES_FILE):
        result = failed.get((sample["task_id"], sample["sample"]))
        if result is None or len(parts) >= MAX_SHOWN_SAMPLES:
            continue
        title = f"{sample['task_id']} #{sample['sample']}: {result['outcome']}"
        shown = sample.get("completion", sample.get("solution", "")).splitlines()
        told = [result.get("detail", ""), *result.get("output", "").splitlines()]
        parts.append(render_details(title, [*shown, "", *(f"# {line}" for line in told if line)]))
    if len(failed) > len(parts):
        parts.append(f"<p>{len(failed) - len(parts)} more in {RESULTS_FILE}.</p>")
    return "".join(parts) or "<p>None.</p>"


def main(argv: Sequence[str]) -> int:
    """Draws a run's page."""
    parser = command_parser("evaluation.report", _PURPOSE, example="{prog} runs/passk")
    parser.add_argument("run", type=Path, metavar="RUN", help="the folder of a pass@k run")
    out: Path = parser.parse_args(argv).run
    try:
        summary = json.loads((out / SUMMARY_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"{out} contains no finished pass@k run ({error}); run parrotlet passk first"
        ) from error
    with folder_lock(out):
        sys.stdout.write(f"{write_report(out, summary)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(run_main(main))
