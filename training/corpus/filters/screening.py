"""Screens one file: from bytes to the text that is kept, or a counted reason for dropping it.

The stages run in a fixed order, so that a file that several of them would drop is always counted
under the first. Everything here depends on the file and the config alone; what concerns several
documents is decided by :mod:`training.corpus.selection`. Called by
:mod:`training.corpus.extraction.source_extractor`.
"""

import ast
from collections import Counter
from dataclasses import dataclass, field

from packaging.utils import canonicalize_name

from training.corpus.config import CorpusConfig, FilterConfig
from training.corpus.filters.ast_fingerprint import parse_python
from training.corpus.filters.benchmark_problems import read_problems
from training.corpus.filters.contamination import ContaminationFilter
from training.corpus.filters.exclusions import EXCLUDED, Exclusions
from training.corpus.filters.path_filters import VENDORED, check_path, is_vendored
from training.corpus.filters.table_filter import TABLE, is_table
from training.corpus.filters.text_filters import check_header, check_origin, check_text, decode
from training.corpus.readers.package_names import NamedPackages
from training.corpus.readers.source_file import FileOrigin, SourceFile
from training.corpus.secrets import redact
from training.licensing.licences import find_disallowed, list_copyleft

OWN_TERMS = "LicenseRef-"  # as SPDX begins the names of licences that it does not list
LICENCE, UNPARSABLE = "licence", "does not parse"
BROKEN_BY_REDACTION = "secret outside strings"
MAX_EXAMPLES = 5  # paths recorded for each reason


@dataclass(kw_only=True)
class ScreeningCounts:
    """What happened to the files of a source.

    Attributes:
        n_files: Files screened.
        n_bytes: Their size.
        drops: Dropped files by reason.
        examples: The first dropped paths by reason.
        redactions: Placeholders in the kept documents by kind.
        unparsable: Kept documents that do not parse.
    """

    n_files: int = 0
    n_bytes: int = 0
    drops: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)
    redactions: Counter[str] = field(default_factory=Counter)
    unparsable: int = 0

    def add_drop(self, reason: str, example: str) -> None:
        """Counts a drop; the first few paths are kept as examples."""
        self.drops[reason] += 1
        examples = self.examples.setdefault(reason, [])
        if len(examples) < MAX_EXAMPLES:
            examples.append(example)


@dataclass(kw_only=True)
class _ScreenedFile:
    """A file on its way through the stages, which fill in ``text``, ``tree`` and ``redactions``."""

    file: SourceFile
    package: str  # normalized
    licence: str
    own_work: FilterConfig | None  # finds what is not the package's own work; None keeps all
    text: str = ""
    tree: ast.Module | None = None
    redactions: Counter[str] = field(default_factory=Counter)


class Screening:
    """The stages of a config, ready for any number of files."""

    def __init__(self, config: CorpusConfig) -> None:
        self._config = config
        self._allowed = frozenset(config.licences)
        self._copyleft = frozenset().union(*map(list_copyleft, config.licences))
        self._heldout = NamedPackages(config.heldout)
        self._exclusions = Exclusions.load(config.exclude)
        self._contamination = ContaminationFilter(
            read_problems(config.decontaminate),
            min_words=config.decontaminate_min_words,
            min_nodes=config.decontaminate_min_nodes,
        )
        self._stages = (
            self._check_path,
            self._decode,
            self._check_text,
            self._check_licence,
            self._redact,
            self._check_tree,
        )

    def find_disallowed(self, licence: str) -> tuple[str, ...]:
        """Returns the licences in an SPDX expression that the policy does not allow."""
        return find_disallowed(licence, self._allowed)

    def screen(
        self, file: SourceFile, *, origin: FileOrigin, counts: ScreeningCounts
    ) -> str | None:
        """Returns the text to keep, or None if the file is dropped.

        Args:
            file: The file as it was read.
            origin: The package it belongs to.
            counts: Counts the file, and its drop or its redactions.
        """
        counts.n_files += 1
        counts.n_bytes += len(file.data)
        heldout = self._heldout.find_document(origin.package, origin.name, path=file.path)
        screened = _ScreenedFile(
            file=file,
            package=str(canonicalize_name(origin.name)),
            licence=origin.licence,
            own_work=self._config.filters if heldout is None else None,
        )
        if self._exclusions.excludes(origin.package, origin.name, path=file.path):
            counts.add_drop(EXCLUDED, file.path)
            return None
        for stage in self._stages:
            reason = stage(screened)
            if reason is not None:
                counts.add_drop(reason, file.path)
                return None
        counts.redactions.update(screened.redactions)
        counts.unparsable += screened.tree is None
        return screened.text

    def _check_path(self, screened: _ScreenedFile) -> str | None:
        file, own_work = screened.file, screened.own_work
        if is_vendored(file.path):
            return VENDORED
        if file.problem is not None or own_work is None:
            return file.problem
        return check_path(file.path, screened.package, own_work)

    def _decode(self, screened: _ScreenedFile) -> str | None:
        screened.text, reason = decode(screened.file.data, self._config.filters)
        return reason

    def _check_text(self, screened: _ScreenedFile) -> str | None:
        reason = check_text(screened.text, self._config.filters)
        if reason is None and not self._is_own(screened.licence):
            declared = self._copyleft & list_copyleft(screened.licence)
            reason = check_header(screened.text, declared, self._allowed)
        if reason is None and screened.own_work is not None:
            reason = check_origin(screened.text, screened.own_work)
        return reason

    def _is_own(self, licence: str) -> bool:
        """Returns whether it is what the config calls its author's own terms for their code."""
        return licence == self._config.sources.folder_licence and licence.startswith(OWN_TERMS)

    def _check_licence(self, screened: _ScreenedFile) -> str | None:
        return LICENCE if self.find_disallowed(screened.licence) else None

    def _redact(self, screened: _ScreenedFile) -> str | None:
        """Replaces secrets and parses the result, which a placeholder outside a string breaks."""
        original = screened.text
        screened.text, screened.redactions = redact(original, self._config.secrets)
        screened.tree = parse_python(screened.text)
        if screened.tree is not None:
            return None
        if screened.redactions and parse_python(original) is not None:
            return BROKEN_BY_REDACTION
        return UNPARSABLE if self._config.filters.drop_unparsable else None

    def _check_tree(self, screened: _ScreenedFile) -> str | None:
        tree, own_work = screened.tree, screened.own_work
        max_share = None if own_work is None else own_work.max_table_share
        if tree is not None and is_table(tree, screened.text, max_share):
            return TABLE
        return self._contamination.check(screened.text, tree)
