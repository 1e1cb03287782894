"""The page on what an adaptation brought."""

from evaluation.adaptation.adaptation_result import AdaptationResult, Figure
from training.artifact.adaptation.adaptation_record import AdaptationRecord
from training.foundation.charts import render_details, render_page, render_table

_MAX_NAMED = 500


def draw_page(result: AdaptationResult, record: AdaptationRecord) -> str:
    """Returns the page of a result."""
    head = ["", "before", "after", "change", "95% interval", "measured on"]
    rows = [
        _share_row("lines completed exactly", result.lines, "positions"),
        _share_row("blocks completed exactly", result.blocks, "positions"),
        _bits_row("bits per byte, files of the repository", result.bits),
        _bits_row(_name_general(record), result.general),
        _share_row("characters that suggestions typed", result.saved, "characters"),
    ]
    sections = {
        "What it brought": render_table(head, [row for row in rows if row is not None]),
        "How it was trained": render_table(["", ""], _list_settings(record)),
        "Files": _list_files("measured on, changed last", record.heldout_newest)
        + _list_files("measured on, chosen by their paths", record.heldout_by_hash)
        + _list_files("learned from", sorted(record.files)),
    }
    commit = f"Commit {record.commit}." if record.commit else "A folder without git."
    note = (
        "Every file measured on was left out of the training. The model is on this machine alone:"
        " who gets it may be able to have it write passages of the repository's code."
    )
    return render_page(
        "Adapted model", f"{result.sentence} {commit}", footnote=note, sections=sections
    )


def _name_general(record: AdaptationRecord) -> str:
    since = "" if record.origin in {"", record.base} else ", since the first adaptation"
    return f"bits per byte, other code{since}"


def _share_row(name: str, figure: Figure | None, unit: str) -> list[str] | None:
    if figure is None:
        return None
    return [
        name,
        f"{figure.before:.1%}",
        f"{figure.after:.1%}",
        f"{100 * figure.change:+.1f} points",
        f"{100 * figure.low:+.1f} to {100 * figure.high:+.1f}",
        f"{figure.n} {unit} in {figure.files} files",
    ]


def _bits_row(name: str, figure: Figure | None) -> list[str] | None:
    if figure is None:
        return None
    return [
        name,
        f"{figure.before:.3f}",
        f"{figure.after:.3f}",
        f"{figure.change:+.1%}",
        f"{figure.low:+.1%} to {figure.high:+.1%}",
        f"{figure.files} files, {figure.n} bytes",
    ]


def _list_settings(record: AdaptationRecord) -> list[list[str]]:
    return [
        ["started from", record.base],
        ["its weights (SHA-256)", record.base_sha256],
        ["steps", f"{record.steps} of {record.batch_blocks} blocks"],
        ["learning rates", f"{record.matrix_learning_rate:g} and {record.learning_rate:g}"],
        ["passes over the files", f"{record.epochs:g}"],
        ["general code mixed in", f"{record.replay_share:.0%} of the text"],
        ["change of the weights kept", f"{record.trained_share:.0%}"],
        ["speed", f"{record.tokens_per_s:,.0f} tokens per second"],
        ["time allowed", f"{record.minutes:g} minutes"],
    ]


def _list_files(title: str, paths: list[str] | tuple[str, ...]) -> str:
    more = [f"and {len(paths) - _MAX_NAMED} more"] if len(paths) > _MAX_NAMED else []
    return render_details(f"{len(paths)} {title}", [*paths[:_MAX_NAMED], *more])
