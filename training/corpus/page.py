"""The report as a page to look at: ``report.html``, self-contained, and a dataset card.

Both are drawn from the numbers of ``report.json`` alone. Whatever came from a source (names, paths)
is escaped. Called by :mod:`training.corpus.build`.
"""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem;
  color: #222; background: #fff }
h1 { font-size: 1.6rem } h2 { font-size: 1.1rem; margin-top: 2.2rem }
table { border-collapse: collapse; width: 100% } td, th { text-align: left; padding: .15rem .6rem }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums }
tr:nth-child(even) { background: #f4f5f7 } .bar { fill: #3b7a57 } .label { font-size: 12px }
details { margin: .3rem 0 } code { font-size: 13px } small { color: #666 }
"""
_WIDTH, _ROW, _LABEL = 720, 22, 230
_MOST_PACKAGES = 30
Row = tuple[str, float, str]  # label, length of the bar, what is written beside it


def html_page(report: Mapping[str, Any]) -> str:
    """Returns the whole page."""
    sections = [
        ("From files to documents", _bars([_funnel_row(stage) for stage in report["funnel"]])),
        ("Why files were dropped", _bars(_count_rows(report["drops"])) + _examples(report)),
        ("Sizes of the documents kept", _bars(_size_rows(report["sizes"]))),
        ("Licences", _table(("licence", "documents", "MB"), _licence_cells(report["licences"]))),
        ("Packages", _bars(_package_rows(report["packages"]))),
        ("Copies", _clusters(report["duplicates"])),
        ("Secrets and addresses replaced", _bars(_count_rows(report["redactions"]))),
    ]
    body = "".join(f"<h2>{escape(title)}</h2>\n{content}\n" for title, content in sections)
    return (
        '<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>Corpus</title>'
        f"<style>{_STYLE}</style>\n<h1>Corpus</h1>\n<p>{escape(_summary(report))}</p>\n"
        f"<p><small>SHA-256 {escape(report['corpus_sha256'])}</small></p>\n{body}</html>\n"
    )


def dataset_card(report: Mapping[str, Any]) -> str:
    """Returns the README of the corpus as a dataset, with the Hub's front matter."""
    licences = sorted(report["licences"])
    rows = "\n".join(
        f"| {_cell(p['package'])} | {_cell(p['version'])} | {_cell(p['licence'])} | {p['split']}"
        f" | {p['kept_files']} | {p['kept_bytes'] / 1e6:.1f} |"
        for p in report["packages"]
        if p["kept_files"]
    )
    drops = "\n".join(f"| {_cell(reason)} | {n} |" for reason, n in report["drops"].items())
    replaced = ", ".join(f"{kind} {n}" for kind, n in report["redactions"].items()) or "nothing"
    return f"""---
language: [code]
license: other
task_categories: [text-generation]
tags: [code, python]
configs:
- config_name: default
  data_files:
  - {{split: train, path: train/*.parquet}}
  - {{split: validation, path: heldout/*.parquet}}
---
# Python source code

{_summary(report)}

Each document keeps its package, version, path, SPDX licence and SHA-256; `NOTICE` names all
packages. Licences: {", ".join(licences)}. The validation split is of whole packages that are
nowhere in training, near duplicates included.

Replaced by placeholders: {replaced}.

| dropped for | files |
|---|---|
{drops}

| package | version | licence | split | files | MB |
|---|---|---|---|---|---|
{rows}
"""


def _summary(report: Mapping[str, Any]) -> str:
    parts = [
        f"{split}: {totals['documents']:,} documents, {totals['bytes'] / 1e6:,.1f} MB"
        for split, totals in report["splits"].items()
    ]
    return "; ".join(parts) + f"; of {len(report['packages'])} sources."


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _bars(rows: Sequence[Row]) -> str:
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


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    def line(tag: str, cells: Sequence[str]) -> str:
        return "<tr>" + "".join(
            f"<{tag}{' class=number' if i else ''}>{escape(cell)}</{tag}>"
            for i, cell in enumerate(cells)
        )

    return "<table>" + line("th", head) + "".join(line("td", row) for row in rows) + "</table>"


def _funnel_row(stage: Mapping[str, Any]) -> Row:
    return stage["stage"], stage["documents"], f"{stage['documents']:,}"


def _count_rows(counts: Mapping[str, int]) -> list[Row]:
    return [(key, n, f"{n:,}") for key, n in sorted(counts.items(), key=lambda item: -item[1])]


def _size_rows(sizes: Mapping[str, int]) -> list[Row]:
    return [(f"to {int(upto):,} bytes", n, f"{n:,}") for upto, n in sizes.items()]


def _licence_cells(licences: Mapping[str, Mapping[str, int]]) -> list[tuple[str, str, str]]:
    rows = sorted(licences.items(), key=lambda item: -item[1]["bytes"])
    return [(name, f"{t['documents']:,}", f"{t['bytes'] / 1e6:,.1f}") for name, t in rows]


def _package_rows(packages: Sequence[Mapping[str, Any]]) -> list[Row]:
    return [
        (f"{p['package']} {p['version']}"[:34], p["kept_bytes"], f"{p['kept_bytes'] / 1e6:,.1f} MB")
        for p in packages[:_MOST_PACKAGES]
        if p["kept_bytes"]
    ]


def _examples(report: Mapping[str, Any]) -> str:
    found: dict[str, list[str]] = {}
    for package in report["packages"]:
        for reason, paths in package["examples"].items():
            found.setdefault(reason, []).extend(f"{package['package']}: {p}" for p in paths[:2])
    return "".join(
        f"<details><summary>{escape(reason)}</summary>"
        + "".join(f"<code>{escape(path)}</code><br>" for path in paths[:12])
        + "</details>"
        for reason, paths in sorted(found.items())
    )


def _clusters(duplicates: Mapping[str, Any]) -> str:
    rows = [
        (
            cluster["kept"],
            str(cluster["dropped"]),
            ", ".join(str(e["similarity"] or "equal") for e in cluster["examples"]),
        )
        for cluster in duplicates["largest"]
    ]
    text = (
        f"{duplicates['documents']:,} documents ({duplicates['bytes'] / 1e6:,.1f} MB) were copies"
        f" of {duplicates['clusters']:,} others. The largest clusters:"
    )
    return f"<p>{escape(text)}</p>" + _table(("kept", "dropped", "similarity"), rows)
