"""How fast an artifact trains here, updates included."""

import torch
from accelerate import Accelerator

from training.adaptation.schedule import MICRO_BATCH_TOKENS
from training.artifact.directory import Artifact
from training.autoconfig.sizing import DataShape
from training.autoconfig.speed import measure_speed
from training.config import ModelConfig, PretrainConfig, RunConfig

_STEP_TOKENS = 16_384


def measure_tokens_per_s(artifact: Artifact) -> float:
    """Trains the artifact's network on noise for a few seconds."""
    block_tokens = artifact.context_tokens
    model = ModelConfig(
        n_embd=artifact.config.n_embd,
        n_layer=artifact.config.n_layer,
        n_head=artifact.config.n_head,
    )
    micro = max(1, MICRO_BATCH_TOKENS // block_tokens)
    config = RunConfig(
        model=model, pretrain=PretrainConfig(micro_batch_blocks=micro, batch_blocks=micro)
    )
    shape = DataShape(vocab_size=artifact.config.vocab_size, block_tokens=block_tokens)
    accelerator = Accelerator(cpu=not torch.accelerator.is_available())
    speed = measure_speed(config, shape, accelerator)
    return _STEP_TOKENS / speed.step_s(_STEP_TOKENS)
