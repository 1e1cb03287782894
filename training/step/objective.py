"""What training minimises: the next token's loss, within documents, told apart by kind of piece.

Tensor legend: B blocks, T tokens of a block.
"""

import numpy as np
import torch
from torch import Tensor, nn

from training.artifact.network.document_spans import DocumentSpans
from training.artifact.network.gpt2 import GPT2
from training.shards.blocks import Blocks
from training.step.loss import IGNORED, next_token_loss

KINDS = ("left_to_right", "fim")


class LossModule(nn.Module):
    """The network with its loss as one forward pass, which data parallelism can wrap.

    Args:
        model: The network.
        within_documents: Whether attention and positions end at a document's edge.
        n_slices: Of the rare tokens in the loss' gradient (``training.step.loss``).
    """

    def __init__(self, model: GPT2, *, within_documents: bool, n_slices: int) -> None:
        super().__init__()
        self.model = model
        self.within_documents = within_documents
        self.n_slices = n_slices

    def forward(self, ids: Tensor, firsts: Tensor, is_fim: Tensor) -> tuple[Tensor, Tensor]:
        """Returns the mean loss in nats, and for each of ``KINDS`` the sum and the number.

        Args:
            ids: ``[B, T]``.
            firsts: ``[B, T]``, where each token's document begins in its block.
            is_fim: ``[B, T]``, whether the token is of a piece split for infilling.
        """
        # Rows of one document come first, so that attention takes them together.
        order = firsts[:, -1].argsort(stable=True)
        ids, firsts, is_fim = ids[order], firsts[order], is_fim[order]
        documents = DocumentSpans(firsts) if self.within_documents else None
        hidden = self.model.hidden(ids, documents=documents)  # [B, T, C]
        weight = self.model.transformer.wte.weight
        targets = ids.roll(-1, dims=1)
        targets[:, -1] = IGNORED  # kept: whole rows are faster than rows of T - 1
        loss, losses = next_token_loss(hidden, weight, targets, n_slices=self.n_slices)
        counted, fim = targets != IGNORED, is_fim.roll(-1, dims=1)
        kinds = (counted & ~fim, counted & fim)
        sums = [torch.stack([(losses * kind).sum(), kind.sum()]) for kind in kinds]
        return loss, torch.stack(sums)  # [2, 2]


def to_tensors(blocks: Blocks, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Returns ids, firsts and kinds on ``device``, as :class:`LossModule` takes them."""
    arrays = (blocks.ids, blocks.firsts, blocks.is_fim)
    ids, firsts, is_fim = (torch.from_numpy(np.ascontiguousarray(a)).to(device) for a in arrays)
    return ids, firsts, is_fim
