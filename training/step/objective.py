"""What training minimises: the next token's loss within documents, also summed by kind of piece.

Tensor legend: B blocks, T tokens of a block.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from training.artifact.network.document_spans import DocumentSpans
from training.artifact.network.gpt2 import GPT2
from training.config import PretrainConfig
from training.shards.blocks import Blocks
from training.step.loss import IGNORED, next_token_loss

KINDS = ("left_to_right", "fim")  # of pieces: whole, or split for infilling


class LossModule(nn.Module):
    """The network and its loss as one forward pass, which data parallelism can wrap.

    Args:
        model: The network.
        settings: Whether attention and positions end at document boundaries, and how the gradient
            samples rare tokens (``training.step.loss``).
    """

    def __init__(self, model: GPT2, settings: PretrainConfig) -> None:
        super().__init__()
        self.model = model
        self.within_documents = settings.within_documents
        self.n_slices = settings.rare_token_slices

    def forward(self, ids: Tensor, firsts: Tensor, is_fim: Tensor) -> tuple[Tensor, Tensor]:
        """Returns the mean loss in nats, and for each of ``KINDS`` the sum and the count.

        Args:
            ids: ``[B, T]``.
            firsts: ``[B, T]``, where each token's document begins in its block.
            is_fim: ``[B, T]``, whether the token's piece is split for infilling.
        """
        # Sorted so that rows with a single document are adjacent: attention takes them together.
        order = firsts[:, -1].argsort(stable=True)
        ids, firsts, is_fim = ids[order], firsts[order], is_fim[order]
        documents = DocumentSpans(firsts) if self.within_documents else None
        hidden = self.model.compute_hidden(ids, documents=documents)  # [B, T, C]
        weight = self.model.transformer.wte.weight
        targets = ids.roll(-1, dims=1)
        targets[:, -1] = IGNORED  # not dropped: rows of T are faster than rows of T - 1
        loss, losses = next_token_loss(
            hidden,
            weight,
            targets,
            n_slices=self.n_slices,
            n_tokens=self.model.config.vocab_size,
        )
        counted, fim = targets != IGNORED, is_fim.roll(-1, dims=1)
        kinds = (counted & ~fim, counted & fim)
        sums = [torch.stack([(losses * kind).sum(), kind.sum()]) for kind in kinds]
        return loss, torch.stack(sums)  # [2, 2]


@dataclass(frozen=True, kw_only=True)
class MeanLosses:
    """Mean losses of one step over all processes; None for a kind that did not occur."""

    total: float
    left_to_right: float | None
    fim: float | None


def average_losses(sums: Tensor) -> MeanLosses:
    """Returns the means of ``[2, 2]`` sums and counts, as :meth:`LossModule.forward` makes them."""
    sums = sums.cpu().double()
    total, count = sums.sum(0).tolist()
    left_to_right, fim = (float(s / n) if n > 0 else None for s, n in sums)
    return MeanLosses(total=total / count, left_to_right=left_to_right, fim=fim)


def to_tensors(blocks: Blocks, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Returns ids, firsts and kinds on ``device``: the arguments of :class:`LossModule`."""
    arrays = (blocks.ids, blocks.firsts, blocks.is_fim)
    ids, firsts, is_fim = (torch.from_numpy(np.ascontiguousarray(a)).to(device) for a in arrays)
    return ids, firsts, is_fim
