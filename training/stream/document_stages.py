"""From a record to the document that is trained on: the corpus' stages that need nothing else.

Filters, licences, secrets, grammar, benchmark problems and quality are those of a corpus, run by
its own code; what needs several documents (near duplicates, shares of packages) is left out.
Repeated documents are found by :mod:`training.stream.lane`. Called by
:mod:`training.stream.document_reader` and :mod:`training.stream.heldout_blocks`.
"""

import hashlib
from collections import Counter
from pathlib import PurePosixPath

from training.corpus.config import CorpusConfig
from training.corpus.corpus_document import Document
from training.corpus.extraction.source_extractor import SourceExtractor
from training.corpus.filters.screening import ScreeningCounts
from training.corpus.readers.package_names import NamedPackages, normalize_name
from training.corpus.readers.records.record_parsing import RecordParser
from training.corpus.readers.records.record_slices import RecordFile
from training.corpus.readers.source_file import FileOrigin, SourceFile
from training.corpus.selection.balance import DOWN_WEIGHTED, draw_fraction
from training.corpus.selection.heldout_list import HeldoutList
from training.licensing.licences import UNKNOWN

HELDOUT = "held out"


class DocumentStages:
    """Makes documents of records, for training or for validation.

    Args:
        config: The stages' settings.
        heldout_share: The share of packages, or of documents without one, for validation.
        by_document: Whether it is a share of documents in any case.
    """

    def __init__(
        self, config: CorpusConfig, heldout_share: float, *, by_document: bool = False
    ) -> None:
        self._config = config
        self._extractor = SourceExtractor.create(config)
        self._heldout = NamedPackages(config.heldout)
        self._heldout_files = frozenset(config.heldout_files)
        self._heldout_list = HeldoutList(config.heldout_list)
        self._heldout_share = heldout_share
        self._by_document = by_document
        self.counts = ScreeningCounts()

    def open_parser(self, file: RecordFile) -> RecordParser:
        """Returns the parser of a file's records."""
        return RecordParser(
            fields=self._config.sources.record_fields,
            package=PurePosixPath(file.name.replace("\\", "/")).name,
            max_bytes=self._config.filters.max_bytes,
            private_globs=self._config.sources.private_globs,
        )

    def make_document(
        self, row: object, number: int, parser: RecordParser, *, for_validation: bool = False
    ) -> Document | None:
        """Returns a record's document, or None if it is dropped, which is counted.

        Args:
            row: The record.
            number: Tells it from the others of its file.
            parser: Of its file.
            for_validation: Whether to drop what is trained on instead of what is held out; without
                counting it.
        """
        file = parser.parse(row, number)
        is_heldout = self._is_heldout(file, parser)
        is_known = is_heldout or not self._heldout_list.has_hashes  # else only the hash tells
        if is_known and is_heldout != for_validation:
            self._leave_out(file, for_validation=for_validation)
            return None
        unknown = FileOrigin(
            name=parser.package, package=parser.package, version="", licence=UNKNOWN
        )
        document = self._extractor.make_document(
            file, package=unknown, counts=self.counts, overridden=set()
        )
        if document is None:
            return None
        is_heldout = is_heldout or bool(self._heldout_list.find("", "", document.sha256))
        if is_heldout != for_validation:
            self._leave_out(file, for_validation=for_validation)
            return None
        if document.weight >= 1:
            return document
        if draw_fraction(document.sha256, self._config.balance.seed) < document.weight:
            return document
        self._drop(DOWN_WEIGHTED, file)
        return None

    def _leave_out(self, file: SourceFile, *, for_validation: bool) -> None:
        """Counts a held-out document as a drop of the training; what is trained on is none."""
        if not for_validation:
            self._drop(HELDOUT, file)

    def take_counts(self) -> Counter[str]:
        """Returns the drops by reason since the last call."""
        drops, self.counts = self.counts.drops, ScreeningCounts()
        return drops

    def _drop(self, reason: str, file: SourceFile) -> None:
        self.counts.add_drop(reason, file.path)

    def _is_heldout(self, file: SourceFile, parser: RecordParser) -> bool:
        origin = file.origin
        if origin is None:
            return False
        if (
            self._heldout.find_document(origin.package, origin.name, path=file.path) is not None
            or file.path in self._heldout_files
            or self._heldout_list.find(origin.package, file.path)
        ):
            return True
        is_named = origin.package != parser.package and not self._by_document
        key = normalize_name(origin.package) if is_named else hashlib.sha256(file.data).hexdigest()
        return draw_fraction(key, 0) < self._heldout_share
