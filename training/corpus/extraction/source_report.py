"""What was counted while a source was read; saved with its part and included in the corpus report.

Field names are the keys of the JSON.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class SourceReport:
    """The counts of one source.

    Attributes:
        package: The package, or the file or dataset of records.
        version: Its version; empty if unknown.
        licence: Its SPDX expression.
        licence_source: Where the licence was found.
        licence_not_allowed: The licences in the expression that the policy does not allow.
        warnings: Sentences for the user.
        files: Files screened.
        bytes: Their size.
        drops: Dropped files by reason.
        examples: The first dropped paths by reason.
        redactions: Placeholders in kept documents by kind.
        unparsable: Kept documents that do not parse.
        overridden: The names in ``licence_overrides`` that applied.
    """

    package: str
    version: str
    licence: str
    licence_source: str
    licence_not_allowed: tuple[str, ...]
    warnings: tuple[str, ...]
    files: int
    bytes: int
    drops: Mapping[str, int]
    examples: Mapping[str, tuple[str, ...]]
    redactions: Mapping[str, int]
    unparsable: int
    overridden: tuple[str, ...] = ()
