"""What training minimises: the next token's loss within documents, also summed by kind of piece.

With a teacher, it is for some documents the divergence from what the teacher predicts.

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
from training.step.distillation import Teacher, compute_divergence
from training.step.loss import IGNORED, next_token_loss

# Of pieces: whole, split for infilling, or compared with a teacher.
KINDS = ("left_to_right", "fim", "distilled")


class LossModule(nn.Module):
    """The network and its loss as one forward pass, which data parallelism can wrap.

    Args:
        model: The network.
        settings: Whether attention and positions end at document boundaries, and how the gradient
            samples rare tokens (``training.step.loss``).
        teacher: The model whose predictions it is trained to keep on some documents, if any.
    """

    def __init__(
        self, model: GPT2, settings: PretrainConfig, teacher: Teacher | None = None
    ) -> None:
        super().__init__()
        self.model = model
        self.within_documents = settings.within_documents
        self.n_slices = settings.rare_token_slices
        self.teacher = teacher

    def forward(
        self, ids: Tensor, firsts: Tensor, is_fim: Tensor, is_distilled: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Returns the mean loss in nats, and for each of ``KINDS`` the sum and the count.

        Args:
            ids: ``[B, T]``.
            firsts: ``[B, T]``, where each token's document begins in its block.
            is_fim: ``[B, T]``, whether the token's piece is split for infilling.
            is_distilled: ``[B, T]``, whether the prediction after the token is compared with the
                teacher's; None without a teacher.
        """
        # Sorted so that rows with a single document are adjacent: attention takes them together.
        order = firsts[:, -1].argsort(stable=True)
        ids, firsts, is_fim = ids[order], firsts[order], is_fim[order]
        hidden = self.model.compute_hidden(ids, documents=self._spans(firsts))  # [B, T, C]
        targets = ids.roll(-1, dims=1)
        targets[:, -1] = IGNORED  # not dropped: rows of T are faster than rows of T - 1
        if self.teacher is None or is_distilled is None:
            loss, sums = self._compute_text_loss(hidden, targets, is_fim)
            return loss, torch.cat([sums, torch.zeros_like(sums[:1])])
        is_distilled = is_distilled[order] & (targets != IGNORED)
        targets = targets.masked_fill(is_distilled, IGNORED)
        parts, sums = [], torch.zeros(len(KINDS), 2, device=ids.device)
        rows = (targets != IGNORED).any(1)
        if rows.any():
            mean, sums[:-1] = self._compute_text_loss(hidden[rows], targets[rows], is_fim[rows])
            parts.append(mean * sums[:-1, 1].sum())
        if is_distilled.any():
            mean, sums[-1] = self._compute_teacher_loss(
                self.teacher, hidden, ids, firsts, is_distilled
            )
            parts.append(mean * sums[-1, 1] * self.teacher.weight)
        return torch.stack(parts).sum() / sums[:, 1].sum(), sums

    def _compute_text_loss(
        self, hidden: Tensor, targets: Tensor, is_fim: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Returns the mean loss against ``targets``, and ``[2, 2]``: sum and count by kind."""
        loss, losses = next_token_loss(
            hidden,
            self.model.transformer.wte.weight,
            targets,
            n_slices=self.n_slices,
            n_tokens=self.model.config.vocab_size,
        )
        counted, fim = targets != IGNORED, is_fim.roll(-1, dims=1)
        kinds = (counted & ~fim, counted & fim)
        sums = [torch.stack([(losses * kind).sum(), kind.sum()]) for kind in kinds]
        return loss, torch.stack(sums)

    def _compute_teacher_loss(
        self, teacher: Teacher, hidden: Tensor, ids: Tensor, firsts: Tensor, at: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Returns the mean divergence at the positions ``at``, and ``[2]``: its sum and count."""
        rows = at.any(1)
        teacher_hidden = teacher.compute_hidden(ids[rows], self._spans(firsts[rows]))  # [B, T, D]
        mean, each = compute_divergence(
            hidden[at],
            self.model.output_weight,
            teacher_hidden[at[rows]],
            teacher.model.output_weight,
        )
        return mean, torch.stack([each.sum(), at.sum()])

    def _spans(self, firsts: Tensor) -> DocumentSpans | None:
        return DocumentSpans(firsts) if self.within_documents else None


@dataclass(frozen=True, kw_only=True)
class MeanLosses:
    """Mean losses of one step over all processes; None for a kind that did not occur.

    Attributes:
        total: Over all texts; over what is distilled, if there is nothing else.
        left_to_right: Over whole pieces.
        fim: Over pieces that are split for infilling.
        distilled: The divergence from the teacher.
    """

    total: float
    left_to_right: float | None
    fim: float | None
    distilled: float | None = None


def average_losses(sums: Tensor) -> MeanLosses:
    """Returns the means of ``[3, 2]`` sums and counts, as :meth:`LossModule.forward` makes them."""
    sums = sums.cpu().double()
    texts = sums[:-1] if sums[:-1, 1].sum() > 0 else sums
    total, count = texts.sum(0).tolist()
    left_to_right, fim, distilled = (float(s / n) if n > 0 else None for s, n in sums)
    return MeanLosses(
        total=total / count, left_to_right=left_to_right, fim=fim, distilled=distilled
    )


def to_tensors(blocks: Blocks, device: torch.device) -> tuple[Tensor, ...]:
    """Returns the arguments of :class:`LossModule` on ``device``: as many as the blocks have."""
    arrays = (blocks.ids, blocks.firsts, blocks.is_fim, blocks.is_distilled)
    return tuple(
        torch.from_numpy(np.ascontiguousarray(a)).to(device) for a in arrays if a is not None
    )
