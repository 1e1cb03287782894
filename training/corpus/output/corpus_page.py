"""The corpus report as a self-contained page, ``report.html``.

Rendered from the report alone. Called by :mod:`training.corpus.output.corpus_folder`; and by
``training.prepare``, which renders it again with token counts beside the shards.
"""

from collections.abc import Mapping, Sequence
from html import escape

from training.corpus.output.corpus_report import (
    CorpusReport,
    DuplicatesReport,
    PackageReport,
    ShareReport,
    SizeTotals,
)
from training.foundation.charts import (
    Row,
    rank_counts,
    render_bars,
    render_details,
    render_page,
    render_table,
)

_MAX_PACKAGES = 30
_MAX_NAME_CHARS = 34
_EXAMPLES_PER_PACKAGE, _MAX_EXAMPLES = 2, 12


def render_corpus_page(
    report: CorpusReport, tokens: Mapping[str, Mapping[str, int]] | None = None
) -> str:
    """Returns the page.

    Args:
        report: The report.
        tokens: Token counts by split, package and licence; None before the shards are made.
    """
    funnel: list[Row] = [(s.stage, s.documents, f"{s.documents:,}") for s in report.funnel]
    sections = {
        "From files to documents": render_bars(funnel),
        "Why files were dropped": render_bars(rank_counts(report.drops)) + _render_examples(report),
        "Held out": f"<p>{escape(describe_heldout(report))}</p>",
        "Shares of the text to train on": render_bars(_list_shares(report.shares)),
        "Document sizes": render_bars(
            [(f"up to {int(size):,} bytes", n, f"{n:,}") for size, n in report.sizes.items()]
        ),
        "Licences": render_table(("licence", "documents", "MB"), _list_licences(report.licences)),
        "Packages": render_bars(_list_packages(report.packages)),
        "Duplicates": _render_duplicates(report.duplicates),
        "Secrets and addresses replaced by placeholders": render_bars(
            rank_counts(report.redactions)
        ),
    }
    for what, counts in (tokens or {}).items():
        sections[f"Tokens by {what}"] = render_bars(rank_counts(counts, most=_MAX_PACKAGES))
    return render_page(
        "Corpus",
        summarize(report),
        footnote=f"SHA-256 {report.corpus_sha256}",
        sections=sections,
    )


def summarize(report: CorpusReport) -> str:
    """Returns one sentence: the size of the splits, and the number of sources."""
    splits = [
        f"{split}: {totals.documents:,} documents, {totals.bytes / 1e6:,.1f} MB"
        for split, totals in report.splits.items()
    ]
    return "; ".join(splits) + f"; from {len(report.packages)} sources."


def describe_heldout(report: CorpusReport) -> str:
    """Returns the sentence about the held-out split, for the page and the card."""
    if report.heldout is None:
        return "Held out: whole packages"
    text = report.heldout.describe()
    return text[0].upper() + text[1:]


def _list_shares(shares: ShareReport) -> list[Row]:
    named = {"tests": shares.tests, **shares.largest_packages}
    return [(name, share, f"{share:.1%}") for name, share in named.items()]


def _list_licences(licences: Mapping[str, SizeTotals]) -> list[tuple[str, str, str]]:
    rows = sorted(licences.items(), key=lambda item: -item[1].bytes)
    return [(name, f"{t.documents:,}", f"{t.bytes / 1e6:,.1f}") for name, t in rows]


def _list_packages(packages: Sequence[PackageReport]) -> list[Row]:
    return [
        (
            f"{p.package} {p.version}"[:_MAX_NAME_CHARS],
            p.kept_bytes,
            f"{p.kept_bytes / 1e6:,.1f} MB",
        )
        for p in packages[:_MAX_PACKAGES]
        if p.kept_bytes
    ]


def _render_examples(report: CorpusReport) -> str:
    found: dict[str, list[str]] = {}
    for package in report.packages:
        for reason, paths in package.examples.items():
            shown = found.setdefault(reason, [])
            shown += [f"{package.package}: {path}" for path in paths[:_EXAMPLES_PER_PACKAGE]]
    return "".join(
        render_details(reason, paths[:_MAX_EXAMPLES]) for reason, paths in sorted(found.items())
    )


def _render_duplicates(duplicates: DuplicatesReport) -> str:
    rows = [
        (
            cluster.kept,
            str(cluster.dropped),
            ", ".join(str(example.similarity or "equal") for example in cluster.examples),
        )
        for cluster in duplicates.largest
    ]
    text = (
        f"{duplicates.documents:,} documents ({duplicates.bytes / 1e6:,.1f} MB) were"
        f" duplicates of {duplicates.clusters:,} others. The largest clusters:"
    )
    return f"<p>{escape(text)}</p>" + render_table(("kept", "dropped", "similarity"), rows)
