"""The model card: what the model was trained on, how, and how well it does."""

from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq

from training.artifact.manifest import Manifest
from training.config import RunConfig


def model_card(config: RunConfig, manifest: Manifest, n_parameters: int) -> str:
    """Returns the card as Markdown with the Hub's YAML head."""
    licences = _licences(config.paths.shards / "train.documents.parquet")
    record = manifest.training
    figures = "\n".join(f"| {n} | {v:.4f} |" for n, v in sorted(manifest.evaluation.items()))
    rows = "\n".join(f"| {licence} | {n} |" for licence, n in licences)
    return f"""---
library_name: transformers
pipeline_tag: text-generation
language: [code]
license: apache-2.0
tags: [code, python, gpt2, fill-in-the-middle]
---

# Parrotlet `{config.name}`

A GPT-2 of {n_parameters / 1e6:.1f}M parameters for Python completion, trained from scratch by
Parrotlet. {config.model.n_layer} layers, width {config.model.n_embd}, context
{manifest.context_tokens} tokens, fill-in-the-middle in the orders PSM and SPM.

## Data

Permissively licensed Python source, split by whole package; documents by licence:

| licence | documents |
|---|---|
{rows}

Held out, never trained on: the packages whose documents stand in `heldout.documents.parquet` of the
shard folder; the figures below are measured on them.

## Training

{record.tokens_seen:,} tokens seen in {record.steps} steps, {record.train_seconds / 60:.0f} minutes
of training time, seed {record.seed}, commit `{record.commit}`,
corpus SHA-256 `{record.data_hash[:16]}`. The resolved configuration stands in `parrotlet.json`.

## Figures

| on held-out packages | value |
|---|---|
{figures}

## Limits

A small model: it completes idioms and repeats what stands in the file. Its suggestions may be
wrong, insecure, or close to training code; read what you accept.
"""


def _licences(documents: Path) -> list[tuple[str, int]]:
    column = pq.read_table(documents, columns=["licence"])["licence"]
    return Counter(column.to_pylist()).most_common()
