"""Computes the corpus report from the sources' reports and the selection.

Nothing is decided or written here. Called by :mod:`training.corpus.output.corpus_folder`.
"""

from collections import Counter
from collections.abc import Mapping, Sequence

from training.corpus.extraction.source_report import SourceReport
from training.corpus.filters.sampling_weights import is_test
from training.corpus.filters.screening import MAX_EXAMPLES
from training.corpus.output.corpus_report import (
    DuplicateCluster,
    DuplicateExample,
    DuplicatesReport,
    FunnelStage,
    HeldoutReport,
    PackageReport,
    ShareReport,
    SizeTotals,
    limit_size,
)
from training.corpus.selection.balance import BALANCE_REASONS
from training.corpus.selection.selection import (
    EXACT,
    NEAR,
    NEAR_HELDOUT,
    Selection,
    group_duplicates,
)
from training.corpus_reader import HELDOUT, TRAIN

CLUSTERS_SHOWN = 20
PACKAGES_SHOWN = 10


def report_funnel(selection: Selection, n_files: int) -> tuple[FunnelStage, ...]:
    """Returns how many documents are left after each stage."""
    left = len(selection.index)
    stages = [
        FunnelStage(stage="files", documents=n_files),
        FunnelStage(stage="passed the filters", documents=left),
    ]
    reasons = Counter(dropped.reason for dropped in selection.dropped.values())
    for stage, names in (
        ("without exact duplicates", (EXACT,)),
        ("without near duplicates", (NEAR, NEAR_HELDOUT)),
        ("balanced", BALANCE_REASONS),
    ):
        left -= sum(reasons[name] for name in names)
        stages.append(FunnelStage(stage=stage, documents=left))
    return tuple(stages)


def report_sizes(selection: Selection) -> dict[str, int]:
    """Returns how many kept documents have up to 1, 2, 4, ... KiB."""
    counts: Counter[int] = Counter()
    for index, n_bytes in enumerate(selection.index.n_bytes):
        if index not in selection.dropped:
            counts[limit_size(n_bytes)] += 1
    return {str(limit): n for limit, n in sorted(counts.items())}


def report_licences(selection: Selection) -> dict[str, SizeTotals]:
    """Returns the kept documents by licence, both splits together."""
    documents: Counter[str] = Counter()
    n_bytes: Counter[str] = Counter()
    for index, licence in enumerate(selection.index.licence):
        if index not in selection.dropped:
            documents[licence] += 1
            n_bytes[licence] += selection.index.n_bytes[index]
    return {
        name: SizeTotals(documents=n, bytes=n_bytes[name]) for name, n in sorted(documents.items())
    }


def report_packages(
    reports: Sequence[SourceReport], selection: Selection
) -> tuple[PackageReport, ...]:
    """Returns the sources' reports with what the selection made of them, the largest first."""
    packages = [_report_package(r, number, selection) for number, r in enumerate(reports)]
    return tuple(sorted(packages, key=lambda p: (-p.kept_bytes, p.package)))


def _report_package(report: SourceReport, number: int, selection: Selection) -> PackageReport:
    index = selection.index
    documents = selection.by_part.get(number, ())
    kept = [i for i in documents if i not in selection.dropped]
    splits = {HELDOUT if selection.is_heldout[i] else TRAIN for i in documents}
    drops = Counter(report.drops)
    examples = {reason: list(paths) for reason, paths in report.examples.items()}
    for i in documents:
        dropped = selection.dropped.get(i)
        if dropped is not None:
            drops[dropped.reason] += 1
            shown = examples.setdefault(dropped.reason, [])
            if len(shown) < MAX_EXAMPLES:
                shown.append(index.path[i])
    counted = {**vars(report), "drops": dict(sorted(drops.items()))}
    counted["examples"] = {reason: tuple(paths) for reason, paths in examples.items()}
    return PackageReport(
        **counted,
        split=" and ".join(sorted(splits, reverse=True)) or TRAIN,
        kept_files=len(kept),
        kept_bytes=sum(index.n_bytes[i] for i in kept),
    )


def sum_counts(counts: Sequence[Mapping[str, int]]) -> dict[str, int]:
    """Adds up counts by key."""
    total: Counter[str] = Counter()
    for one in counts:
        total.update(one)
    return dict(sorted(total.items()))


def report_heldout(selection: Selection) -> HeldoutReport:
    """Returns what is held out, and how it was chosen."""
    index = selection.index
    kept = [i for i in range(len(index)) if i not in selection.dropped]
    heldout = [i for i in kept if selection.is_heldout[i]]
    n_bytes, n_all = (sum(index.n_bytes[i] for i in of) for of in (heldout, kept))
    return HeldoutReport(
        by=selection.heldout.by,
        packages=tuple(sorted({index.package[i] for i in heldout})),
        documents=len(heldout),
        bytes=n_bytes,
        share=round(n_bytes / max(1, n_all), 4),
        missing=selection.heldout.missing,
    )


def report_shares(selection: Selection) -> ShareReport:
    """Returns the shares of tests and of the largest packages in the training text."""
    index = selection.index
    packages: Counter[str] = Counter()
    n_tests = 0
    for i, n_bytes in enumerate(index.n_bytes):
        if i not in selection.dropped and not selection.is_heldout[i]:
            packages[index.package[i]] += n_bytes
            n_tests += n_bytes * is_test(index.path[i])
    n_all = max(1, packages.total())
    largest = {name: round(n / n_all, 4) for name, n in packages.most_common(PACKAGES_SHOWN)}
    return ShareReport(tests=round(n_tests / n_all, 4), largest_packages=largest)


def report_duplicates(selection: Selection) -> DuplicatesReport:
    """Returns how many documents were dropped as duplicates, and the largest clusters."""
    groups = group_duplicates(selection)
    largest = tuple(
        DuplicateCluster(
            kept=_name_document(selection, kept),
            dropped=len(members),
            examples=tuple(
                DuplicateExample(
                    document=_name_document(selection, i),
                    similarity=selection.dropped[i].similarity,
                )
                for i in members[:MAX_EXAMPLES]
            ),
        )
        for kept, members in list(groups.items())[:CLUSTERS_SHOWN]
    )
    n_bytes = sum(selection.index.n_bytes[i] for members in groups.values() for i in members)
    return DuplicatesReport(
        clusters=len(groups),
        documents=sum(map(len, groups.values())),
        bytes=n_bytes,
        largest=largest,
    )


def _name_document(selection: Selection, index: int) -> str:
    return f"{selection.index.package[index]}: {selection.index.path[index]}"
