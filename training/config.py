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
from training.artifact.network.config import MAX_LAYERS, MAX_WIDTH, GPT2Config
from training.artifact.special_tokens import N_SPECIAL_TOKENS
from training.foundation.config_schema import RangedConfig, number_field

# Beyond what any run needs; sums and products of such numbers still fit 64 bits.
_MAX_SEED, _MANY, _MAX_BLOCKS = (1 << 63) - 1, 1_000_000_000, 1 << 24
_BELOW_ONE = 1 - 1e-9
CompileBackend = Literal["inductor", "eager", "aot_eager", "cudagraphs"]
CompileMode = Literal["default", "reduce-overhead", "max-autotune", "max-autotune-no-cudagraphs"]
TRACKERS = ("tensorboard", "wandb", "trackio", "mlflow")
MIN_BLOCK_TOKENS = 16  # what every piece and every infilling begins with, and some text


@dataclass(frozen=True, kw_only=True)
class PathsConfig:
    """Where each stage reads and writes."""

    corpus: Path = Path("runs/corpus/default")  # or hub:OWNER/NAME, as publish corpus has sent it
    tokenizer: Path = Path("runs/default/tokenizer")
    shards: Path = Path("runs/default/shards")
    run: Path = Path("runs/default/run")


@dataclass(frozen=True, kw_only=True)
class TokenizerConfig(RangedConfig):
    """How the vocabulary is learned."""

    vocab_size: int = number_field(16_384, least=256 + N_SPECIAL_TOKENS, most=1 << 20)
    # More text changes few merges and takes minutes.
    sample_bytes: int = number_field(160_000_000, least=1, most=1 << 40)
    min_frequency: int = number_field(2, least=0, most=_MANY)
    # Longer tokens are ASCII rulers and licence lines.
    max_token_chars: int = number_field(32, least=1, most=1 << 16)
    seed: int = number_field(0, least=0, most=_MAX_SEED)
    # Other tokenizers to measure too, one or a list: a path, or a name of the Hub ("gpt2").
    compare_with: str | tuple[str, ...] | list[str] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if not all(isinstance(name, str) and name for name in self.compared_names):
            raise ValueError(
                f"compare_with is {self.compare_with!r:.80}, expected a path, a name of the Hub, or"
                " a list of them"
            )

    @property
    def compared_names(self) -> tuple[str, ...]:
        """The tokenizers of ``compare_with``."""
        if self.compare_with is None or isinstance(self.compare_with, (list, tuple)):
            return tuple(self.compare_with or ())
        return (self.compare_with,)


@dataclass(frozen=True, kw_only=True)
class FimConfig(RangedConfig):
    """How often, and where, a piece of text is split for infilling."""

    rate: float = number_field(0.5, least=0, most=1)
    # Of the split pieces; the others are PSM.
    spm_share: float = number_field(0.5, least=0, most=1)
    # Of the split pieces whose middle ends at a line's end.
    line_share: float = number_field(0.5, least=0, most=1)
    # Chance that such a middle takes one more line, and so on.
    more_lines: float = number_field(0.5, least=0, most=1)
    # Of the split pieces whose middle ends before a closing bracket or quote.
    bracket_share: float = number_field(0.0, least=0, most=1)
    # Of the split pieces whose middle ends where a block ends.
    block_share: float = number_field(0.0, least=0, most=1)
    # If given, the length of a split piece is drawn between this and the block's, log-uniformly,
    # so that a block has several middles; else a split piece fills its block.
    shortest_piece_tokens: int | None = number_field(None, least=1, most=1 << 20)

    def __post_init__(self) -> None:
        super().__post_init__()
        shares = self.line_share + self.bracket_share + self.block_share
        if shares > 1:
            raise ValueError(
                f"line_share, bracket_share and block_share add up to {shares:g}, expected at"
                " most 1"
            )


@dataclass(frozen=True, kw_only=True)
class ShardsConfig(RangedConfig):
    """How documents become blocks of tokens."""

    block_tokens: int = number_field(1024, least=MIN_BLOCK_TOKENS, most=1 << 20)
    blocks_per_shard: int = number_field(16_384, least=1, most=_MAX_BLOCKS)
    # Documents with fewer are more data than code.
    min_characters_per_token: float = number_field(1.5, least=0, most=1000)
    # What fills no whole block at the end of a row group is packed into further blocks; earlier
    # versions left it out.
    carry_over: bool = True
    processes: int = number_field(2, least=1, most=1024)
    seed: int = number_field(0, least=0, most=_MAX_SEED)
    fim: FimConfig = field(default_factory=FimConfig)


@dataclass(frozen=True, kw_only=True)
class StreamConfig(RangedConfig):
    """Documents that go from their files straight into the steps, in place of shards.

    The blocks are a function of files, seed and the settings up to ``seen_documents``, whatever the
    number of processes. The others may differ when a run is resumed.

    Attributes:
        files: Patterns of JSON lines, Parquet, CSV and text, plain or packed.
        hub: A dataset, as ``OWNER/NAME``, ``NAME:CONFIG`` or ``NAME:CONFIG:SPLIT``, with
            ``@REVISION``; a folder laid out like one.
        data_dir: Of the dataset, a folder, to read only its files.
        data_files: Of the dataset, patterns of the files to read.
        stages: The corpus config whose filters, licences, held-out names and lists, and other
            stages apply to each document; its sources are not read.
        heldout_files: Patterns of those files that are only validated on, or "last".
        heldout_share: Otherwise, the share of packages (of documents without one) for validation.
        heldout_shards: Otherwise, shards whose held-out documents to validate on.
        heldout_blocks: How many blocks of validation to make.
    """

    files: str | tuple[str, ...] = ()
    hub: str | None = None
    data_dir: str | None = None
    data_files: str | tuple[str, ...] = ()
    stages: Path = Path("corpus-stream.toml")
    heldout_files: str | tuple[str, ...] = ()
    heldout_share: float = number_field(0.005, least=0, most=0.5)
    heldout_shards: Path | None = None
    heldout_blocks: int = number_field(256, least=1, most=_MAX_BLOCKS)
    # Independent parts of the stream, of which each step takes equally many blocks; 0 for the
    # largest divisor of the batch up to 16.
    lanes: int = number_field(0, least=0, most=1 << 12)
    # Of each lane, documents and blocks that are shuffled among themselves; a resumed run reads
    # that much again.
    shuffle_documents: int = number_field(128, least=1, most=1 << 20)
    shuffle_blocks: int = number_field(256, least=1, most=1 << 20)
    # Of each lane, documents among which a repeated one is found; 0 keeps repeated ones.
    seen_documents: int = number_field(65_536, least=0, most=1 << 24)
    # Processes that read and tokenize for each training process; 0 to do it between the steps.
    workers: int = number_field(1, least=0, most=256)
    read_ahead_windows: int = number_field(4, least=1, most=1024)  # of each worker

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("files", "data_files", "heldout_files"):
            value = getattr(self, name)
            patterns = (value,) if isinstance(value, str) else tuple(value)
            if not all(isinstance(pattern, str) and pattern for pattern in patterns):
                raise ValueError(f"{name} is {value!r}, expected a pattern or a list of patterns")
            object.__setattr__(self, name, patterns)
        if self.files and self.hub is not None:
            raise ValueError("files and hub are both set; name one of them")
        if (self.data_dir is not None or self.data_files) and self.hub is None:
            raise ValueError("data_dir and data_files belong to hub, which is not set; use files")
        if self.heldout_files and self.heldout_shards is not None:
            raise ValueError("heldout_files and heldout_shards are both set; choose one")

    @property
    def is_wanted(self) -> bool:
        """Whether a run streams its documents."""
        return bool(self.files) or self.hub is not None


@dataclass(frozen=True, kw_only=True)
class ModelConfig(RangedConfig):
    """The network's sizes; the data determines its vocabulary and context."""

    n_embd: int = number_field(384, least=1, most=MAX_WIDTH)
    n_layer: int = number_field(6, least=1, most=MAX_LAYERS)
    n_head: int = number_field(6, least=1, most=MAX_WIDTH)
    activation_function: Literal["gelu", "gelu_new"] = "gelu"  # exact, or OpenAI's approximation

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.n_embd % self.n_head:
            raise ValueError(
                f"n_head is {self.n_head}, expected a divisor of n_embd, which is {self.n_embd}"
            )

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
class OptimConfig(RangedConfig):
    """Learning rates and their schedule.

    ``learning_rate`` is AdamW's, for embeddings, biases and gains (and for matrices too if
    ``matrices`` is "adamw"); ``matrix_learning_rate`` is Muon's.
    """

    matrices: Literal["muon", "adamw"] = "muon"
    learning_rate: float = number_field(3e-3, least=0, most=1e30)
    matrix_learning_rate: float = number_field(5e-3, least=0, most=1e30)
    # Of position vectors, which a higher rate turns into noise.
    position_rate: float = number_field(3e-4, least=0, most=1e30)
    weight_decay: float = number_field(0.02, least=0, most=10)
    position_decay: float = number_field(0.0, least=0, most=10)  # weight decay of position vectors
    beta1: float = number_field(0.9, least=0, most=_BELOW_ONE)
    beta2: float = number_field(0.95, least=0, most=_BELOW_ONE)
    momentum: float = number_field(0.95, least=0, most=_BELOW_ONE)
    clip_norm: float = number_field(1.0, least=1e-9, most=1e9)
    warmup_steps: int = number_field(20, least=0, most=_MANY)
    schedule: Literal["stable", "cosine"] = "stable"  # after the warm-up
    # "stable": the last part of the steps, with a linear decay to zero.
    decay_share: float = number_field(0.88, least=0, most=1)


@dataclass(frozen=True, kw_only=True)
class PretrainConfig(RangedConfig):
    """The training loop: how much, how often, how precisely."""

    steps: int = number_field(9200, least=1, most=_MANY)
    # Stop early; the schedule still spans all steps.
    stop_after_steps: int | None = number_field(None, least=1, most=_MANY)
    batch_blocks: int = number_field(16, least=1, most=1 << 16)  # per step, over all processes
    micro_batch_blocks: int = number_field(8, least=1, most=1 << 16)  # per pass of one process
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    shard_model: bool = False  # each process holds a part of the weights: FSDP instead of DDP
    # With shard_model: fetch a layer's weights again for its backward pass, or keep them.
    reshard_after_forward: bool = True
    # torch.compile of each layer. "auto": on GPUs, where it pays for its minute at the start.
    compile: Literal["auto", "on", "off"] = "auto"
    compile_backend: CompileBackend = "inductor"
    compile_mode: CompileMode = "default"
    gradient_checkpointing: bool = False  # less memory, a third more computation
    # "structured": position waves and look-back heads (training/step/init_weights.py); "plain":
    # all weights random, as GPT-2's.
    initialisation: Literal["structured", "plain"] = "structured"
    # Of embeddings, attention's weights and what each layer adds; a single pass needs none.
    dropout: float = number_field(0.0, least=0, most=0.9)
    within_documents: bool = True  # attention and positions end at document boundaries
    # On CPUs, a block's gradient includes one of them; 1 for all, which GPUs always include
    # (training/step/loss.py).
    rare_token_slices: int = number_field(8, least=1, most=1 << 20)
    validate_every_steps: int = number_field(250, least=1, most=_MANY)
    validation_blocks: int = number_field(32, least=1, most=_MAX_BLOCKS)
    # After the last step, spread evenly over the held-out documents.
    final_validation_blocks: int = number_field(256, least=1, most=_MAX_BLOCKS)
    save_every_steps: int = number_field(100, least=1, most=_MANY)
    # The newest; the best on held-out documents is kept too.
    keep_checkpoints: int = number_field(2, least=1, most=_MANY)
    # Multiples of this are kept permanently; 0 for none.
    keep_every_steps: int = number_field(0, least=0, most=_MANY)
    # Where in the data order to start, for start_from.
    first_block: int = number_field(0, least=0, most=1 << 53)
    start_from: Path | None = (
        None  # an artifact, "bundled", or OWNER/NAME@REVISION; its tokenizer is used
    )
    # A checkpoint, a run, or OWNER/NAME@REVISION of the Hub, whose training goes on here: with
    # its optimiser and its place in the data. Used by a run without checkpoints of its own.
    resume_from: Path | None = None
    # Required of the last validation for exit code 0.
    loss_below: float | None = number_field(None, least=0, most=1e6)
    seed: int = number_field(0, least=0, most=_MAX_SEED)
    # "tensorboard", "wandb", "trackio", "mlflow", several as a list, or "none".
    tracker: str | tuple[str, ...] | list[str] = "tensorboard"

    def __post_init__(self) -> None:
        super().__post_init__()
        wrong = [name for name in self.tracker_names if name not in TRACKERS]
        if wrong:
            raise ValueError(
                f"tracker is {wrong[0]!r:.40}, expected 'none', or one or several of"
                f" {', '.join(map(repr, TRACKERS))}"
            )

    @property
    def tracker_names(self) -> tuple[str, ...]:
        """The trackers, each once."""
        names = [self.tracker] if isinstance(self.tracker, str) else list(self.tracker)
        return tuple(dict.fromkeys(name for name in names if name != "none"))


@dataclass(frozen=True, kw_only=True)
class DistilConfig(RangedConfig):
    """Documents on which a run learns what a teacher predicts, in place of the text.

    With ``pretrain.start_from`` as the teacher, a model learns other documents and forgets little.
    """

    # An artifact with the run's tokenizer, "bundled", or OWNER/NAME@REVISION; None for none.
    teacher: Path | None = None
    path_prefix: str = ""  # of these documents' paths; "" for all documents
    # How much the divergence from the teacher counts, relative to the loss on other documents.
    weight: float = number_field(1.0, least=0, most=1e6)


@dataclass(frozen=True, kw_only=True)
class TrackingConfig(RangedConfig):
    """How trackers call a run, and what its logs keep."""

    project: str = "parrotlet"
    run_name: str | None = None  # None: the config's name
    offline: bool = False  # nothing leaves this machine, whatever a tracker does by default
    log_level: Literal["debug", "info", "warning", "error"] = "info"  # of RUN/process-N.log


@dataclass(frozen=True, kw_only=True)
class PublishConfig(RangedConfig):
    """Where a run is published on the Hugging Face Hub; nowhere without ``repo``."""

    repo: str | None = None  # OWNER/NAME
    private: bool = True
    branch: str | None = None  # None: the run's name, its start date and a random suffix
    # Also what a run resumes from elsewhere: optimiser and place in the data, far larger; of a
    # stream the path and hash of each document too.
    training_state: bool = False
    # Checkpoints queued while the Hub is unreachable.
    max_waiting: int = number_field(8, least=1, most=1_000_000)
    wait_s: float = number_field(600.0, least=0, most=1e7)  # at the end, for what is still queued

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.repo is not None:
            check_repo_name(self.repo)
        branch = self.branch
        if branch is not None and (branch == "main" or not _NAME.fullmatch(branch)):
            raise ValueError(
                f"publish.branch is {branch!r}, expected letters, digits, '-', '_', '.' and not"
                " 'main', into which it is merged"
            )


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
    stream: StreamConfig = field(default_factory=StreamConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    optim: OptimConfig = field(default_factory=OptimConfig)
    pretrain: PretrainConfig = field(default_factory=PretrainConfig)
    distil: DistilConfig = field(default_factory=DistilConfig)
    tracking: TrackingConfig = field(default_factory=TrackingConfig)
    publish: PublishConfig = field(default_factory=PublishConfig)

    @property
    def tokenizer_folder(self) -> Path:
        """Where the tokenizer is: in the artifact that the run starts from, if any."""
        start = self.pretrain.start_from
        return resolve_artifact(self.paths.tokenizer if start is None else start)
