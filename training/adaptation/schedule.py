"""Steps, rates and mixture of an adaptation, from the time to train and the speed; pure functions.

Muon at nearly the rates of pretraining, decaying from the first step on, learns much of a
repository in one pass. On general code the model learns what the original predicts
(``training.step.distillation``). Batch, share and weight are the best of those tried
(``training/LOG.md``); the number of passes is not tuned yet.
"""

import math
from dataclasses import dataclass

from training.autoconfig.sizing import KNOWN_WIDTH

MAX_EPOCHS = 3.0
REPLAY_SHARE = 0.2  # of the tokens
TEACHER_WEIGHT = 4.0  # of the divergence from the original model on general code
DISTILLED_COST = 1.85  # time for a token of general code, relative to any other
BATCH_BLOCKS = 8  # of 1024 tokens
MICRO_BATCH_TOKENS = 2048  # the memory of a training grows with it, beside all else on a laptop
FEWEST_STEPS = 40  # below this, smaller steps are taken
MATRIX_LEARNING_RATE, LEARNING_RATE = 2.8e-3, 7e-4
BYTES_PER_TOKEN = 3.4
WARMUP_SHARE = 0.05


@dataclass(frozen=True, kw_only=True)
class TrainingSpeed:
    """How fast a network trains.

    Attributes:
        tokens_per_s: Of forward and backward passes.
        update_s: What a step takes besides, however many tokens it has.
    """

    tokens_per_s: float
    update_s: float = 0.0

    def count_tokens(self, seconds: float, *, batch_tokens: int, cost: float = 1.0) -> float:
        """Returns for how many tokens there is time.

        Args:
            seconds: The time to train.
            batch_tokens: Tokens of a step.
            cost: Of a token, relative to one of pretraining.
        """
        return seconds / (cost / self.tokens_per_s + self.update_s / batch_tokens)


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """How to train.

    Attributes:
        steps: Steps.
        batch_blocks: Blocks of a step.
        matrix_learning_rate: Of the matrices, before it decays.
        learning_rate: Of everything else, likewise.
        warmup_steps: Steps until these are reached.
        epochs: How often each file is read.
        own_bytes: How much of the repository to read; what is beyond that does not fit the time.
        replay_bytes: How much general code to mix in.
    """

    steps: int
    batch_blocks: int
    matrix_learning_rate: float
    learning_rate: float
    warmup_steps: int
    epochs: float
    own_bytes: int
    replay_bytes: int

    @property
    def replay_share(self) -> float:
        """The share of general code."""
        return self.replay_bytes / max(1, self.own_bytes + self.replay_bytes)


def choose_schedule(
    *,
    seconds: float,
    own_bytes: int,
    most_replay_bytes: int,
    block_tokens: int,
    n_embd: int,
    speed: TrainingSpeed,
) -> Schedule:
    """Returns how to train on a repository for some time.

    Args:
        seconds: The time.
        own_bytes: The files to learn from.
        most_replay_bytes: The general code that there is.
        block_tokens: Tokens of a block.
        n_embd: The network's width.
        speed: Of training here.
    """
    share = REPLAY_SHARE if most_replay_bytes else 0.0
    cost = 1 + share * (DISTILLED_COST - 1)
    all_tokens = MAX_EPOCHS * own_bytes / (1 - share) / BYTES_PER_TOKEN
    most = speed.count_tokens(seconds, batch_tokens=BATCH_BLOCKS * 1024, cost=cost)
    batch = choose_batch(min(most, all_tokens), block_tokens)
    most = speed.count_tokens(seconds, batch_tokens=batch * block_tokens, cost=cost)
    own_bytes = min(own_bytes, max(1, int(most * (1 - share) * BYTES_PER_TOKEN)))
    replay_bytes = min(most_replay_bytes, int(own_bytes * share / (1 - share)))
    epoch_tokens = (own_bytes + replay_bytes) / BYTES_PER_TOKEN
    steps = max(1, round(min(most, MAX_EPOCHS * epoch_tokens) / (batch * block_tokens)))
    factor = math.sqrt(KNOWN_WIDTH / n_embd * batch * block_tokens / (BATCH_BLOCKS * 1024))
    return Schedule(
        steps=steps,
        batch_blocks=batch,
        matrix_learning_rate=float(f"{MATRIX_LEARNING_RATE * min(1.0, factor):.2g}"),
        learning_rate=float(f"{LEARNING_RATE * min(1.0, factor):.2g}"),
        warmup_steps=max(1, round(WARMUP_SHARE * steps)),
        epochs=round(steps * batch * block_tokens / epoch_tokens, 2),
        own_bytes=own_bytes,
        replay_bytes=replay_bytes,
    )


def choose_batch(tokens: float, block_tokens: int) -> int:
    """Returns the blocks of a step: fewer for short trainings, so that there are enough steps."""
    batch = max(1, BATCH_BLOCKS * 1024 // block_tokens)
    while batch > 1 and tokens / (batch * block_tokens) < FEWEST_STEPS:
        batch //= 2
    return batch


def divide_batch(batch_blocks: int, block_tokens: int) -> int:
    """Returns the most blocks of a pass that fit the memory and divide the batch."""
    most = max(1, MICRO_BATCH_TOKENS // block_tokens)
    return max(n for n in range(1, most + 1) if batch_blocks % n == 0)
