"""Validation on held-out documents: ``python -m training.validate MODEL --shards FOLDER``.

Prints loss, perplexity and bits per byte of an artifact; the training loop calls the same function.
Bits per byte do not depend on the vocabulary, so models with different tokenizers can be compared.
"""

import argparse
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from training.foundation.extras import require_extra

if __name__ == "__main__":
    require_extra("train")  # before the imports that need it

import numpy as np
import torch
from torch import Tensor

from training.artifact.directory import TOKENIZER_FILE, Artifact, load_artifact
from training.artifact.network.document_spans import DocumentSpans
from training.artifact.network.gpt2 import GPT2
from training.artifact.tokenizer import CodeTokenizer
from training.config import PretrainConfig
from training.foundation.command_parser import command_parser, whole_number
from training.foundation.errors import ConfigError, run_main
from training.shards.blocks import BlockReader
from training.step.loss import token_losses
from training.step.objective import to_tensors

GPU_BATCH_BLOCKS = 8


@dataclass(frozen=True, kw_only=True)
class Validation:
    """Losses over a set of blocks."""

    nats: float
    tokens: int
    bytes: int

    @property
    def loss(self) -> float:
        """Nats per token; NaN if nothing was measured."""
        return self.nats / self.tokens if self.tokens else math.nan

    @property
    def perplexity(self) -> float:
        """``exp(loss)``, or infinity if that overflows."""
        try:
            return math.exp(self.loss)
        except OverflowError:
            return math.inf

    @property
    def bits_per_byte(self) -> float:
        """Bits per byte of text; NaN if nothing was measured."""
        return self.nats / math.log(2) / self.bytes if self.bytes else math.nan


def count_token_bytes(tokenizer: CodeTokenizer) -> Tensor:
    """Returns the number of bytes of each token, ``[V]``."""
    return torch.tensor([len(b) for b in tokenizer.byte_table])


def spread_indices(n_all: int, n_most: int) -> list[int]:
    """Returns up to ``n_most`` indices spread evenly over ``range(n_all)``."""
    n = min(n_all, n_most)
    return [int(i) for i in np.linspace(0, n_all, n, endpoint=False)]


def validate(
    model: GPT2,
    reader: BlockReader,
    token_bytes: Tensor,
    indices: Sequence[int],
    *,
    within_documents: bool,
) -> Validation:
    """Measures ``model`` on held-out blocks, with the attention boundaries of training."""
    by_block = measure_blocks(model, reader, indices, within_documents=within_documents)
    return summarise_blocks(by_block.tolist(), reader, token_bytes, indices)


def measure_blocks(
    model: GPT2, reader: BlockReader, indices: Sequence[int], *, within_documents: bool
) -> Tensor:
    """Returns the sum of each block's losses in nats, float64 ``[N]`` on the model's device.

    A GPU takes several blocks at once. A CPU takes one: it is no slower, and a block's loss does
    not depend on which others are measured, not even in its last bit.
    """
    weight = model.output_weight
    size = 1 if weight.device.type == "cpu" else GPU_BATCH_BLOCKS
    found = []
    with torch.no_grad():
        for start in range(0, len(indices), size):
            blocks = reader.read_blocks(list(indices[start : start + size]))
            ids, firsts, *_ = to_tensors(blocks, weight.device)
            documents = DocumentSpans(firsts[:, :-1]) if within_documents else None
            hidden = model.compute_hidden(ids[:, :-1], documents=documents)  # [B, T - 1, C]
            losses = token_losses(hidden.flatten(0, 1), weight, ids[:, 1:].flatten())
            by_block = losses.view(len(ids), -1)
            if weight.device.type == "mps":  # which knows no float64
                by_block = by_block.cpu()
            found.append(by_block.double().sum(1))
    return torch.cat(found) if found else torch.zeros(0, dtype=torch.float64)


def summarise_blocks(
    nats: Sequence[float], reader: BlockReader, token_bytes: Tensor, indices: Sequence[int]
) -> Validation:
    """Returns the measure of all blocks from the sums of each."""
    n_tokens, n_bytes = 0, 0
    for index in indices:
        targets = torch.from_numpy(reader.read_blocks([index]).ids[0, 1:].astype(np.int64))
        n_tokens += len(targets)
        n_bytes += int(token_bytes[targets].sum())
    return Validation(nats=float(sum(nats)), tokens=n_tokens, bytes=n_bytes)


def main(argv: Sequence[str]) -> int:
    """Prints the validation metrics of an artifact."""
    options = _parser().parse_args(argv)
    artifact = load_artifact(options.model)
    found = validate_artifact(
        artifact,
        open_heldout_blocks(options.shards, artifact),
        n_blocks=options.blocks,
        device=select_device(options.device),
        within_documents=not options.across_documents,
    )
    sys.stdout.write(
        f"held-out documents, {found.tokens} tokens ({found.bytes} bytes):"
        f" loss {found.loss:.4f} nats per token, perplexity {found.perplexity:.3f},"
        f" {found.bits_per_byte:.4f} bits per byte\n"
    )
    return 0


def open_heldout_blocks(shards: Path, artifact: Artifact) -> BlockReader:
    """Opens held-out blocks that an artifact can be measured on.

    Raises:
        ConfigError: They were prepared for another tokenizer, or have too many tokens.
    """
    reader = BlockReader(shards, "heldout")
    if CodeTokenizer.load(shards / TOKENIZER_FILE).sha256 != artifact.tokenizer.sha256:
        raise ConfigError(
            f"{shards} was prepared with another tokenizer than {artifact.path} has;"
            f" prepare shards with: parrotlet prepare CONFIG paths.tokenizer={artifact.path}"
        )
    if reader.block_tokens > artifact.context_tokens:
        raise ConfigError(
            f"{shards} has blocks of {reader.block_tokens} tokens, but {artifact.path}"
            f" reads at most {artifact.context_tokens}; prepare shards with: parrotlet prepare"
            f" CONFIG paths.tokenizer={artifact.path} shards.block_tokens={artifact.context_tokens}"
        )
    return reader


def validate_artifact(
    artifact: Artifact,
    reader: BlockReader,
    *,
    n_blocks: int,
    device: torch.device,
    within_documents: bool,
) -> Validation:
    """Measures an artifact on up to ``n_blocks`` held-out blocks, spread evenly."""
    return validate(
        artifact.model().to(device),
        reader,
        count_token_bytes(artifact.tokenizer),
        spread_indices(len(reader), n_blocks),
        within_documents=within_documents,
    )


def select_device(name: str) -> torch.device:
    """Returns the device that ``--device`` means; "auto" is a GPU if there is one.

    Raises:
        ConfigError: PyTorch finds no such device here.
    """
    found = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    if name == "auto":
        return found or torch.device("cpu")
    if name != "cpu" and (found is None or found.type != name):
        raise ConfigError(
            f"--device is {name}, but PyTorch finds no such device here; use --device auto, or"
            " install a build of PyTorch for it"
        )
    return torch.device(name)


def _parser() -> argparse.ArgumentParser:
    parser = command_parser(
        "training.validate",
        "Measure a model on the held-out documents of prepared shards: loss, perplexity, and bits\n"
        "per byte, which do not depend on the tokenizer.",
        example="{prog} runs/default/run/model --shards runs/default/shards",
    )
    parser.add_argument("model", type=Path, metavar="MODEL", help="a model folder, or 'bundled'")
    parser.add_argument(
        "--shards",
        type=Path,
        required=True,
        metavar="FOLDER",
        help="shards prepared with the model's tokenizer",
    )
    parser.add_argument(
        "--blocks",
        type=whole_number(1),
        default=PretrainConfig().final_validation_blocks,
        metavar="N",
        help="how many blocks to measure, spread evenly (default: %(default)s)",
    )
    parser.add_argument(
        "--device",
        choices=("auto", "cpu", "cuda", "mps"),
        default="auto",
        help="where the model runs (default: a GPU if there is one)",
    )
    parser.add_argument(
        "--across-documents",
        action="store_true",
        help="let attention cross from one document of a block into the next",
    )
    return parser


if __name__ == "__main__":
    sys.exit(run_main(main))
