"""Reads wheels and sdists member by member, without trusting what they declare.

Nothing is extracted to disk or executed. Links and special members are skipped, paths that leave
the archive are refused, and an archive that exceeds its limits is abandoned. Called by
:mod:`training.corpus.readers.source_contents` and :mod:`training.corpus.fetching.lock_resolver`.
"""

import zipfile
from collections.abc import Iterator
from pathlib import Path

from training.corpus.config import ArchiveLimits
from training.corpus.readers.archives.tar_members import read_tar
from training.corpus.readers.archives.zip_members import read_zip
from training.corpus.readers.decompression import open_unpacked
from training.corpus.readers.reading_limits import (
    check_file,
    open_archive_budget,
    report_damage,
)
from training.corpus.readers.source_file import FileSelection, SourceFile

_ADVICE = "fetch it again or remove it from the sources"


def read_archive(
    path: Path, limits: ArchiveLimits, selection: FileSelection
) -> Iterator[SourceFile]:
    """Yields the selected files; those that are too large without their content.

    Raises:
        BeyondLimitsError: The archive is taken for a bomb.
        CorpusError: The archive is damaged or of an unknown kind.
    """
    check_file(path, _ADVICE)
    with (
        report_damage(path, "is damaged, or neither a wheel nor an sdist", _ADVICE),
        path.open("rb") as file,
    ):
        budget = open_archive_budget(path, limits)
        if zipfile.is_zipfile(file):
            yield from read_zip(file, path, budget, selection)
        else:
            file.seek(0)
            yield from read_tar(open_unpacked(file, budget), path, budget, selection)
