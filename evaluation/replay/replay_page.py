"""A replay as a page: its metrics, and a session to watch.

All text is the user's own; it is put into the page as JSON and shown as text, never as markup.
"""

import itertools
import json
from collections.abc import Mapping, Sequence
from typing import Any

from evaluation.replay.session import Record
from evaluation.runs.estimators import percent
from training.foundation.charts import render_bars, render_lines, render_page, render_table

_CONTEXT_LINES = 8
_BINS_MS = (10, 20, 40, 80, 120, 200, 400)
_ROWS = (
    ("Latency, from change to answer", "latency_ms"),
    ("Latency of suggestions shown", "latency_shown_ms"),
    ("Cancellation, from a newer change to the end of the older request", "cancellation_ms"),
    ("Keystrokes with a suggestion visible", "keys_with_ghost"),
    ("Suggestions", "suggestions"),
    ("Suggestions with a correct first line", "precision_of_suggestions"),
    ("Characters saved", "characters_saved"),
    ("Prompt tokens reused from the cache", "tokens_reused"),
    ("CPU seconds per minute of typing", "cpu_s_per_minute"),
    ("Stale answers", "stale_answers"),
)
CURVE = ("keys_with_ghost", "precision_of_suggestions", "characters_saved")
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


def replay_page(summary: Mapping[str, Any], records: Sequence[Record]) -> str:
    """Returns the whole document."""
    sections = {
        "Metrics": render_table(["", ""], [[name, _shown(summary[key])] for name, key in _ROWS]),
        "Latency": render_bars(_histogram(records)),
    }
    if "curve" in summary:
        sections["Trade-off between eagerness settings"] = _trade_off(summary["curve"])
    sections["Watch a session"] = _player(records[0])
    files = "1 file" if summary["files"] == 1 else f"{summary['files']} files"
    lead = (
        f"{files}, {summary['characters']} characters written with"
        f" {summary['keys']} keystrokes and {summary['accepted']} accepted suggestions."
    )
    footnote = (
        f"Seed {summary['seed']}, pace {summary['pace']}, model {summary['model']},"
        f" eagerness {summary['eagerness']}."
    )
    return render_page("Typing replay", lead, footnote=footnote, sections=sections)


def _trade_off(curve: Mapping[str, Mapping[str, float | None]]) -> str:
    """Returns the metrics by eagerness, as a chart and a table."""
    rows = [[name, *(_shown(figures[key]) for key in CURVE)] for name, figures in curve.items()]
    seen, right, saved = CURVE
    points = sorted(
        (100 * (figures[seen] or 0.0), figures[right] or 0.0, figures[saved] or 0.0)
        for figures in curve.values()
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


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        return f"p50 {value['p50']} ms, p95 {value['p95']} ms"
    if isinstance(value, float) and 0 <= value <= 1:
        return percent(value)
    return "unknown" if value is None else str(value)


def _histogram(records: Sequence[Record]) -> list[tuple[str, float, str]]:
    took = [
        event["ms"]
        for record in records
        for event in record.events
        if event["event"] == "answer" and event["late_ms"] is None
    ]
    edges = [0, *_BINS_MS, float("inf")]
    rows = []
    for low, high in itertools.pairwise(edges):
        n = sum(low <= ms < high for ms in took)
        rows.append((f"{low} to {high} ms" if high < float("inf") else f"over {low} ms", n, str(n)))
    return rows


def _player(record: Record) -> str:
    before = record.task.prefix.split("\n")[-_CONTEXT_LINES:]
    after = record.task.suffix.split("\n")[:_CONTEXT_LINES]
    data = {"before": "\n".join(before), "after": "\n".join(after), "events": record.events}
    text = json.dumps(data).replace("<", "\\u003c")
    return _PLAYER.replace("DATA", text)
