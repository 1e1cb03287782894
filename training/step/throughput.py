"""How much of the machine a training uses: tokens per second and model FLOPs utilisation (MFU).

MFU is the arithmetic that the tokens need, divided by the peak of the devices: 1.0 would be a
training that does nothing but multiply at full speed. The peak is a card's data sheet, or the
fastest matrix product measured when the run started (``training.step.hardware.peak_flops``).

Source: Chowdhery et al. 2022, "PaLM", arXiv:2204.02311, appendix B; attention counts only the half
of the scores that a causal model looks at.
"""

from dataclasses import dataclass
from typing import Any

import torch

from training.artifact.network.config import GPT2Config
from training.artifact.network.gpt2 import GPT2
from training.step.hardware.peak_flops import find_peak_flops


@dataclass(frozen=True, kw_only=True)
class Throughput:
    """The speed of one step."""

    tokens_per_s: float
    mfu: float


class ThroughputMeter:
    """Turns the seconds of a step into its throughput.

    Args:
        model: The network.
        step_tokens: Tokens of a step, over all processes.
        accelerator: Accelerate's; all processes must create the meter together, because they share
            what the machine has.
    """

    def __init__(self, model: GPT2, step_tokens: int, accelerator: Any) -> None:
        self._step_tokens = step_tokens
        self._flops_per_token = count_flops_per_token(model.config)
        accelerator.wait_for_everyone()
        peak = find_peak_flops(next(model.parameters()).dtype, accelerator.device)
        self.peak_source = peak.source
        total = torch.tensor(peak.flops_per_s, device=accelerator.device)
        self.peak_flops_per_s = float(accelerator.reduce(total, reduction="sum"))

    def measure(self, elapsed_s: float) -> Throughput:
        """Returns the throughput of a step that took ``elapsed_s``."""
        tokens_per_s = self._step_tokens / elapsed_s
        mfu = tokens_per_s * self._flops_per_token / self.peak_flops_per_s
        return Throughput(tokens_per_s=tokens_per_s, mfu=mfu)


def count_flops_per_token(config: GPT2Config) -> float:
    """Returns the floating-point operations of training on one token, forward and backward."""
    matrices = 12 * config.n_layer * config.n_embd**2 + config.vocab_size * config.n_embd
    attention = config.n_layer * config.n_embd * config.n_positions
    return 6.0 * (matrices + attention)
