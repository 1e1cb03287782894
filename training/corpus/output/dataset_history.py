"""How a corpus was made, for its cards: sources, filters, and what was dropped.

Names no folder of the machine: of paths, the last name alone. Rendered from the report; called by
:mod:`training.corpus.output.dataset_card` and :mod:`training.publish.corpus_datasets`.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePath
from typing import Any

from training.corpus.output.corpus_report import CorpusReport

_MAX_NAMES = 20  # of a kind of source
_SOURCES = {  # key of the config: how its entries are called
    "folders": "folders",
    "git": "git repositories",
    "archives": "archives",
    "lock": "packages pinned by hash in",
    "installed": "installed packages",
    "stdlib": "parts of Python's standard library",
    "records": "files of records",
    "hub": "datasets of the Hub",
    "datasets": "parts of datasets of the Hub",
}
_PUBLIC_NAMES = {"installed", "stdlib"}  # names that are no paths
_DATASETS = {"hub", "datasets"}  # names of the Hub, or folders


def render_history(report: CorpusReport) -> str:
    """Returns the sections of a card on how the corpus was made, as Markdown."""
    sources = "\n".join(f"- {line}" for line in _describe_sources(report.config)) or "- none named"
    filters = "\n".join(f"| {name} | {value} |" for name, value in _list_filters(report.config))
    stages = "\n".join(f"| {escape_cell(s.stage)} | {s.documents:,} |" for s in report.funnel)
    drops = "\n".join(f"| {escape_cell(reason)} | {n:,} |" for reason, n in report.drops.items())
    replaced = ", ".join(f"{kind} {n:,}" for kind, n in report.redactions.items()) or "nothing"
    return f"""## How it was made

Sources:

{sources}

| filter | setting |
|---|---|
{filters}

| documents of both splits after | number |
|---|---|
{stages}

| reason for dropping | files |
|---|---|
{drops}

Replaced by placeholders: {escape_cell(replaced)}."""


def _describe_sources(config: Mapping[str, Any]) -> Iterator[str]:
    found = config.get("sources")
    for key, what in _SOURCES.items():
        entries = found.get(key) if isinstance(found, Mapping) else None
        names = [entries] if isinstance(entries, str) else entries
        if not isinstance(names, Sequence) or not names:
            continue
        shown = [escape_cell(_show_source(key, entry)) for entry in names[:_MAX_NAMES]]
        more = f" and {len(names) - _MAX_NAMES} more" if len(names) > _MAX_NAMES else ""
        yield f"{what}: {', '.join(shown)}{more}"


def _show_source(key: str, entry: Any) -> str:
    name = str(entry.get("name") if isinstance(entry, Mapping) else entry)
    is_public = key in _PUBLIC_NAMES or (key in _DATASETS and _is_hub_name(name))
    return name if is_public else PurePath(name).name


def _is_hub_name(name: str) -> bool:
    dataset = name.partition("@")[0]
    return (
        dataset.count("/") <= 1 and "\\" not in dataset and not dataset.startswith(("/", ".", "~"))
    )


def _list_filters(config: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yields the settings that decide what is kept, in words of the config."""
    filters = config.get("filters")
    if isinstance(filters, Mapping):
        set_here = {k: v for k, v in filters.items() if v is not None and v is not False}
        yield from ((escape_cell(str(key)), _show(value)) for key, value in set_here.items())
    for key in ("licences", "decontaminate", "near_duplicate_similarity"):
        value = config.get(key)
        if value:
            yield key, _show(value)


def _show(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return ", ".join(_show(item) for item in value)
    return escape_cell(PurePath(value).name if isinstance(value, str) else str(value))


def escape_cell(text: str) -> str:
    """Returns a text that stays in its cell of a Markdown table."""
    return text.replace("|", "\\|").replace("\n", " ")
