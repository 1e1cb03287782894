"""Labels documents by the quality of their source: "low", "mid", "high", or "" if unknown.

The level becomes a token at the start of the document, so that the model learns the difference and
the server can ask for the best; nothing is dropped for it. The facts come from a record (``stars``)
or from a table of packages. Called by :mod:`training.corpus.extraction.source_extractor`.

Source: Korbak et al. 2023, "Pretraining Language Models with Human Preferences", arXiv:2302.08582
(conditional training).
"""

import csv
from collections.abc import Mapping
from dataclasses import dataclass, field

from training.corpus.config import QualityConfig
from training.corpus.readers.package_names import normalize_name
from training.foundation.errors import CorpusError

Facts = Mapping[str, float]
NUMBERS = ("stars", "downloads", "dependents")


@dataclass(frozen=True, kw_only=True)
class QualityRules:
    """The rules of a config, and the facts in its table of packages."""

    config: QualityConfig
    table: Mapping[str, Facts] = field(default_factory=dict)

    @classmethod
    def load(cls, config: QualityConfig) -> "QualityRules":
        """Reads the config's table.

        Raises:
            CorpusError: The table cannot be read.
        """
        return cls(config=config, table=_read_table(config) if config.table else {})

    def find_level(self, package: str, facts: Facts) -> str:
        """Returns the level of the first rule that applies; "" if none does.

        Args:
            package: The package's name.
            facts: The source's own facts; those in the table take precedence.
        """
        known = {**facts, **self.table.get(normalize_name(package), {})}
        for rule in self.config.rules:
            wanted = {
                "stars": rule.min_stars,
                "downloads": rule.min_downloads,
                "dependents": rule.min_dependents,
                "has_tests": float(rule.needs_tests),
            }
            if all(not least or known.get(name, 0) >= least for name, least in wanted.items()):
                return rule.level
        return ""


def _read_table(config: QualityConfig) -> dict[str, Facts]:
    assert config.table is not None, "called only with a table"
    try:
        with config.table.open(encoding="utf-8", newline="") as file:
            return {
                normalize_name(row["package"]): {
                    name: float(row[name]) for name in NUMBERS if row.get(name)
                }
                for row in csv.DictReader(file, delimiter="\t")
            }
    except (OSError, ValueError, KeyError, AttributeError, csv.Error) as error:
        raise CorpusError(
            f"cannot read quality.table {config.table} ({error!r}); it needs tab-separated columns"
            f" 'package' and any of {', '.join(NUMBERS)}, with a header line"
        ) from error
