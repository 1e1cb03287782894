"""The configuration of a training run, from tokenizer to weights: one TOML file, one tree.

``train_tokenizer``, ``prepare`` and ``pretrain`` take the same file and each reads its own tables;
every default is defined here and nowhere else. The corpus has its own configuration
(``training.corpus.config``), because several runs may share a corpus.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from training.artifact.bundled import resolve_artifact
from training.artifact.network.config import GPT2Config
from training.artifact.special_tokens import N_SPECIAL_TOKENS

VOCAB_MULTIPLE = 64  # whole tiles for the matrix product of the output layer


@dataclass(frozen=True, kw_only=True)
class PathsConfig:
    """Where each stage reads and writes."""

    corpus: Path = Path("runs/corpus/default")
    tokenizer: Path = Path("runs/default/tokenizer")
    shards: Path = Path("runs/default/shards")
    run: Path = Path("runs/default/run")


@dataclass(frozen=True, kw_only=True)
class TokenizerConfig:
    """How the vocabulary is learned."""

    vocab_size: int = 16_384
    sample_bytes: int = 160_000_000  # more text changes few merges and takes minutes
    min_frequency: int = 2
    max_token_chars: int = 32  # longer tokens are ASCII rulers and licence lines
    seed: int = 0
    compare_with: Path | None = None  # another vocabulary to measure too: GPT-2's, say

    def __post_init__(self) -> None:
        if self.vocab_size % VOCAB_MULTIPLE or self.vocab_size < 256 + N_SPECIAL_TOKENS:
            raise ValueError(
                f"vocab_size is {self.vocab_size}, expected a multiple of {VOCAB_MULTIPLE} of at"
                f" least {256 + N_SPECIAL_TOKENS}"
            )


@dataclass(frozen=True, kw_only=True)
class FimConfig:
    """How often, and where, a piece of text is split for infilling."""

    rate: float = 0.5
    spm_share: float = 0.5  # of the split pieces; the others are PSM
    line_share: float = 0.5  # of the split pieces whose middle ends at a line's end
    more_lines: float = 0.5  # chance that such a middle takes one more line, and so on

    def __post_init__(self) -> None:
        for name in ("rate", "spm_share", "line_share", "more_lines"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"fim.{name} is {getattr(self, name)}, expected 0 to 1")


@dataclass(frozen=True, kw_only=True)
class ShardsConfig:
    """How documents become blocks of tokens."""

    block_tokens: int = 1024
    blocks_per_shard: int = 16_384
    min_characters_per_token: float = 1.5  # documents with fewer are more data than code
    processes: int = 2
    seed: int = 0
    fim: FimConfig = field(default_factory=FimConfig)


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """The network's sizes; the data determines its vocabulary and context."""

    n_embd: int = 384
    n_layer: int = 6
    n_head: int = 6
    activation_function: Literal["gelu", "gelu_new"] = "gelu"  # exact, or OpenAI's approximation

    def gpt2(self, *, vocab_size: int, n_positions: int) -> GPT2Config:
        """Returns the network's config, completed by what the data determines."""
        return GPT2Config(
            vocab_size=vocab_size,
            n_positions=n_positions,
            n_embd=self.n_embd,
            n_layer=self.n_layer,
            n_head=self.n_head,
            activation_function=self.activation_function,
        )


@dataclass(frozen=True, kw_only=True)
class OptimConfig:
    """Learning rates and their schedule.

    ``learning_rate`` is AdamW's, for embeddings, biases and gains (and for matrices too if
    ``matrices`` is "adamw"); ``matrix_learning_rate`` is Muon's.
    """

    matrices: Literal["muon", "adamw"] = "muon"
    learning_rate: float = 3e-3
    matrix_learning_rate: float = 5e-3
    position_rate: float = 3e-4  # of position vectors, which a higher rate turns into noise
    weight_decay: float = 0.02
    beta1: float = 0.9
    beta2: float = 0.95
    momentum: float = 0.95
    clip_norm: float = 1.0
    warmup_steps: int = 20
    schedule: Literal["stable", "cosine"] = "stable"  # after the warm-up
    decay_share: float = 0.88  # "stable": last part of the steps, with a linear decay to zero


@dataclass(frozen=True, kw_only=True)
class PretrainConfig:
    """The training loop: how much, how often, how precisely."""

    steps: int = 9200
    stop_after_steps: int | None = None  # stop early; the schedule still spans all steps
    batch_blocks: int = 16  # per optimiser step, over all processes
    micro_batch_blocks: int = 8  # per forward pass of one process
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    shard_model: bool = False  # each process holds a part of the weights: FSDP instead of DDP
    gradient_checkpointing: bool = False  # less memory, a third more computation
    within_documents: bool = True  # attention and positions end at document boundaries
    rare_token_slices: int = (
        8  # a block's gradient includes one of them; 1 for all (training/step/loss.py)
    )
    validate_every_steps: int = 250
    validation_blocks: int = 32
    save_every_steps: int = 100
    keep_checkpoints: int = 2  # the newest; the best on held-out documents is kept too
    keep_every_steps: int = 0  # multiples of this are kept permanently; 0 for none
    first_block: int = 0  # where in the data order to start, for start_from
    start_from: Path | None = (
        None  # an artifact to continue from, or "bundled"; its tokenizer is used
    )
    loss_below: float | None = None  # required of the last validation for exit code 0
    seed: int = 0
    tracker: Literal["tensorboard", "wandb", "trackio", "none"] = "tensorboard"

    def __post_init__(self) -> None:
        for name in ("steps", "batch_blocks", "micro_batch_blocks", "rare_token_slices"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}, expected at least 1")
        if self.keep_checkpoints < 1 or self.keep_every_steps < 0:
            raise ValueError("keep_checkpoints must be at least 1, keep_every_steps at least 0")


@dataclass(frozen=True, kw_only=True)
class PublishConfig:
    """Where a run is published on the Hugging Face Hub; nowhere without ``repo``."""

    repo: str | None = None  # OWNER/NAME
    private: bool = True
    branch: str | None = None  # None: the run's name, its start date and a random suffix
    max_waiting: int = 8  # checkpoints queued while the Hub is unreachable
    wait_s: float = 600.0  # at the end, for what is still queued

    def __post_init__(self) -> None:
        if self.repo is not None:
            check_repo_name(self.repo)
        branch = self.branch
        if branch is not None and (branch == "main" or not _NAME.fullmatch(branch)):
            raise ValueError(
                f"publish.branch is {branch!r}, expected letters, digits, '-', '_', '.' and not"
                " 'main', into which it is merged"
            )
        if self.max_waiting < 1 or self.wait_s < 0:
            raise ValueError("publish.max_waiting must be at least 1, wait_s at least 0")


_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_]|-(?!-)|\.(?!\.))*(?<![-.])")
_MAX_REPO_CHARS = 96


def check_repo_name(repo: str) -> None:
    """Refuses names of repositories that the Hub would refuse.

    Raises:
        ValueError: The name is not of the form OWNER/NAME.
    """
    names = repo.split("/")
    is_good = len(names) == 2 and all(map(_NAME.fullmatch, names))  # noqa: PLR2004 - owner, name
    if len(repo) > _MAX_REPO_CHARS or not is_good or repo.endswith(".git"):
        raise ValueError(
            f"{repo!r} is not a repository name; expected OWNER/NAME of letters, digits, '-', '_'"
            f" and '.', at most {_MAX_REPO_CHARS} characters"
        )


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """The whole file."""

    name: str = "default"
    size: str | None = None  # "17M" chooses the network (training/autoconfig)
    budget: str | None = None  # "60min" or "150M" tokens chooses steps, batch and rates
    paths: PathsConfig = field(default_factory=PathsConfig)
    tokenizer: TokenizerConfig = field(default_factory=TokenizerConfig)
    shards: ShardsConfig = field(default_factory=ShardsConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    optim: OptimConfig = field(default_factory=OptimConfig)
    pretrain: PretrainConfig = field(default_factory=PretrainConfig)
    publish: PublishConfig = field(default_factory=PublishConfig)

    @property
    def tokenizer_folder(self) -> Path:
        """Where the tokenizer is: in the artifact that the run starts from, if any."""
        start = self.pretrain.start_from
        return resolve_artifact(self.paths.tokenizer if start is None else start)
