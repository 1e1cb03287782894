"""Distillation: on some documents, a network is trained to predict what another model predicts.

With the model that training started from as the teacher, and documents of the kind that it knows, a
network learns other documents without forgetting much: the teacher gives a whole distribution at
each position, the text only the token that came next. Which documents these are is up to the
reader of the shards (``training.shards.blocks``).

Tensor legend: N positions, C width of the network, D width of the teacher, V vocabulary.

Source: Li and Hoiem 2016, "Learning without Forgetting", arXiv:1606.09282; Hinton, Vinyals and Dean
2015, "Distilling the Knowledge in a Neural Network", arXiv:1503.02531, at temperature 1.
"""

import dataclasses
from typing import Any

import torch
from torch import Tensor

from training.artifact.directory import load_artifact
from training.artifact.network.document_spans import DocumentSpans
from training.artifact.network.gpt2 import GPT2
from training.artifact.tokenizer import CodeTokenizer
from training.config import DistilConfig, PretrainConfig
from training.foundation.errors import ConfigError
from training.step.model import build_model

CHUNK_LOGITS = 1 << 21  # elements: 8 MiB in float32


@dataclasses.dataclass(frozen=True, kw_only=True)
class Teacher:
    """The model whose predictions the network is trained to keep; it is never trained or saved.

    Attributes:
        model: The frozen network.
        weight: How much the divergence from it counts, relative to the loss on other documents.
    """

    model: GPT2
    weight: float

    def compute_hidden(self, ids: Tensor, documents: DocumentSpans | None) -> Tensor:
        """Returns its final hidden states ``[B, T, D]``, without gradients."""
        with torch.no_grad():
            return self.model.compute_hidden(ids, documents=documents)


def load_teacher(
    distil: DistilConfig,
    settings: PretrainConfig,
    vocabulary: CodeTokenizer,
    device: torch.device,
    *,
    block_tokens: int,
) -> Teacher | None:
    """Loads the teacher that the config names, in the dtype of the training; None without one.

    Args:
        distil: Which model, and how much it counts.
        settings: The dtype.
        vocabulary: The run's tokenizer.
        device: Where the network is.
        block_tokens: The length of the run's blocks.

    Raises:
        ConfigError: The teacher has another tokenizer, or reads no blocks of that length.
        ArtifactError: There is no such model, or it is damaged.
    """
    if distil.teacher is None:
        return None
    artifact = load_artifact(distil.teacher)
    if artifact.tokenizer.sha256 != vocabulary.sha256:
        raise ConfigError(
            f"{distil.teacher} (distil.teacher) has another tokenizer than this run, so their"
            " predictions cannot be compared; name a model with the run's tokenizer"
        )
    if block_tokens > artifact.context_tokens:
        raise ConfigError(
            f"{distil.teacher} (distil.teacher) reads at most {artifact.context_tokens} tokens, but"
            f" this run's blocks have {block_tokens}; prepare the shards again with"
            f" shards.block_tokens={artifact.context_tokens}, or name another teacher"
        )
    frozen = dataclasses.replace(
        settings, start_from=distil.teacher, dropout=0.0, gradient_checkpointing=False
    )
    model = build_model(artifact.config, frozen, device).eval().requires_grad_(requires_grad=False)
    return Teacher(model=model, weight=distil.weight)


def compute_divergence(
    hidden: Tensor, weight: Tensor, teacher_hidden: Tensor, teacher_weight: Tensor
) -> tuple[Tensor, Tensor]:
    """Returns the mean divergence from the teacher in nats, and each position's ``[N]``.

    It is the Kullback-Leibler divergence of the network's distribution of the next token from the
    teacher's. The gradient of the mean is exact; the positions' have none.

    Args:
        hidden: The network's, ``[N, C]``.
        weight: Its output layer without padding, ``[V, C]``.
        teacher_hidden: The teacher's hidden states, ``[N, D]``.
        teacher_weight: Its output layer, likewise ``[V, D]``.
    """
    mean, each = _ChunkedDivergence.apply(hidden, weight, teacher_hidden, teacher_weight)  # type: ignore[no-untyped-call]
    return mean, each


class _ChunkedDivergence(torch.autograd.Function):
    """The divergence for a chunk of positions at a time, forward and gradient together."""

    @staticmethod
    def forward(
        ctx: Any, hidden: Tensor, weight: Tensor, teacher_hidden: Tensor, teacher_weight: Tensor
    ) -> tuple[Tensor, Tensor]:
        each = torch.empty(len(hidden), dtype=torch.float32, device=hidden.device)
        grad_hidden = torch.empty_like(hidden)
        grad_weight = torch.zeros(weight.shape, dtype=torch.float32, device=weight.device)
        size = max(1, CHUNK_LOGITS // len(weight))
        for start in range(0, len(hidden), size):
            rows = slice(start, start + size)
            # In float32: where the two agree, which is nearly everywhere, bfloat16 has no digits
            # left for their difference.
            log_p = _log_probabilities(hidden[rows], weight)
            log_q = _log_probabilities(teacher_hidden[rows], teacher_weight)
            q = log_q.exp()
            each[rows] = log_q.sub_(log_p).mul_(q).sum(-1)
            pull = log_p.exp_().sub_(q).to(hidden.dtype)  # of the logits: p - q
            grad_hidden[rows] = pull @ weight
            grad_weight += pull.t() @ hidden[rows]
        ctx.save_for_backward(grad_hidden, grad_weight)
        ctx.mark_non_differentiable(each)
        return each.mean(), each

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, None, None]:
        grad_hidden, grad_weight = ctx.saved_tensors
        factor = grads[0] / len(grad_hidden)
        return grad_hidden * factor, (grad_weight * factor).to(grad_hidden.dtype), None, None


def _log_probabilities(hidden: Tensor, weight: Tensor) -> Tensor:
    """Returns ``[N, V]`` in float32."""
    return torch.log_softmax((hidden @ weight.t()).float(), dim=-1)
