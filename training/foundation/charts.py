"""Self-contained HTML pages with charts and tables, for every report of the project.

All text is escaped here, so names and paths from foreign sources cannot become markup, nor control
a terminal that shows the file.
"""

import math
from collections.abc import Mapping, Sequence
from html import escape as escape_markup

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem;
  color: #222; background: #fff }
h1 { font-size: 1.6rem } h2 { font-size: 1.1rem; margin-top: 2.2rem }
table { border-collapse: collapse; width: 100% } td, th { text-align: left; padding: .15rem .6rem }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums }
tr:nth-child(even) { background: #f4f5f7 } .bar { fill: #3b7a57 } .label { font-size: 12px }
.line { fill: none; stroke-width: 1.5 } .band { opacity: .18 } .axis { fill: none; stroke: #999 }
details { margin: .3rem 0 } code { font-size: 13px; white-space: pre-wrap } small { color: #666 }
"""
_WIDTH, _ROW, _LABEL = 720, 22, 230
_HEIGHT, _LEFT, _TOP = 220, 60, 20  # of a line chart
_BOTTOM = _HEIGHT - 24
_CELL = 16  # of a grid
_COLOURS = ("#3b7a57", "#b5522b", "#2b5fb5", "#7a3b73")
_CONTROLS = dict.fromkeys({*range(32), 127} - set(b"\t\n\r"), "\N{REPLACEMENT CHARACTER}")
Row = tuple[str, float, str]  # label, length of the bar, note beside it


def escape(text: str) -> str:
    """Returns text for a page, without markup and control characters."""
    return escape_markup(text.translate(_CONTROLS))


def render_page(title: str, lead: str, *, footnote: str, sections: Mapping[str, str]) -> str:
    """Returns an HTML document; ``sections`` maps headings to HTML, the rest is plain text."""
    body = "".join(f"<h2>{escape(head)}</h2>\n{html}\n" for head, html in sections.items())
    return (
        f'<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{_STYLE}</style>\n<h1>{escape(title)}</h1>\n<p>{escape(lead)}</p>\n"
        f"<p><small>{escape(footnote)}</small></p>\n{body}</html>\n"
    )


def render_bars(rows: Sequence[Row]) -> str:
    """Returns a bar chart as SVG, one bar per row."""
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


def render_lines(
    series: Mapping[str, Sequence[tuple[float, float]]],
    *,
    along: str,
    bands: Mapping[str, Sequence[tuple[float, float, float]]] | None = None,
) -> str:
    """Returns a line chart as SVG.

    Args:
        series: Points ``(x, y)`` by name; none may be empty.
        along: What x is.
        bands: Bands ``(x, low, high)`` around the series of the same name.
    """
    bands = bands or {}
    xs = [x for points in series.values() for x, _ in points]
    ys = [y for points in series.values() for _, y in points]
    ys += [y for points in bands.values() for _, *ends in points for y in ends]
    frame = _Frame(xs, [y for y in ys if math.isfinite(y)])
    parts = frame.axes(along)
    for number, (name, points) in enumerate(series.items()):
        colour = _COLOURS[number % len(_COLOURS)]
        band = bands.get(name, ())
        outline = [(x, low) for x, low, _ in band] + [(x, high) for x, _, high in reversed(band)]
        parts.append(
            f'<polygon class="band" fill="{colour}" points="{frame.path(outline)}"/>'
            f'<polyline class="line" stroke="{colour}" points="{frame.path(points)}"/>'
            f'<text class="label" x="{_LEFT + 12 + 170 * number}" y="12" fill="{colour}">'
            f"{escape(name)}</text>"
        )
    return f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img">{"".join(parts)}</svg>'


class _Frame:
    """Maps values to coordinates of a chart."""

    def __init__(self, xs: Sequence[float], ys: Sequence[float]) -> None:
        self._x, self._last_x = min(xs), max(xs)
        self._low, self._high = (min(ys), max(ys)) if ys else (0.0, 1.0)
        self._x_scale = (_WIDTH - _LEFT - 10) / ((self._last_x - self._x) or 1)
        self._y_scale = (_BOTTOM - _TOP) / ((self._high - self._low) or 1)

    def path(self, points: Sequence[tuple[float, float]]) -> str:
        """Returns the finite points as SVG coordinates."""
        return " ".join(
            f"{_LEFT + (x - self._x) * self._x_scale:.1f},"
            f"{_BOTTOM - (y - self._low) * self._y_scale:.1f}"
            for x, y in points
            if math.isfinite(y)
        )

    def axes(self, along: str) -> list[str]:
        """Returns the axes, labelled with their ranges."""
        text, end = '<text class="label"', f"{escape(along)} {self._last_x:g}"
        return [
            f'{text} x="0" y="{_BOTTOM}">{self._low:.4g}</text>',
            f'{text} x="0" y="{_TOP + 4}">{self._high:.4g}</text>',
            f'{text} x="{_LEFT}" y="{_HEIGHT - 6}">{self._x:g}</text>',
            f'{text} x="{_WIDTH}" y="{_HEIGHT - 6}" text-anchor="end">{end}</text>',
            f'<path class="axis" d="M{_LEFT} {_TOP}V{_BOTTOM}H{_WIDTH - 10}"/>',
        ]


def render_grid(rows: Mapping[str, Sequence[tuple[str, str]]]) -> str:
    """Returns a grid as SVG: for each name a row of squares, given as ``(colour, tooltip)``."""
    parts = []
    for number, (name, row) in enumerate(rows.items()):
        y = number * _CELL
        parts.append(f'<text class="label" x="0" y="{y + _CELL - 4}">{escape(name)}</text>')
        parts += [
            f'<rect x="{_LABEL + place * _CELL}" y="{y + 1}" width="{_CELL - 2}"'
            f' height="{_CELL - 2}" fill="{escape(colour)}"><title>{escape(what)}</title></rect>'
            for place, (colour, what) in enumerate(row)
        ]
    width = _LABEL + _CELL * max((len(row) for row in rows.values()), default=0)
    size = f'width="{width}" height="{len(rows) * _CELL}"'
    return f'<svg {size} role="img">{"".join(parts)}</svg>'


def rank_counts(counts: Mapping[str, int], *, most: int | None = None) -> list[Row]:
    """Returns rows for :func:`render_bars`, largest count first, at most ``most``."""
    ordered = sorted(counts.items(), key=lambda item: -item[1])
    return [(key, n, f"{n:,}") for key, n in ordered[:most]]


def render_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Returns a table; all columns but the first are right-aligned numbers."""

    def line(tag: str, cells: Sequence[str]) -> str:
        return "<tr>" + "".join(
            f"<{tag}{' class=number' if i else ''}>{escape(cell)}</{tag}>"
            for i, cell in enumerate(cells)
        )

    return "<table>" + line("th", head) + "".join(line("td", row) for row in rows) + "</table>"


def render_details(summary: str, lines: Sequence[str]) -> str:
    """Returns lines of code that expand when their summary is clicked."""
    code = "".join(f"<code>{escape(line)}</code><br>" for line in lines)
    return f"<details><summary>{escape(summary)}</summary>{code}</details>"
