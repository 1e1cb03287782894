"""A run's report: ``python -m training.run.page RUN`` writes ``RUN/report.html``.

Drawn from ``metrics.jsonl`` alone, at any time; pretraining writes it at its end.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from training.foundation.extras import require_extra

if __name__ == "__main__":
    require_extra("train")  # before the imports that need it

from training.foundation.atomic_files import write_text_atomically
from training.foundation.charts import render_details, render_lines, render_page, render_table
from training.foundation.command_parser import command_parser
from training.foundation.errors import CorpusError, run_main

METRICS_FILE = "metrics.jsonl"
MOST_POINTS = 400  # of a line; more are averaged
CHARTS = {  # heading: (event, its figures)
    "Training loss, nats per token": ("step", ("loss", "loss_left_to_right", "loss_fim")),
    "Validation loss, nats per token": ("validation", ("validation_loss",)),
    "Validation, bits per byte": ("validation", ("validation_bits_per_byte",)),
    "Learning rate, relative to its peak": ("step", ("rate_factor",)),
    "Gradient norm": ("step", ("gradient_norm",)),
    "Tokens per second": ("step", ("tokens_per_s",)),
    "Model FLOPs utilisation (MFU)": ("step", ("mfu",)),
}
Event = dict[str, Any]


def write_run_page(run: Path) -> Path:
    """Writes the page; returns its path.

    Raises:
        CorpusError: The run has no metrics.
    """
    events = read_metrics(run / METRICS_FILE)
    sections = {}
    for heading, (event, names) in CHARTS.items():
        series = {name: _points(events, event, name) for name in names}
        drawn = {name: points for name, points in series.items() if points}
        if drawn:
            sections[heading] = render_lines(drawn, along="step")
    validations = [e for e in events if e["event"] == "validation"]
    if validations:
        columns = [key for key in validations[-1] if key.startswith("validation_")]
        rows = [[str(e["step"]), *(f"{e[key]:.4f}" for key in columns)] for e in validations]
        sections["Validations"] = render_table(["step", *columns], rows)
    written = [e for e in events if e["event"] == "samples"]
    sections["Samples"] = "".join(
        render_details(
            f"step {e['step']}", [f"{prompt} -> {text}" for prompt, text in e["samples"]]
        )
        for e in reversed(written)
    )
    last = max((e["step"] for e in events), default=0)
    text = render_page(
        f"Training run {run.name}",
        f"{last} steps, {len(validations)} validations.",
        footnote=f"Drawn from {METRICS_FILE}. Of steps that were run twice, the last one counts.",
        sections=sections,
    )
    path = run / "report.html"
    write_text_atomically(path, text)
    return path


def read_metrics(path: Path) -> list[Event]:
    """Returns the events of a run in order, the last of each kind and step.

    A line that a kill left half written is passed over.

    Raises:
        CorpusError: There is no such file.
    """
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise CorpusError(
            f"cannot read {path} ({error.strerror}); name the folder of a run (paths.run)"
        ) from error
    found: dict[tuple[str, int], Event] = {}
    for line in text.splitlines():
        try:
            event = json.loads(line)
            found[str(event["event"]), int(event["step"])] = event
        except (ValueError, KeyError, TypeError):
            continue
    return sorted(found.values(), key=lambda event: int(event["step"]))


def _points(events: Sequence[Event], kind: str, name: str) -> list[tuple[float, float]]:
    """Returns ``(step, value)``, neighbours averaged so that a line can be told from its noise."""
    points = [(e["step"], e[name]) for e in events if e["event"] == kind and name in e]
    size = -(-len(points) // MOST_POINTS)
    groups = [points[i : i + size] for i in range(0, len(points), max(1, size))]
    return [(group[-1][0], sum(value for _, value in group) / len(group)) for group in groups]


def main(argv: Sequence[str]) -> int:
    """Writes the page of the run that is named."""
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
