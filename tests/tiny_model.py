"""The tiny artifact of the tests: trained and saved by the project's own code.

It knows one small module by heart, so a test can say what a right completion is, and a prompt that
differs by one token from training's layout shows.
"""

import random
from pathlib import Path

import torch
from torch.nn import functional

from training.artifact.directory import save_artifact
from training.artifact.manifest import Manifest
from training.artifact.network.config import GPT2Config
from training.artifact.network.gpt2 import GPT2
from training.artifact.tokenizer import CodeTokenizer
from training.config import FimConfig, TokenizerConfig
from training.shards.packing import EncodedText, pack_document
from training.step.init_weights import initialise
from training.train_tokenizer import train_tokenizer

CONTEXT_TOKENS = 512
MATRIX_RATE = 0.03
RATE = 0.01

KNOWN_MODULE = '''\
"""Shapes in the plane."""

import math
from dataclasses import dataclass


@dataclass
class Circle:
    """A circle around a centre."""

    x: float
    y: float
    radius: float

    def area(self) -> float:
        """Return the area of the circle."""
        return math.pi * self.radius**2

    def perimeter(self) -> float:
        """Return the length of its boundary."""
        return 2 * math.pi * self.radius

    def moved(self, dx: float, dy: float) -> "Circle":
        """Return the circle at another place."""
        return Circle(self.x + dx, self.y + dy, self.radius)


def total_area(circles: list[Circle]) -> float:
    """Return the sum of all areas."""
    total = 0.0
    for circle in circles:
        total += circle.area()
    return total
'''


def build_tiny_artifact(path: Path) -> Path:
    """Writes a directory as ``load_artifact`` reads it; the model has learned KNOWN_MODULE."""
    tokenizer = train_tokenizer(
        iter([KNOWN_MODULE, Path(random.__file__).read_text(encoding="utf-8")]),
        TokenizerConfig(vocab_size=1024),
    )
    config = GPT2Config(
        vocab_size=tokenizer.vocab_size, n_positions=CONTEXT_TOKENS, n_embd=64, n_layer=2, n_head=4
    )
    save_artifact(
        path,
        config=config,
        weights=_learn(config, tokenizer).state_dict(),
        tokenizer=tokenizer,
        manifest=Manifest(context_tokens=CONTEXT_TOKENS),
        card="# tiny\n\nKnows one module by heart; for tests.\n",
        dtype=torch.float32,
    )
    return path


def _learn(config: GPT2Config, tokenizer: CodeTokenizer, steps: int = 320) -> GPT2:
    chance = random.Random(0)
    model = GPT2(config)
    initialise(model, torch.Generator().manual_seed(0))
    matrices = [p for n, p in model.named_parameters() if p.ndim > 1 and ".h." in n]
    taken = set(map(id, matrices))
    others = [p for p in model.parameters() if id(p) not in taken]
    optimisers = [
        torch.optim.Muon(matrices, lr=MATRIX_RATE, weight_decay=0.0, ns_steps=3),
        torch.optim.AdamW(others, lr=RATE, betas=(0.9, 0.95), weight_decay=0.0),
    ]
    for step in range(steps):
        share = min((step + 1) / 10, 1.0, 1.6 * (1 - step / steps))
        for optimiser, rate in zip(optimisers, (MATRIX_RATE, RATE), strict=True):
            optimiser.param_groups[0]["lr"] = rate * share
        rows = [_row(tokenizer, chance) for _ in range(2)]
        width = max(map(len, rows))
        ids = torch.tensor([row + [-100] * (width - len(row)) for row in rows])
        logits = model(ids[:, :-1].clamp(min=0))  # [B, T, V]
        loss = functional.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten())
        model.zero_grad()
        loss.backward()
        for optimiser in optimisers:
            optimiser.step()
    return model


def _row(tokenizer: CodeTokenizer, chance: random.Random) -> list[int]:
    pieces = pack_document(
        EncodedText(KNOWN_MODULE, tokenizer),
        CONTEXT_TOKENS,
        block_tokens=CONTEXT_TOKENS,
        fim=FimConfig(rate=0.7, spm_share=0.8),
        chance=chance,
    )
    return [*next(iter(pieces)).ids, tokenizer.end_of_text_id][:CONTEXT_TOKENS]
