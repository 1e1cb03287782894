"""What others start from: a tokenizer alone, or a model with fresh weights.

Called by ``python -m training.publish tokenizer`` and ``fresh-model``.
"""

from collections.abc import Sequence
from pathlib import Path

import torch

from training.artifact.bundled import resolve_artifact
from training.artifact.directory import (
    CARD_FILE,
    TOKENIZER_FILE,
    read_network_config,
    save_artifact,
    save_tokenizer,
)
from training.artifact.manifest import FimTokens, Manifest, TrainingRecord
from training.artifact.network.config import EMBEDDING, GPT2Config
from training.artifact.tokenizer import CodeTokenizer
from training.autoconfig.resolve import choose_network
from training.autoconfig.sizing import DataShape
from training.config import RunConfig
from training.foundation.atomic_files import write_text_atomically
from training.foundation.config_schema import to_mapping
from training.foundation.errors import ArtifactError, ConfigError
from training.foundation.git_commit import read_commit
from training.run.model_card import render_run_config
from training.step.model import build_model

_TOKENIZER_CARD = """---
tags: [tokenizer, code, python]
---
# A tokenizer for Python source code

Byte-level BPE on GPT-2's pieces, {tokens:,} tokens, made by Parrotlet. Every text has tokens, and
decoding gives it back exactly.

```python
AutoTokenizer.from_pretrained("{repo}")
```
"""
_FRESH_CARD = """---
library_name: transformers
pipeline_tag: text-generation
tags: [code, python, gpt2]
---
# A GPT-2 to train: {millions:,.1f}M parameters, not trained yet

Fresh weights ({initialisation}, seed {seed}): {layers} layers, width {width}, context {context}
tokens, {tokens:,} tokens in the vocabulary. To train it:

```sh
parrotlet pretrain CONFIG.toml pretrain.start_from={repo}
```
"""


def write_tokenizer(source: Path, repo: str, folder: Path) -> None:
    """Writes the tokenizer of ``source`` (a folder, a model or a tokenizer.json) to publish it.

    Raises:
        ArtifactError: There is none.
    """
    source = resolve_artifact(source)
    file = source / TOKENIZER_FILE if source.is_dir() else source
    tokenizer = CodeTokenizer.load(file)
    try:
        config = read_network_config(file.parent)
    except ArtifactError:  # of a tokenizer's own folder, which has no network
        config = GPT2Config(vocab_size=tokenizer.vocab_size)
    save_tokenizer(folder, tokenizer, config)
    card = _TOKENIZER_CARD.format(tokens=tokenizer.vocab_size, repo=repo)
    write_text_atomically(folder / CARD_FILE, card)


def write_fresh_model(config: RunConfig, overrides: Sequence[str], repo: str, folder: Path) -> None:
    """Writes an artifact with the config's network, its tokenizer and fresh weights.

    Args:
        config: Its ``size`` chooses the network, as for a training.
        overrides: What was set on the command line, which ``size`` does not change.
        repo: The repository that the card names.
        folder: Where to write it.

    Raises:
        ArtifactError: The config's tokenizer is missing.
        ConfigError: The config starts from trained weights, or the network is too large for this
            machine.
    """
    start = config.pretrain.start_from
    if start is not None:
        raise ConfigError(
            f"pretrain.start_from is {start}, so the weights would not be fresh; name a config"
            " without that setting, or publish a trained model with: parrotlet publish model"
        )
    tokenizer = CodeTokenizer.load(config.tokenizer_folder / TOKENIZER_FILE)
    context, settings = config.shards.block_tokens, config.pretrain
    data = DataShape(vocab_size=tokenizer.vocab_size, block_tokens=context)
    config = choose_network(config, overrides, data)
    network = config.model.gpt2(vocab_size=tokenizer.vocab_size, n_positions=context)
    model = build_model(network, settings, torch.device("cpu"))
    card = _FRESH_CARD.format(
        millions=model.n_parameters() / 1e6,
        initialisation=settings.initialisation,
        seed=settings.seed,
        layers=network.n_layer,
        width=network.n_embd,
        context=context,
        tokens=tokenizer.vocab_size,
        repo=repo,
    )
    record = TrainingRecord(config=to_mapping(config), commit=read_commit(), seed=settings.seed)
    save_artifact(
        folder,
        config=network,
        weights={**model.state_dict(), EMBEDDING: model.output_weight},
        tokenizer=tokenizer,
        manifest=Manifest(
            context_tokens=context,
            fim=FimTokens() if config.shards.fim.rate else None,
            training=record,
        ),
        card=card,
        run_config=render_run_config(config),
        dtype=torch.float32,
    )
