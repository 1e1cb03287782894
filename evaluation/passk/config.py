"""What a run of pass@k is made of; every default stands here."""

from dataclasses import dataclass, field

from evaluation.judge.verdict import Limits

# A function's body has ended where something new begins in the first column.
# Source: Chen et al. 2021, arXiv:2107.03374, section 2; extended by decorators and comments.
STOP = (
    "\nclass",
    "\ndef",
    "\n#",
    "\n@",
    "\nif",
    "\nprint",
    "\nfor",
    "\nwhile",
    "\nassert",
    "\nimport",
    "\nfrom",
)


@dataclass(frozen=True, kw_only=True)
class Generation:
    """How samples are drawn.

    ``stop`` ends the completion of a prompt; what fills a gap ends where the model ends it.
    """

    n: int = 5
    temperature: float = 0.2
    top_p: float = 0.95
    max_new_tokens: int = 256
    seed: int = 0
    stop: tuple[str, ...] = STOP

    def __post_init__(self) -> None:
        if self.n < 1 or self.max_new_tokens < 1:
            raise ValueError("--n and --max-new-tokens must be at least 1")
        if self.temperature < 0 or not 0 < self.top_p <= 1:
            raise ValueError("--temperature must be 0 or more, and --top-p above 0 and at most 1")


@dataclass(frozen=True, kw_only=True)
class PassConfig:
    """One run, as it is recorded in its folder."""

    problems: str = "humaneval"
    generation: Generation = field(default_factory=Generation)
    limits: Limits = field(default_factory=Limits)
    k: tuple[int, ...] = (1, 5)
    workers: int = 2

    def __post_init__(self) -> None:
        if not self.k or min(self.k) < 1:
            raise ValueError("every k must be at least 1")
        if self.workers < 1:
            raise ValueError("--workers must be at least 1")
