"""The one page of a training: every stage, its figures, and its own page."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from parrotlet.pipeline.stage import Stage
from parrotlet.team.team_config import CORPUS, RUN, SHARDS, TOKENIZER
from training.foundation.atomic_files import write_text_atomically
from training.foundation.charts import escape, render_details, render_page, render_table
from training.foundation.foreign_text import as_object, read_json

PAGE_FILE = "report.html"
_PAGES = {
    "the corpus": f"{CORPUS}/report.html",
    "the tokenizer": f"{TOKENIZER}/tokenizer-report.html",
    "the shards": f"{SHARDS}/report.html",
    "the training": f"{RUN}/report.html",
    "lines and blocks": "lines/report.html",
    "infilling": "infill/report.html",
    "unit tests in the sandbox": "passk/report.html",
}
_MEASURED = {"lines": "lines and blocks", "infill": "infilling"}
_EVALUATION = ("validation_loss", "validation_bits_per_byte")
_MAX_LOG_BYTES = 1 << 20
_LOG_LINES = 40


def write_page(out: Path, stages: Sequence[Stage]) -> Path:
    """Writes the page; returns its path."""
    model = _read(out / RUN / "model" / "parrotlet.json")
    sections = {
        "Model": render_table(["", ""], _describe_model(model)),
        "Evaluation": render_table(["", "kind", "exact match", "95% interval"], _rows(out)),
        "Pages": _link_pages(out),
        "Stages": "".join(_show_stage(out, stage) for stage in stages),
    }
    served = out / RUN / "model"
    lead = f"{len(stages)} stages. Serve the model with: parrotlet-server --model {served}"
    note = "Each stage is a command of its own, and can be run by itself."
    page = out / PAGE_FILE
    text = render_page("Training", lead, footnote=note, sections=sections)
    write_text_atomically(page, text)
    return page


def _describe_model(model: Mapping[str, Any]) -> list[list[str]]:
    training, evaluation = model.get("training", {}), model.get("evaluation", {})
    rows = [
        ["tokens seen", f"{int(training.get('tokens_seen', 0)):,}"],
        ["steps", f"{int(training.get('steps', 0)):,}"],
        ["hours of training", f"{float(training.get('train_seconds', 0)) / 3600:.2f}"],
    ]
    rows += [
        [name.replace("_", " "), f"{float(evaluation[name]):.4f}"]
        for name in _EVALUATION
        if name in evaluation
    ]
    return rows


def _rows(out: Path) -> list[list[str]]:
    rows = []
    for folder, label in _MEASURED.items():
        for kind, metrics in _read(out / folder / "summary.json").get("kinds", {}).items():
            found = metrics["exact_match"]
            interval = f"{found['low']:.1%} to {found['high']:.1%}"
            rows.append([label, kind, f"{found['value']:.1%}", interval])
    return rows


def _link_pages(out: Path) -> str:
    links = [
        f'<li><a href="{escape(path)}">{escape(label)}</a></li>'
        for label, path in _PAGES.items()
        if (out / path).is_file()
    ]
    return f"<ul>{''.join(links)}</ul>"


def _show_stage(out: Path, stage: Stage) -> str:
    log = out / "logs" / f"{stage.name}.txt"
    lines = [f"parrotlet {' '.join(stage.words)}"]
    if log.is_file():
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - _MAX_LOG_BYTES), os.SEEK_SET)
            text = file.read().decode("utf-8", "replace").replace("\r", "\n")
        lines += [line for line in text.split("\n") if line.strip()][-_LOG_LINES:]
    return render_details(stage.name, lines)


def _read(file: Path) -> Mapping[str, Any]:
    try:
        return as_object(read_json(file, allow_nan=True))
    except (OSError, ValueError):
        return {}
