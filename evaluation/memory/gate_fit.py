"""Fits a gate: the weights that make the tokens of the examples most probable.

The likelihood of all examples at once is maximised by Adam. Source: Kingma and Ba 2014,
arXiv:1412.6980.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from evaluation.memory.gate_examples import GateExample
from server.memory.gate import N_FEATURES, N_OUTPUTS, Gate
from server.memory.token_memory import MAX_MATCHES

_N_HIDDEN = 32
_STEPS = 500
_LEARNING_RATE, _WEIGHT_DECAY = 5e-3, 1e-4
_ABSENT = -1e4  # the score of a match that is not there
_SMALLEST = 1e-9


@dataclass(frozen=True, kw_only=True)
class GateLoss:
    """Mean negative log-likelihood of tokens, in nats: of the model alone, and with the memory."""

    n_tokens: int
    alone: float
    mixed: float


def fit_gate(examples: Sequence[GateExample], *, seed: int = 0) -> Gate:
    """Returns the gate that fits the examples best.

    Args:
        examples: At least one.
        seed: Of the first parameters.
    """
    features, shares, is_absent = _stack(examples)
    chance = torch.Generator().manual_seed(seed)
    hidden = torch.randn(N_FEATURES, _N_HIDDEN, generator=chance) / N_FEATURES**0.5
    output = torch.randn(_N_HIDDEN, N_OUTPUTS, generator=chance) / _N_HIDDEN**0.5
    parameters = [
        nn.Parameter(hidden),
        nn.Parameter(torch.zeros(_N_HIDDEN)),
        nn.Parameter(output),
        nn.Parameter(torch.zeros(N_OUTPUTS)),
    ]
    optimiser = torch.optim.Adam(parameters, lr=_LEARNING_RATE, weight_decay=_WEIGHT_DECAY)
    for _ in range(_STEPS):
        scores = torch.tanh(features @ parameters[0] + parameters[1]) @ parameters[2]
        weights = torch.softmax(scores + parameters[3] + _ABSENT * is_absent, dim=1)
        loss = -((weights * shares).sum(1) + _SMALLEST).log().mean()
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    arrays = [parameter.detach().numpy() for parameter in parameters]
    return Gate(hidden=arrays[0], hidden_bias=arrays[1], output=arrays[2], output_bias=arrays[3])


def measure_gate(gate: Gate, examples: Sequence[GateExample]) -> GateLoss:
    """Returns the loss of the examples with and without the memory."""
    alone = [float(example.shares[0]) for example in examples]
    mixed = [
        float(gate.weigh(e.features, e.n_matches) @ e.shares[: 1 + e.n_matches]) for e in examples
    ]
    return GateLoss(n_tokens=len(examples), alone=_nats(alone), mixed=_nats(mixed))


def _nats(probabilities: Sequence[float]) -> float:
    return float(-np.log(np.array(probabilities) + _SMALLEST).mean())


def _stack(examples: Sequence[GateExample]) -> tuple[Tensor, Tensor, Tensor]:
    """Returns features ``[N, F]``, shares and which matches are absent ``[N, 1 + MAX_MATCHES]``."""
    counts = torch.tensor([[example.n_matches] for example in examples])
    is_absent = (torch.arange(1 + MAX_MATCHES) > counts).float()
    return (
        torch.from_numpy(np.stack([example.features for example in examples])),
        torch.from_numpy(np.stack([example.shares for example in examples])),
        is_absent,
    )
