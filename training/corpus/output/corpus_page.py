"""The corpus' report as a self-contained page, ``report.html``, and as a dataset card.

Both are drawn from the numbers in ``report.json`` alone. ``training.corpus.build`` writes them;
``training.prepare`` draws the page again, with token counts, beside the shards.
"""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from training.corpus.selection.heldout_split import describe
from training.foundation.charts import (
    Row,
    rank_counts,
    render_bars,
    render_details,
    render_page,
    render_table,
)

_MOST_PACKAGES = 30


def html_page(
    report: Mapping[str, Any], tokens: Mapping[str, Mapping[str, int]] | None = None
) -> str:
    """Returns the whole page.

    ``tokens`` are counts by split, by package and by licence, known once shards were made.
    """
    sections = {
        "From files to documents": render_bars([_funnel_row(stage) for stage in report["funnel"]]),
        "Why files were dropped": render_bars(rank_counts(report["drops"])) + _examples(report),
        "Held out": f"<p>{escape(_heldout(report))}</p>",
        "Shares of the text to train on": render_bars(_share_rows(report)),
        "Document sizes": render_bars(_size_rows(report["sizes"])),
        "Licences": render_table(
            ("licence", "documents", "MB"), _licence_cells(report["licences"])
        ),
        "Packages": render_bars(_package_rows(report["packages"])),
        "Duplicates": _clusters(report["duplicates"]),
        "Secrets and addresses replaced by placeholders": render_bars(
            rank_counts(report["redactions"])
        ),
    }
    for what, counts in (tokens or {}).items():
        sections[f"Tokens by {what}"] = render_bars(rank_counts(counts, most=_MOST_PACKAGES))
    return render_page(
        "Corpus",
        _summary(report),
        footnote=f"SHA-256 {report['corpus_sha256']}",
        sections=sections,
    )


def dataset_card_head(files: Mapping[str, str]) -> str:
    """Returns the Hub's front matter of a card, by which it finds the files of each split.

    Args:
        files: The pattern of the files by the split's name.
    """
    splits = "\n".join(f"  - {{split: {name}, path: {path}}}" for name, path in files.items())
    return f"""---
language: [code]
license: other
task_categories: [text-generation]
tags: [code, python]
configs:
- config_name: default
  data_files:
{splits}
---"""


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
    head = dataset_card_head({"train": "train/*.parquet", "validation": "heldout/*.parquet"})
    return f"""{head}
# Python source code

{_summary(report)}

Each document keeps its package, version, path, SPDX licence and SHA-256; `NOTICE` names all
packages. Licences: {", ".join(licences)}. {_heldout(report)}. Training has no
duplicates or near duplicates of held-out documents.

Replaced by placeholders: {replaced}.

| reason for dropping | files |
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
    return "; ".join(parts) + f"; from {len(report['packages'])} sources."


def _heldout(report: Mapping[str, Any]) -> str:
    text = describe(report["heldout"]) if "heldout" in report else "held out: whole packages"
    return text[0].upper() + text[1:]


def _share_rows(report: Mapping[str, Any]) -> list[Row]:
    shares = report.get("shares", {"tests": 0.0, "largest_packages": {}})
    named = {"tests": shares["tests"], **shares["largest_packages"]}
    return [(name, share, f"{share:.1%}") for name, share in named.items()]


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _funnel_row(stage: Mapping[str, Any]) -> Row:
    return stage["stage"], stage["documents"], f"{stage['documents']:,}"


def _size_rows(sizes: Mapping[str, int]) -> list[Row]:
    return [(f"up to {int(upto):,} bytes", n, f"{n:,}") for upto, n in sizes.items()]


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
    return "".join(render_details(reason, paths[:12]) for reason, paths in sorted(found.items()))


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
        f"{duplicates['documents']:,} documents ({duplicates['bytes'] / 1e6:,.1f} MB) were"
        f" duplicates of {duplicates['clusters']:,} others. The largest clusters:"
    )
    return f"<p>{escape(text)}</p>" + render_table(("kept", "dropped", "similarity"), rows)
