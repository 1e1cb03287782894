"""Validation on the held-out packages: ``python -m training.validate MODEL --shards FOLDER``.

Prints loss, perplexity and bits per byte of an artifact; the training loop calls the same function.
Bits per byte do not depend on the vocabulary, so that models with different tokenizers compare.
"""

import argparse
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from training.artifact.extras import require_extra

if __name__ == "__main__":
    require_extra("train")  # before the imports that need it

import numpy as np
import torch
from torch import Tensor

from training.artifact.directory import TOKENIZER_FILE, load_artifact
from training.artifact.documents import Documents
from training.artifact.errors import ConfigError, run_main
from training.artifact.files import file_sha256
from training.artifact.gpt2 import GPT2
from training.artifact.tokenizer import CodeTokenizer
from training.shards.blocks import BlockReader
from training.step.loss import token_losses
from training.step.objective import to_tensors

ALL_BLOCKS = 256  # of a full validation, spread evenly over the held-out packages


@dataclass(frozen=True, kw_only=True)
class Validation:
    """Losses over a set of blocks."""

    nats: float
    tokens: int
    bytes: int

    @property
    def loss(self) -> float:
        """Nats a token."""
        return self.nats / max(1, self.tokens)

    @property
    def perplexity(self) -> float:
        """``exp(loss)``, infinite where that overflows."""
        try:
            return math.exp(self.loss)
        except OverflowError:
            return math.inf

    @property
    def bits_per_byte(self) -> float:
        """Bits a byte of text."""
        return self.nats / math.log(2) / max(1, self.bytes)


def bytes_per_token(tokenizer: CodeTokenizer) -> Tensor:
    """Returns ``[V]``: the number of bytes each token stands for."""
    return torch.tensor([len(b) for b in tokenizer.byte_table])


def evenly_spaced(n_all: int, n_wanted: int) -> list[int]:
    """Returns up to ``n_wanted`` indices spread over ``range(n_all)``."""
    n = min(n_all, n_wanted)
    return [int(i) for i in np.linspace(0, n_all, n, endpoint=False)]


def validate(
    model: GPT2,
    reader: BlockReader,
    token_bytes: Tensor,
    indices: Sequence[int],
    *,
    within_documents: bool,
) -> Validation:
    """Measures ``model`` on the given held-out blocks, a document as training saw it."""
    nats, n_tokens, n_bytes = 0.0, 0, 0
    weight = model.transformer.wte.weight
    with torch.no_grad():
        for index in indices:
            ids, firsts, _ = to_tensors(reader.blocks([index]), weight.device)
            documents = Documents(firsts[:, :-1]) if within_documents else None
            hidden = model.hidden(ids[:, :-1], documents=documents)[0]
            block = ids[0]
            nats += float(token_losses(hidden, weight, block[1:]).double().sum())
            n_tokens += len(block) - 1
            n_bytes += int(token_bytes[block[1:].cpu()].sum())
    return Validation(nats=nats, tokens=n_tokens, bytes=n_bytes)


def main(argv: Sequence[str]) -> int:
    """Prints the validation figures of an artifact."""
    parser = argparse.ArgumentParser(prog="python -m training.validate", description=__doc__)
    parser.add_argument("model", type=Path, help="an artifact directory")
    parser.add_argument("--shards", type=Path, required=True, help="a folder made by prepare")
    parser.add_argument("--blocks", type=int, default=ALL_BLOCKS, help="how many held-out blocks")
    parser.add_argument(
        "--across-documents",
        action="store_true",
        help="let attention and positions cross from one document of a block into the next",
    )
    options = parser.parse_args(argv)
    artifact = load_artifact(options.model)
    reader = BlockReader(options.shards, "heldout")
    if file_sha256(options.shards / TOKENIZER_FILE) != file_sha256(options.model / TOKENIZER_FILE):
        raise ConfigError(
            f"{options.shards} was made with another tokenizer than {options.model};"
            " prepare shards with the model's tokenizer (paths.tokenizer)"
        )
    indices = evenly_spaced(len(reader), options.blocks)
    found = validate(
        artifact.model(),
        reader,
        bytes_per_token(artifact.tokenizer),
        indices,
        within_documents=not options.across_documents,
    )
    sys.stdout.write(
        f"held-out packages, {found.tokens} tokens ({found.bytes} bytes):"
        f" loss {found.loss:.4f} nats a token, perplexity {found.perplexity:.3f},"
        f" {found.bits_per_byte:.4f} bits a byte\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(run_main(main))
