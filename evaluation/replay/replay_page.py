"""The summary of a replay, and its page: the metrics, and a session to watch.

The page contains the user's own text as JSON, and shows it as text, never as markup.
"""

import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from evaluation.replay.replay_metrics import Percentiles, ReplayMetrics
from evaluation.replay.session import SessionRecord
from evaluation.replay.session_events import AnswerReceived
from evaluation.runs.estimators import format_percent
from training.foundation.charts import Row, render_bars, render_lines, render_page, render_table
from training.foundation.config_schema import to_mapping

_CONTEXT_LINES = 8
_BINS_MS = (10, 20, 40, 80, 120, 200, 400)
_ROWS = (
    ("Latency, from change to answer", "latency_ms"),
    ("Latency of suggestions shown", "latency_shown_ms"),
    ("Cancellation, from a newer change to the end of the older request", "cancellation_ms"),
    ("Keystrokes with a suggestion visible", "keys_with_ghost"),
    ("Suggestions", "suggestions"),
    (
        "Suggestions with a correct first line, or the correct beginning of one",
        "precision_of_suggestions",
    ),
    ("Suggestions with the whole rest of the line", "whole_lines"),
    ("Characters saved", "characters_saved"),
    ("Prompt tokens reused from the cache", "tokens_reused"),
    ("CPU seconds per minute of typing", "cpu_s_per_minute"),
    ("Stale answers", "stale_answers"),
)
_PLAYER = """
<div id="stage"><pre id="text"></pre>
<p><button id="play">Play/Pause</button>
<input id="at" type="range" min="0" value="0" style="width:60%">
<span id="clock"></span></p></div>
<script type="application/json" id="data">DATA</script>
<script>
const data = JSON.parse(document.getElementById("data").textContent);
const at = document.getElementById("at"), pre = document.getElementById("text");
at.max = data.events.length - 1;
let timer = null;
function span(text, style) {
  const node = document.createElement("span");
  node.textContent = text; node.style.cssText = style; return node;
}
function show() {
  const e = data.events[at.value], around = "color:#888";
  const ghost = "color:#999;font-style:italic;background:#eef";
  pre.replaceChildren(span(data.before, around), span(e.now, ""),
    span("\\u258f", "color:#c00"), span(e.ghost || "", ghost), span(data.after, around));
  document.getElementById("clock").textContent = e.at.toFixed(1) + " s, " + e.event +
    (e.ms === undefined ? "" : " after " + e.ms + " ms");
}
function step() {
  if (+at.value >= +at.max) { timer = null; return; }
  const wait = data.events[+at.value + 1].at - data.events[at.value].at;
  const next = () => { at.value = +at.value + 1; show(); step(); };
  timer = setTimeout(next, 1000 * Math.min(wait, 1.5));
}
document.getElementById("play").onclick = () => {
  if (timer) { clearTimeout(timer); timer = null; } else step();
};
at.oninput = show; show();
</script>
"""


@dataclass(frozen=True, kw_only=True)
class TradeOffPoint:
    """What one eagerness setting comes to."""

    keys_with_ghost: float | None
    precision_of_suggestions: float | None
    characters_saved: float | None


@dataclass(frozen=True, kw_only=True)
class ReplaySummary:
    """The settings and the metrics of a replay; ``curve`` has a point for each eagerness.

    ``workspace`` says whether the other files of each package were known.
    """

    seed: int
    pace: float
    model: str
    eagerness: str
    metrics: ReplayMetrics
    workspace: bool = False
    curve: Mapping[str, TradeOffPoint] | None = None

    def to_json(self) -> dict[str, object]:
        """Returns the contents of ``summary.json``."""
        names = ("seed", "pace", "model", "eagerness", "workspace")
        settings = {name: getattr(self, name) for name in names}
        curve = {} if self.curve is None else {"curve": to_mapping(self.curve)}
        return {**settings, **to_mapping(self.metrics), **curve}


def draw_page(summary: ReplaySummary, records: Sequence[SessionRecord]) -> str:
    """Returns the page."""
    metrics = summary.metrics
    rows = [[label, _format(getattr(metrics, name))] for label, name in _ROWS]
    sections = {
        "Metrics": render_table(["", ""], rows),
        "Latency": render_bars(_latency_histogram(records)),
    }
    if summary.curve is not None:
        sections["Trade-off between eagerness settings"] = _trade_off(summary.curve)
    sections["Watch a session"] = _player(records[0])
    files = "1 file" if metrics.files == 1 else f"{metrics.files} files"
    lead = (
        f"{files}, {metrics.characters} characters written with"
        f" {metrics.keys} keystrokes and {metrics.accepted} accepted suggestions."
    )
    footnote = (
        f"Seed {summary.seed}, pace {summary.pace}, model {summary.model},"
        f" eagerness {summary.eagerness}, {'with' if summary.workspace else 'without'} the"
        " workspace."
    )
    return render_page("Typing replay", lead, footnote=footnote, sections=sections)


def _trade_off(curve: Mapping[str, TradeOffPoint]) -> str:
    """Returns the metrics by eagerness, as a chart and a table."""
    rows = [
        [
            name,
            _format(point.keys_with_ghost),
            _format(point.precision_of_suggestions),
            _format(point.characters_saved),
        ]
        for name, point in curve.items()
    ]
    points = sorted(
        (
            100 * (point.keys_with_ghost or 0.0),
            point.precision_of_suggestions or 0.0,
            point.characters_saved or 0.0,
        )
        for point in curve.values()
    )
    chart = render_lines(
        {
            "correct first lines": [(x, y) for x, y, _ in points],
            "characters saved": [(x, y) for x, _, y in points],
        },
        along="keystrokes with a suggestion visible, %",
    )
    head = ["eagerness", "keystrokes with a suggestion", "correct", "characters saved"]
    return chart + render_table(head, rows)


def _format(value: Percentiles | float | None) -> str:
    if isinstance(value, Percentiles):
        return f"p50 {value.p50} ms, p95 {value.p95} ms"
    if isinstance(value, float) and 0 <= value <= 1:
        return format_percent(value)
    return "unknown" if value is None else str(value)


def _latency_histogram(records: Sequence[SessionRecord]) -> list[Row]:
    latencies_ms = [
        event.latency_ms
        for record in records
        for event in record.events
        if isinstance(event, AnswerReceived) and event.late_ms is None
    ]
    edges = [0, *_BINS_MS, float("inf")]
    rows: list[Row] = []
    for low, high in itertools.pairwise(edges):
        n = sum(low <= ms < high for ms in latencies_ms)
        rows.append((f"{low} to {high} ms" if high < float("inf") else f"over {low} ms", n, str(n)))
    return rows


def _player(record: SessionRecord) -> str:
    before = record.task.prefix.split("\n")[-_CONTEXT_LINES:]
    after = record.task.suffix.split("\n")[:_CONTEXT_LINES]
    data = {
        "before": "\n".join(before),
        "after": "\n".join(after),
        "events": [event.to_json() for event in record.events],
    }
    text = json.dumps(data).replace("<", "\\u003c")
    return _PLAYER.replace("DATA", text)
