"""A run's report: ``python -m training.run.page RUN`` writes ``RUN/report.html``.

Drawn from ``metrics.jsonl`` alone, at any time; pretraining writes it when it ends.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from training.foundation.extras import require_extra

if __name__ == "__main__":
    require_extra("train")  # before the imports that need it

from training.foundation.atomic_files import write_text_atomically
from training.foundation.charts import render_details, render_lines, render_page, render_table
from training.foundation.command_parser import command_parser
from training.foundation.errors import run_main
from training.run.run_metrics import METRICS_FILE, MetricsEvent, read_metrics

MAX_POINTS = 400  # of a line; more are averaged
CHARTS = {  # heading: (kind of event, names of its values)
    "Training loss, nats per token": ("step", ("loss", "loss_left_to_right", "loss_fim")),
    "Divergence from the teacher, nats per token": ("step", ("divergence",)),
    "Validation loss, nats per token": ("validation", ("validation_loss",)),
    "Validation, bits per byte": ("validation", ("validation_bits_per_byte",)),
    "Learning rate, relative to its peak": ("step", ("rate_factor",)),
    "Gradient norm": ("step", ("gradient_norm",)),
    "Tokens per second": ("step", ("tokens_per_s",)),
    "Model FLOPs utilisation (MFU)": ("step", ("mfu",)),
}


def write_run_page(run: Path) -> Path:
    """Writes the page; returns its path.

    Raises:
        CorpusError: The run has no metrics.
    """
    events = read_metrics(run / METRICS_FILE)
    sections = {}
    for heading, (kind, names) in CHARTS.items():
        series = {name: _series(events, kind, name) for name in names}
        drawn = {name: points for name, points in series.items() if points}
        if drawn:
            sections[heading] = render_lines(drawn, along="step")
    validations = [e for e in events if e.kind == "validation"]
    if validations:
        columns = list(validations[-1].values)
        rows = [[str(e.step), *(f"{e.values[key]:.4f}" for key in columns)] for e in validations]
        sections["Validations"] = render_table(["step", *columns], rows)
    sections["Samples"] = "".join(
        render_details(f"step {e.step}", [f"{s.prompt} -> {s.text}" for s in e.samples])
        for e in reversed(events)
        if e.kind == "samples"
    )
    last = max((e.step for e in events), default=0)
    text = render_page(
        f"Training run {run.name}",
        f"{last} steps, {len(validations)} validations.",
        footnote=f"Drawn from {METRICS_FILE}. Of steps that were run twice, the last run counts.",
        sections=sections,
    )
    path = run / "report.html"
    write_text_atomically(path, text)
    return path


def _series(events: Sequence[MetricsEvent], kind: str, name: str) -> list[tuple[float, float]]:
    """Returns ``(step, value)`` points; neighbours are averaged if there are many."""
    points = [(e.step, e.values[name]) for e in events if e.kind == kind and name in e.values]
    size = -(-len(points) // MAX_POINTS)
    groups = [points[i : i + size] for i in range(0, len(points), max(1, size))]
    return [(group[-1][0], sum(value for _, value in group) / len(group)) for group in groups]


def main(argv: Sequence[str]) -> int:
    """Writes a run's page."""
    parser = command_parser(
        "training.run.page",
        "Draw a run's report from its metrics, also while it is training: loss curves,\n"
        "validations, and samples of what the model writes.",
        example="{prog} runs/default/run",
    )
    parser.add_argument("run", type=Path, metavar="RUN", help="the folder of a run (paths.run)")
    sys.stdout.write(f"{write_run_page(parser.parse_args(argv).run)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(run_main(main))
