"""The gate: how far to trust the model, and how far each match, for one token.

A network of a few hundred parameters reads how certain the model is and how long, frequent and
unanimous the matches are, and returns three weights that add up to 1. Fitted on packages, each in
turn as the workspace.

Tensor legend: F features, H hidden units.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from server.memory.token_memory import MAX_MATCHES, Match

Floats = npt.NDArray[np.float32]
N_OUTPUTS = 1 + MAX_MATCHES
_LONG_MATCH_TOKENS = 8
_MODEL_FEATURES, _MATCH_FEATURES = 4, 7
N_FEATURES = _MODEL_FEATURES + MAX_MATCHES * _MATCH_FEATURES
_SMALLEST = 1e-9


@dataclass(frozen=True, kw_only=True)
class Certainty:
    """How certain the model is of the next token: its best id and its two best probabilities."""

    best_id: int
    best: float
    second: float


def describe_token(certainty: Certainty, matches: Sequence[Match]) -> Floats:
    """Returns what the gate reads ``[F]``."""
    best = certainty.best
    values = [1.0, best, best - certainty.second, float(np.log(best + _SMALLEST))]
    for number in range(MAX_MATCHES):
        if number < len(matches):
            values += _describe_match(matches[number], certainty.best_id)
        else:
            values += [0.0] * _MATCH_FEATURES
    return np.array(values, np.float32)


def _describe_match(match: Match, best_id: int) -> list[float]:
    at, total = int(match.counts.argmax()), match.total
    return [
        1.0,
        float(np.log(match.n_tokens)) / 3,
        float(np.log(total)) / 5,
        float(match.counts[at]) / total,
        float(match.ids[at] == best_id),
        float(len(match.ids) == 1),
        float(match.n_tokens >= _LONG_MATCH_TOKENS),
    ]


@dataclass(frozen=True, kw_only=True)
class Gate:
    """Two layers with a hyperbolic tangent between them.

    Attributes:
        hidden: ``[F, H]``.
        hidden_bias: ``[H]``.
        output: ``[H, 3]``, of the model, the longest match and the other one.
        output_bias: ``[3]``.
    """

    hidden: Floats
    hidden_bias: Floats
    output: Floats
    output_bias: Floats

    def weigh(self, features: Floats, n_matches: int) -> Floats:
        """Returns the weights ``[1 + n_matches]``, which add up to 1."""
        scores = np.tanh(features @ self.hidden + self.hidden_bias) @ self.output
        scores = (scores + self.output_bias)[: 1 + n_matches]
        raised = np.exp(scores - scores.max())
        weights: Floats = raised / raised.sum()
        return weights

    def to_json(self) -> dict[str, Any]:
        """Returns the parameters as plain data."""
        return {name: getattr(self, name).tolist() for name in _SHAPES}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Gate":
        """Reads what :meth:`to_json` wrote.

        Raises:
            ValueError: Something is missing, of another shape or not finite.
        """
        arrays = {}
        for name, n_axes in _SHAPES.items():
            try:
                array = np.array(values[name], np.float32)
            except (KeyError, TypeError, ValueError) as error:
                raise ValueError(f"the gate's {name} is missing or no array of numbers") from error
            if array.ndim != n_axes or not np.isfinite(array).all():
                raise ValueError(f"the gate's {name} has another shape, or is not finite")
            arrays[name] = array
        gate = cls(**arrays)
        n_hidden = len(gate.hidden_bias)
        if (gate.hidden.shape, gate.output.shape, gate.output_bias.shape) != (
            (N_FEATURES, n_hidden),
            (n_hidden, N_OUTPUTS),
            (N_OUTPUTS,),
        ):
            raise ValueError("the gate's arrays do not fit together")
        return gate


_SHAPES = {"hidden": 2, "hidden_bias": 1, "output": 2, "output_bias": 1}
