"""Self-contained pages of bars and tables: the HTML that every report of training is drawn with.

Whatever is handed in is escaped here, so that names and paths of sources stay text.
"""

import math
from collections.abc import Mapping, Sequence
from html import escape

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem;
  color: #222; background: #fff }
h1 { font-size: 1.6rem } h2 { font-size: 1.1rem; margin-top: 2.2rem }
table { border-collapse: collapse; width: 100% } td, th { text-align: left; padding: .15rem .6rem }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums }
tr:nth-child(even) { background: #f4f5f7 } .bar { fill: #3b7a57 } .label { font-size: 12px }
.line { fill: none; stroke-width: 1.5 } .axis { fill: none; stroke: #999 }
details { margin: .3rem 0 } code { font-size: 13px; white-space: pre-wrap } small { color: #666 }
"""
_WIDTH, _ROW, _LABEL = 720, 22, 230
_HEIGHT = 220  # of a line chart
_COLOURS = ("#3b7a57", "#b5522b", "#2b5fb5", "#7a3b73")
Row = tuple[str, float, str]  # label, length of the bar, what is written beside it


def page(title: str, lead: str, *, footnote: str, sections: Mapping[str, str]) -> str:
    """Returns a whole document; ``sections`` maps headings to HTML, the rest is plain text."""
    body = "".join(f"<h2>{escape(head)}</h2>\n{html}\n" for head, html in sections.items())
    return (
        f'<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{_STYLE}</style>\n<h1>{escape(title)}</h1>\n<p>{escape(lead)}</p>\n"
        f"<p><small>{escape(footnote)}</small></p>\n{body}</html>\n"
    )


def bars(rows: Sequence[Row]) -> str:
    """Returns a bar chart as SVG, one bar a row."""
    if not rows:
        return "<p>None.</p>"
    longest = max(length for _, length, _ in rows) or 1
    scale = (_WIDTH - _LABEL - 150) / longest
    parts = []
    for number, (label, length, note) in enumerate(rows):
        y = number * _ROW
        width = max(1.0, length * scale)
        parts.append(
            f'<text class="label" x="0" y="{y + 15}">{escape(label)}</text>'
            f'<rect class="bar" x="{_LABEL}" y="{y + 3}" width="{width:.1f}" height="{_ROW - 6}"/>'
            f'<text class="label" x="{_LABEL + width + 6:.1f}" y="{y + 15}">{escape(note)}</text>'
        )
    height = len(rows) * _ROW
    return f'<svg viewBox="0 0 {_WIDTH} {height}" role="img">{"".join(parts)}</svg>'


def lines(series: Mapping[str, Sequence[tuple[float, float]]], *, along: str) -> str:
    """Returns a line chart as SVG: each series is named ``(x, y)`` points, none empty."""
    xs = [x for points in series.values() for x, _ in points]
    ys = [y for points in series.values() for _, y in points if math.isfinite(y)]
    left, bottom, top = 60, _HEIGHT - 24, 20
    low, high = (min(ys), max(ys)) if ys else (0.0, 1.0)
    x_scale = (_WIDTH - left - 10) / ((max(xs) - min(xs)) or 1)
    y_scale = (bottom - top) / ((high - low) or 1)
    text, end = '<text class="label"', f"{escape(along)} {max(xs):g}"
    parts = [
        f'{text} x="0" y="{bottom}">{low:.4g}</text>',
        f'{text} x="0" y="{top + 4}">{high:.4g}</text>',
        f'{text} x="{left}" y="{_HEIGHT - 6}">{min(xs):g}</text>',
        f'{text} x="{_WIDTH}" y="{_HEIGHT - 6}" text-anchor="end">{end}</text>',
        f'<path class="axis" d="M{left} {top}V{bottom}H{_WIDTH - 10}"/>',
    ]
    for number, (name, points) in enumerate(series.items()):
        colour = _COLOURS[number % len(_COLOURS)]
        path = " ".join(
            f"{left + (x - min(xs)) * x_scale:.1f},{bottom - (y - low) * y_scale:.1f}"
            for x, y in points
            if math.isfinite(y)
        )
        parts.append(
            f'<polyline class="line" stroke="{colour}" points="{path}"/>'
            f'<text class="label" x="{left + 12 + 170 * number}" y="12" fill="{colour}">'
            f"{escape(name)}</text>"
        )
    return f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img">{"".join(parts)}</svg>'


def count_rows(counts: Mapping[str, int], *, most: int | None = None) -> list[Row]:
    """Returns a bar for each count, the largest first, ``most`` at the most."""
    ordered = sorted(counts.items(), key=lambda item: -item[1])
    return [(key, n, f"{n:,}") for key, n in ordered[:most]]


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Returns a table; the columns behind the first are set as numbers."""

    def line(tag: str, cells: Sequence[str]) -> str:
        return "<tr>" + "".join(
            f"<{tag}{' class=number' if i else ''}>{escape(cell)}</{tag}>"
            for i, cell in enumerate(cells)
        )

    return "<table>" + line("th", head) + "".join(line("td", row) for row in rows) + "</table>"


def folded(summary: str, lines: Sequence[str]) -> str:
    """Returns lines of code that open at a click on their summary."""
    code = "".join(f"<code>{escape(line)}</code><br>" for line in lines)
    return f"<details><summary>{escape(summary)}</summary>{code}</details>"
