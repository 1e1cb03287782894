"""Mixes the model's distribution of the next token with what the memory has seen follow.

Source: nested cache models, Hellendoorn and Devanbu 2017, "Are deep neural networks the best
choice for modeling source code?"; Khandelwal et al. 2020, arXiv:1911.00172 (interpolation with a
memory). The weights come from a gate (``server.memory.gate``) rather than being fixed.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from server.memory.gate import Certainty, Gate, describe_token
from server.memory.token_memory import TokenMemory


@dataclass(frozen=True, kw_only=True)
class Mixed:
    """A distribution of the next token.

    Attributes:
        log_probs: The logarithms ``[V]`` of the mixed probabilities.
        alone: The same ``[V]`` without the memory; the same object if nothing matches.
    """

    log_probs: Tensor
    alone: Tensor

    def gain(self, token_id: int) -> float:
        """Returns by how many nats the memory makes a token likelier."""
        if self.log_probs is self.alone:
            return 0.0
        return float(self.log_probs[token_id] - self.alone[token_id])


class Mixture:
    """A memory with the gate that weighs it."""

    def __init__(self, memory: TokenMemory, gate: Gate) -> None:
        self._memory = memory
        self._gate = gate

    def mix(
        self,
        logits: Tensor,
        context: Sequence[int],
        allowed: Tensor | None = None,
    ) -> Mixed:
        """Returns the mixed distribution; without a match it is the model's own.

        Args:
            logits: The model's ``[V]``; those of ids that may not follow are ignored.
            context: The ids before.
            allowed: ``[K]``, the only ids that may follow; None for all.
        """
        if allowed is not None:
            only = torch.full_like(logits, float("-inf"))
            only[allowed] = logits[allowed]
            logits = only
        log_probs = torch.log_softmax(logits.float(), dim=-1)
        matches = self._memory.find(context)
        if allowed is not None:
            kept = [match.keep(allowed.numpy()) for match in matches]
            matches = [match for match in kept if match is not None]
        if not matches:
            return Mixed(log_probs=log_probs, alone=log_probs)
        best, ids = log_probs.topk(2)
        certainty = Certainty(
            best_id=int(ids[0]), best=float(best[0].exp()), second=float(best[1].exp())
        )
        features = describe_token(certainty, matches)
        weights = self._gate.weigh(features, len(matches))
        mixed = log_probs.exp().mul_(float(weights[0]))
        for match, weight in zip(matches, weights[1:], strict=True):
            shares = match.counts * (float(weight) / match.total)
            mixed.index_add_(0, torch.from_numpy(match.ids), torch.from_numpy(shares).float())
        return Mixed(log_probs=mixed.log_(), alone=log_probs)

    def guess(self, context: Sequence[int], max_tokens: int) -> list[int]:
        """Returns ids that are likely to follow, for the decoder to verify."""
        return self._memory.guess(context, max_tokens)
