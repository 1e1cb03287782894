"""Defines the BigQuery jobs: the SQL, its parameters, and names derived from them.

Configurations are the plain values of the REST API, so that this module needs no library and tests
can read them. Nothing is sent here. Called by ``__main__``.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

from training.foundation.errors import ConfigError

LOCATION = "US"  # where the public dataset is; a query runs where its tables are
DATASET = "parrotlet"
TABLE_LIFETIME_DAYS = 7
WHOLE = 1_000_000  # the share is counted in millionths

# The keys of the dataset's licence table. It does not distinguish "or later" for the GNU licences,
# so each counts as that version only.
SPDX = {
    "agpl-3.0": "AGPL-3.0-only",
    "apache-2.0": "Apache-2.0",
    "artistic-2.0": "Artistic-2.0",
    "bsd-2-clause": "BSD-2-Clause",
    "bsd-3-clause": "BSD-3-Clause",
    "cc0-1.0": "CC0-1.0",
    "epl-1.0": "EPL-1.0",
    "gpl-2.0": "GPL-2.0-only",
    "gpl-3.0": "GPL-3.0-only",
    "isc": "ISC",
    "lgpl-2.1": "LGPL-2.1-only",
    "lgpl-3.0": "LGPL-3.0-only",
    "mit": "MIT",
    "mpl-2.0": "MPL-2.0",
    "unlicense": "Unlicense",
}
_BUCKET_PREFIX = re.compile(r"gs://[a-z0-9][a-z0-9._-]+/[^*\s]*[^*\s/]")


@dataclass(frozen=True, kw_only=True)
class Extraction:
    """The files to extract; the order of ``licences`` does not matter.

    Attributes:
        licences: Keys of the licences to take.
        every_licence: Whether repositories under any licences are taken, each with its own; those
            in ``licences`` as SPDX identifiers.
        min_bytes: The size of the smallest file.
        max_bytes: The size of the largest file.
        share: The share of the contents; a larger share includes a smaller one.
    """

    every_licence: bool = False
    licences: tuple[str, ...] = ("apache-2.0", "bsd-2-clause", "bsd-3-clause", "isc", "mit")
    min_bytes: int = 1 << 10
    max_bytes: int = 1_000_000
    share: float = 1.0

    def __post_init__(self) -> None:
        unknown = sorted(set(self.licences) - set(SPDX))
        if unknown or not self.licences:
            raise ConfigError(
                f"licences are {', '.join(unknown) or 'none'}; expected some of {', '.join(SPDX)}"
            )
        if self.min_bytes > self.max_bytes:
            raise ConfigError(
                f"--min-bytes is {self.min_bytes} and --max-bytes {self.max_bytes}; expected the"
                " smaller one first"
            )
        if not 1 / WHOLE <= self.share <= 1:
            raise ConfigError(f"share is {self.share}; expected at least {1 / WHOLE:f}, at most 1")


def load_sql() -> str:
    """Returns the query."""
    return resources.files(__package__).joinpath("extract.sql").read_text(encoding="utf-8")


def build_parameters(extraction: Extraction) -> dict[str, int | list[str]]:
    """Returns the query's parameters by name."""
    licences = sorted(set(extraction.licences))
    return {
        "licences": licences,
        "spdx": [SPDX[key] for key in licences],
        "every_licence": int(extraction.every_licence),
        "min_bytes": extraction.min_bytes,
        "max_bytes": extraction.max_bytes,
        "share_millionths": round(extraction.share * WHOLE),
    }


def derive_name(extraction: Extraction, *more: str) -> str:
    """Returns a name that depends on the SQL, the parameters and ``more`` alone."""
    asked = json.dumps([load_sql(), build_parameters(extraction), *more], sort_keys=True)
    return hashlib.sha256(asked.encode()).hexdigest()[:16]


def make_destination_uri(bucket_prefix: str) -> str:
    """Returns the pattern of the files to write; BigQuery replaces the star by a number.

    Raises:
        ConfigError: The prefix is not ``gs://BUCKET/PREFIX``.
    """
    if not _BUCKET_PREFIX.fullmatch(bucket_prefix):
        raise ConfigError(
            f"bucket is {bucket_prefix}; expected gs://BUCKET/PREFIX, without a star or a slash at"
            " the end"
        )
    return f"{bucket_prefix}-*.json.gz"


def name_table(project: str, extraction: Extraction) -> dict[str, str]:
    """Returns the reference of the table that holds the rows until they are exported."""
    table = f"python_files_{derive_name(extraction)}"
    return {"projectId": project, "datasetId": DATASET, "tableId": table}


def describe_dataset(project: str) -> dict[str, Any]:
    """Returns the dataset of these tables, which expire by themselves."""
    return {
        "datasetReference": {"projectId": project, "datasetId": DATASET},
        "location": LOCATION,
        "defaultTableExpirationMs": str(TABLE_LIFETIME_DAYS * 24 * 3600 * 1000),
    }


def configure_dry_run(extraction: Extraction) -> dict[str, Any]:
    """Returns the job that only reports how many bytes the query would scan."""
    query = {"useLegacySql": False, "useQueryCache": False, **_describe_parameters(extraction)}
    return {"query": query, "dryRun": True}


def configure_query(
    extraction: Extraction, *, table: Mapping[str, str], max_billed_bytes: int
) -> dict[str, Any]:
    """Returns the query's job; BigQuery enforces the cap."""
    query = {
        "useLegacySql": False,
        "maximumBytesBilled": str(max_billed_bytes),
        "destinationTable": dict(table),
        "createDisposition": "CREATE_IF_NEEDED",
        "writeDisposition": "WRITE_TRUNCATE",
        **_describe_parameters(extraction),
    }
    return {"query": query}


def configure_extract() -> dict[str, Any]:
    """Returns the job that writes a table as gzipped JSON lines."""
    return {"extract": {"destinationFormat": "NEWLINE_DELIMITED_JSON", "compression": "GZIP"}}


def _describe_parameters(extraction: Extraction) -> dict[str, Any]:
    return {
        "parameterMode": "NAMED",
        "queryParameters": [
            {"name": name, **_describe_value(value)}
            for name, value in build_parameters(extraction).items()
        ],
    }


def _describe_value(value: int | list[str]) -> dict[str, Any]:
    if isinstance(value, int):
        return {"parameterType": {"type": "INT64"}, "parameterValue": {"value": str(value)}}
    return {
        "parameterType": {"type": "ARRAY", "arrayType": {"type": "STRING"}},
        "parameterValue": {"arrayValues": [{"value": v} for v in value]},
    }
