"""How probable the model finds a text that is known: what a gate is fitted on."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from server.memory.gate import Certainty


@dataclass(frozen=True, kw_only=True)
class TracedToken:
    """A token of the known text.

    Attributes:
        token_id: Its id.
        probability: That the model gives it.
        certainty: How certain the model is of what it finds likeliest here.
    """

    token_id: int
    probability: float
    certainty: Certainty


@dataclass(frozen=True, kw_only=True)
class Trace:
    """The tokens of a known text, and the ids before them."""

    before: Sequence[int]
    tokens: Sequence[TracedToken]


def trace_tokens(ids: Sequence[int], n_known: int, log_probs: Tensor) -> Trace:
    """Reads a trace off the log-probabilities ``[T, V]`` after each token but the last."""
    tokens = []
    best, best_ids = log_probs.topk(2, dim=-1)
    for row, token_id in enumerate(ids[n_known:]):
        certainty = Certainty(
            best_id=int(best_ids[row, 0]),
            best=float(best[row, 0].exp()),
            second=float(best[row, 1].exp()),
        )
        probability = float(log_probs[row, token_id].exp())
        tokens.append(TracedToken(token_id=token_id, probability=probability, certainty=certainty))
    return Trace(before=list(ids[:n_known]), tokens=tokens)
