"""The report page of a pass@k run: scores, outcomes, and every sample that failed.

All text of programs is escaped: none of it is interpreted as markup.
"""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

from evaluation.passk.judging import RESULTS_FILE, read_results
from evaluation.passk.records import Result, Sample, count_samples
from evaluation.passk.sample_sources import read_samples
from evaluation.passk.summary import WHY_INVALID, PasskSummary
from evaluation.runs.estimators import CONFIDENCE, Estimate, estimate_pass_at_k, format_percent
from evaluation.runs.run_folder import REPORT_FILE, SUMMARY_FILE, read_object
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
from training.foundation.errors import ConfigError, PrerequisiteError
from training.foundation.folder_lock import folder_lock

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


def redraw_page(out: Path) -> Path:
    """Draws the page of a finished run again and returns its path.

    Raises:
        ConfigError: The folder contains no finished run.
    """
    try:
        summary = PasskSummary.from_json(read_object(out / SUMMARY_FILE))
    except (ConfigError, PrerequisiteError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(
            f"{out} contains no finished pass@k run ({error}); run parrotlet passk first"
        ) from error
    with folder_lock(out):
        return write_page(out, summary, read_samples(out), read_results(out))


def write_page(
    out: Path, summary: PasskSummary, samples: Sequence[Sample], results: Sequence[Result]
) -> Path:
    """Writes ``report.html`` into a run's folder and returns its path."""
    path = out / REPORT_FILE
    details = json.dumps(summary.to_json(), indent=2).splitlines()
    sections = {
        "pass@k": _table_of_scores(summary),
        "pass@k by k": _curve(results),
        "Outcomes": render_bars(_count_outcomes(summary)),
        "Problems": _heat_map(results),
        "CPU time per problem": _slowest_problems(results),
        "Samples that failed": _failures(samples, results),
        "Details": render_details(SUMMARY_FILE, details),
    }
    write_text_atomically(
        path,
        render_page(
            f"{summary.problem_set}: {summary.identity.source.get('model', 'unknown model')}",
            _lead(summary),
            footnote=f"Isolation: {summary.identity.isolation}. Python {summary.python},"
            f" {summary.machine}, kernel {summary.kernel}.",
            sections=sections,
        ),
    )
    return path


def _count_outcomes(summary: PasskSummary) -> list[Row]:
    return rank_counts({name.replace("_", " "): n for name, n in summary.outcomes.items()})


def _lead(summary: PasskSummary) -> str:
    text = f"{summary.samples} samples, {summary.problems} problems."
    if summary.is_partial:
        text += f" Partial results: {summary.samples_wanted} samples are planned."
    if not summary.is_valid:
        text += " Not valid: the sandbox failed on too many samples."
    if summary.problems_without_samples:
        missing = summary.problems_without_samples
        text += (
            f" Not scored, because they have no samples: {len(missing)} of"
            f" {summary.problems_in_set} problems: {', '.join(missing)}."
        )
    if summary.invalid_problems:
        names = ", ".join(summary.invalid_problems)
        text += f" Not scored, {WHY_INVALID}: {names}."
    if summary.in_process_problems:
        text += (
            " Problems whose test ran inside the programs' own processes, where a verdict is easier"
            f" to forge: {summary.in_process_problems}."
        )
    if summary.decontamination:
        held = len(summary.decontamination.problems_in_corpus)
        text += f" Problems in the training corpus: {held}."
    return text


def _table_of_scores(summary: PasskSummary) -> str:
    n = summary.problems_in_set
    rows = [_score_row(f"pass@{k}", found, n) for k, found in summary.pass_at_k.items()]
    if summary.decontamination:
        rows += [
            _score_row(f"pass@{k} without problems in the training corpus", found, n)
            for k, found in summary.decontamination.pass_at_k_without.items()
        ]
    head = ["", "estimate", f"{format_percent(CONFIDENCE, 0)} interval from", "to", "problems"]
    return render_table(head, rows)


def _score_row(label: str, found: Estimate, n_set: int) -> list[str]:
    shares = [format_percent(x, 2) for x in (found.value, found.low, found.high)]
    return [label, *shares, f"{found.problems} of {n_set}"]


def _curve(results: Sequence[Result]) -> str:
    counts = list(count_samples(results).values())
    most = min((found.n for found in counts), default=0)
    if not most:
        return "<p>None.</p>"
    scores = {k: estimate_pass_at_k(counts, k) for k in range(1, most + 1)}
    return render_lines(
        {"pass@k": [(k, found.value) for k, found in scores.items()]},
        along="k",
        bands={"pass@k": [(k, found.low, found.high) for k, found in scores.items()]},
    )


def _heat_map(results: Sequence[Result]) -> str:
    rows: dict[str, list[tuple[str, str]]] = {}
    for result in results:
        label = f"sample {result.number}: {result.outcome} {result.detail}"
        square = (_COLOURS.get(result.outcome, _OTHER_COLOUR), label)
        rows.setdefault(result.task_id, []).append(square)
    return render_grid(rows)


def _slowest_problems(results: Sequence[Result]) -> str:
    times_s: dict[str, list[float]] = {}
    for result in results:
        if result.verdict is not None:
            times_s.setdefault(result.task_id, []).append(result.verdict.cpu_s)
    means = Counter({task_id: fmean(times) for task_id, times in times_s.items()})
    return render_bars(
        [(name, s, f"{s:.3f} s") for name, s in means.most_common(MAX_SLOW_PROBLEMS)]
    )


def _failures(samples: Sequence[Sample], results: Sequence[Result]) -> str:
    failed = {result.key: result for result in results if not result.has_passed}
    parts: list[str] = []
    for sample in samples:
        result = failed.get(sample.key)
        if result is None or len(parts) >= MAX_SHOWN_SAMPLES:
            continue
        output = result.verdict.output if result.verdict else ""
        notes = [f"# {line}" for line in (result.detail, *output.splitlines()) if line]
        title = f"{sample.task_id} #{sample.number}: {result.outcome}"
        parts.append(render_details(title, [*sample.text.splitlines(), "", *notes]))
    if len(failed) > len(parts):
        parts.append(f"<p>{len(failed) - len(parts)} more in {RESULTS_FILE}.</p>")
    return "".join(parts) or "<p>None.</p>"
