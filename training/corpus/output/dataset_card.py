"""The dataset card: the README of a corpus, with the Hub's front matter.

Rendered from the report alone. Called by :mod:`training.corpus.output.corpus_folder`; the front
matter also by :mod:`training.publish.corpus_datasets`.
"""

from collections.abc import Mapping

from training.corpus.output.corpus_page import describe_heldout, summarize
from training.corpus.output.corpus_report import CorpusReport
from training.corpus.output.dataset_history import escape_cell, render_history


def render_front_matter(files: Mapping[str, str]) -> str:
    """Returns the front matter, from which the Hub knows the files of each split.

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


def render_dataset_card(report: CorpusReport) -> str:
    """Returns the README of the corpus as a dataset."""
    rows = "\n".join(
        f"| {escape_cell(p.package)} | {escape_cell(p.version)} | {escape_cell(p.licence)}"
        f" | {p.split} | {p.kept_files} | {p.kept_bytes / 1e6:.1f} |"
        for p in report.packages
        if p.kept_files
    )
    licences = ", ".join(sorted(report.licences))
    has_near = report.config.get("near_duplicate_similarity") is not None
    absent = "duplicates or near duplicates" if has_near else "exact duplicates"
    head = render_front_matter({"train": "train/*.parquet", "validation": "heldout/*.parquet"})
    return f"""{head}
# Python source code

{summarize(report)}

Each document keeps its package, version, path, SPDX licence and SHA-256; `NOTICE` names all
packages. Licences: {licences}. {describe_heldout(report)}. Training has no
{absent} of held-out documents.

{render_history(report)}

## Packages

| package | version | licence | split | files | MB |
|---|---|---|---|---|---|
{rows}
"""
