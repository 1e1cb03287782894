"""Extracts one source: opens it, screens every file and writes the kept documents into a part.

Runs in the worker processes. What concerns the corpus as a whole (duplicates, split, balance) is
decided by :mod:`training.corpus.selection`. Called by :mod:`training.corpus.build` and
``python -m training.cluster``.
"""

from dataclasses import dataclass, replace

from training.corpus.config import CorpusConfig
from training.corpus.corpus_document import Document
from training.corpus.extraction.parts import Part, PartWriter
from training.corpus.extraction.source_report import SourceReport
from training.corpus.filters.sampling_weights import compute_weight, is_test
from training.corpus.filters.screening import Screening, ScreeningCounts
from training.corpus.quality import QualityRules
from training.corpus.readers.corpus_source import CorpusSource, SourceKind
from training.corpus.readers.package_names import NamedPackages
from training.corpus.readers.source_contents import SourceContents, open_source
from training.corpus.readers.source_file import FileOrigin, SourceFile
from training.foundation.foreign_text import replace_surrogates

BEYOND_LIMITS = "archive beyond limits"


def _clean_origin(origin: FileOrigin) -> FileOrigin:
    """Returns an origin whose text is well-formed, whatever a reader found."""
    return replace(
        origin,
        name=replace_surrogates(origin.name),
        package=replace_surrogates(origin.package),
        version=replace_surrogates(origin.version),
        licence=replace_surrogates(origin.licence),
    )


def _is_package(source: CorpusSource) -> bool:
    """Returns whether a source is one package, instead of records of many."""
    return source.kind in {SourceKind.PACKAGE, SourceKind.GIT}


@dataclass(kw_only=True)
class SourceExtractor:
    """Extracts any number of sources; the stages that are costly to set up are set up once."""

    config: CorpusConfig
    screening: Screening
    quality: QualityRules
    overrides: NamedPackages

    @classmethod
    def create(cls, config: CorpusConfig) -> "SourceExtractor":
        """Sets up the stages of a config."""
        quality = QualityRules.load(config.quality)
        return cls(
            config=config,
            screening=Screening(config),
            quality=quality,
            overrides=NamedPackages(config.licence_overrides),
        )

    def extract(self, source: CorpusSource, part: Part) -> SourceReport:
        """Writes a source's part, and returns its report.

        An archive that exceeds its limits yields no documents and one counted drop: it must not
        stop the run.

        Raises:
            CorpusError: The source is damaged.
        """
        contents = open_source(source, self.config)
        counts = ScreeningCounts()
        if contents.beyond_limits is not None:
            counts.add_drop(BEYOND_LIMITS, source.path.name)
        writer = PartWriter(part=part)
        package = _clean_origin(self._describe_package(source, contents))
        overridden: set[str] = set()
        if _is_package(source):
            package = self._override_licence(package, overridden)
        for read in contents.files:
            document = self.make_document(
                read, package=package, counts=counts, overridden=overridden
            )
            if document is not None:
                writer.add(document)
        report = self._report(source, contents, package, counts, overridden)
        writer.close(report)
        return report

    def make_document(
        self,
        read: SourceFile,
        *,
        package: FileOrigin,
        counts: ScreeningCounts,
        overridden: set[str],
    ) -> Document | None:
        """Returns the document of a file, or None if it is dropped.

        Args:
            read: The file.
            package: The package of files that name none.
            counts: Counts the file.
            overridden: Receives the name in ``licence_overrides`` that applies, if any.
        """
        file = replace(read, path=replace_surrogates(read.path))
        origin = package
        if file.origin is not None:
            origin = self._override_licence(_clean_origin(file.origin), overridden)
        text = self.screening.screen(file, origin=origin, counts=counts)
        if text is None:
            return None
        return Document(
            package=origin.package,
            version=origin.version,
            path=file.path,
            licence=origin.licence,
            quality=self.quality.find_level(origin.name, origin.facts) or origin.quality,
            weight=compute_weight(file.path, text, self.config.balance),
            source=origin.name,
            text=text,
        )

    def _override_licence(self, origin: FileOrigin, overridden: set[str]) -> FileOrigin:
        """Returns an origin with the licence that the config states for it, if any.

        Args:
            origin: What the source says.
            overridden: Receives the config's name for the package.
        """
        name = self.overrides.find(origin.name, origin.package)
        if name is None:
            return origin
        overridden.add(name)
        return replace(origin, licence=self.config.licence_overrides[name])

    def _describe_package(self, source: CorpusSource, contents: SourceContents) -> FileOrigin:
        """Returns the package that the files of a source belong to, unless they name their own."""
        has_tests = _is_package(source) and any(is_test(file.path) for file in contents.files)
        return FileOrigin(
            name=source.name,
            package=contents.metadata.name or source.name,
            version=contents.metadata.version,
            licence=contents.metadata.licence,
            facts={"has_tests": has_tests},
        )

    def _report(
        self,
        source: CorpusSource,
        contents: SourceContents,
        package: FileOrigin,
        counts: ScreeningCounts,
        overridden: set[str],
    ) -> SourceReport:
        return SourceReport(
            package=package.package,
            version=package.version,
            licence=package.licence,
            licence_source=contents.metadata.licence_source,
            licence_not_allowed=(
                self.screening.find_disallowed(package.licence) if _is_package(source) else ()
            ),
            warnings=contents.warnings,
            files=counts.n_files,
            bytes=counts.n_bytes,
            drops=dict(sorted(counts.drops.items())),
            examples={reason: tuple(paths) for reason, paths in counts.examples.items()},
            redactions=dict(sorted(counts.redactions.items())),
            unparsable=counts.unparsable,
            overridden=tuple(sorted(overridden)),
        )
