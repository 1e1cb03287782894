"""The model card: what the model was trained on, how, and how well it performs."""

from collections import Counter
from collections.abc import Mapping, Sequence
from importlib import metadata

from training.artifact.directory import RUN_CONFIG_FILE
from training.artifact.manifest import Manifest
from training.config import RunConfig
from training.foundation.config_schema import render_toml, to_mapping
from training.foundation.extras import DISTRIBUTION
from training.foundation.privacy.local_folders import strip_folders

_EVALUATION, _LIMITS = "## Evaluation\n", "## Limits"
_CARD = """---
library_name: transformers
pipeline_tag: text-generation
language: [code]
license: {licence}
tags: [{tags}]
---

# Parrotlet `{name}`

A GPT-2 with {millions:.1f}M parameters for Python completion, {origin} with
Parrotlet: {layers} layers, width {width}, context
{context} tokens, {objective}.

## Data

{counted} by licence:

| licence | documents |
|---|---|
{licences}

`NOTICE` names every package with its version and licence{and_earlier}.

The documents listed in `heldout.documents.parquet` of the shard folder, or of the run's folder
`heldout`, are held out, never trained on; the metrics below are measured on them.

## Training

{tokens:,} tokens seen in {steps} steps, {minutes:.0f} minutes
of training time, seed {seed}, commit `{commit}`,
corpus SHA-256 `{corpus}`. The resolved configuration is in `parrotlet.json`.

To go on from here, with your own data or the same, in a folder with this repository's files:

```sh
{prepare}parrotlet pretrain {run_config} pretrain.start_from={name_of_model}
```

`{run_config}` is the run's configuration, `training/pretrain.py` of Parrotlet {version} its script.
`pretrain.resume_from` continues the very run, with optimiser and place in the data, from a branch
that was published with them.

{evaluation}
{metrics}

{limits}

A small model: it completes idioms and repeats what is in the file. Suggestions may be wrong,
insecure, or close to training code; read what you accept.
"""


_PREPARE = "parrotlet prepare {run_config} pretrain.start_from={name_of_model}\n"
_TAGS = ("code", "python", "gpt2")
_INFILLING = "fill-in-the-middle in the orders PSM and SPM"
_LEFT_TO_RIGHT = "trained to continue text, without infilling"


def render_run_config(config: RunConfig) -> str:
    """Returns the config as TOML for other machines: of absolute paths, the last name alone."""
    head = "# The configuration of this training: parrotlet pretrain FILE key=value ...\n"
    return head + render_toml(strip_folders(to_mapping(config)))


def find_version() -> str:
    """Returns the version of Parrotlet that is installed; "unknown" for a bare checkout."""
    try:
        return metadata.version(DISTRIBUTION)
    except metadata.PackageNotFoundError:
        return "unknown"


def render_model_card(
    config: RunConfig,
    manifest: Manifest,
    n_parameters: int,
    licences: Counter[str],
    *,
    licence: str,
) -> str:
    """Returns the card as Markdown with the YAML header that the Hub reads.

    Args:
        config: The run's.
        manifest: The model's.
        n_parameters: Of the network.
        licences: How many training documents each has.
        licence: The model's, as the Hub spells it.
    """
    record = manifest.training
    names = {"run_config": RUN_CONFIG_FILE, "name_of_model": config.publish.repo or "FOLDER"}
    return _CARD.format(
        name=config.name,
        licence=licence,
        **_describe_origin(config),
        tags=", ".join([*_TAGS, *(["fill-in-the-middle"] if manifest.fim else [])]),
        objective=_INFILLING if manifest.fim else _LEFT_TO_RIGHT,
        millions=n_parameters / 1e6,
        layers=config.model.n_layer,
        width=config.model.n_embd,
        context=manifest.context_tokens,
        licences="\n".join(f"| {licence} | {n} |" for licence, n in licences.most_common()),
        tokens=record.tokens_seen,
        steps=record.steps,
        minutes=record.train_seconds / 60,
        seed=record.seed,
        **names,
        prepare="" if config.stream.is_wanted else _PREPARE.format(**names),
        version=find_version(),
        commit=record.commit,
        corpus=record.data_hash[:16],
        evaluation=_EVALUATION,
        limits=_LIMITS,
        metrics=_list_metrics(manifest.evaluation),
    )


def describe_average(card: str, steps: Sequence[int], evaluation: Mapping[str, float]) -> str:
    """Returns the card of one checkpoint as that of a mean.

    Args:
        card: The checkpoint's.
        steps: Those after which the weights were averaged.
        evaluation: The mean's metrics; none if it was not measured.
    """
    before, _, rest = card.partition(_EVALUATION)
    _, limits, tail = rest.partition(_LIMITS)
    note = f"The weights are the mean of those after {list_steps(steps)} steps.\n"
    measured = _list_metrics(evaluation) if evaluation else "Not measured yet."
    return f"{before}{note}\n{_EVALUATION}\n{measured}\n\n{limits}{tail}"


def _list_metrics(metrics: Mapping[str, float]) -> str:
    rows = [f"| {name} | {value:.4f} |" for name, value in sorted(metrics.items())]
    return "\n".join(["| on held-out documents | value |", "|---|---|", *rows])


def list_steps(steps: Sequence[int]) -> str:
    """Returns a list of at least two numbers in words."""
    return f"{', '.join(map(str, steps[:-1]))} and {steps[-1]}"


def _describe_origin(config: RunConfig) -> dict[str, str]:
    start = config.pretrain.start_from
    if start is None:
        return {
            "origin": "trained from scratch",
            "counted": "Python source code. Training documents",
            "and_earlier": "",
        }
    name = strip_folders(str(start))
    return {
        "origin": f"continued from `{name}`",
        "counted": f"Python source code, besides that of `{name}`. This training's documents",
        "and_earlier": f", those of `{name}` too",
    }
