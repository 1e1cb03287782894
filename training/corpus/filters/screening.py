"""One document through all stages that need nothing but itself: the pure heart of the corpus.

Filters, licence policy, redaction, grammar and contamination, in this order; a document dropped for
several reasons is always counted under the first. Called by
:mod:`training.corpus.extraction.source_reader`.
"""

from collections import Counter
from dataclasses import dataclass, field

from packaging.utils import canonicalize_name

from training.corpus.config import CorpusConfig, FilterConfig
from training.corpus.filters import generated_code
from training.corpus.filters.ast_fingerprint import parse
from training.corpus.filters.benchmark_problems import read_problems
from training.corpus.filters.contamination import ContaminationFilter
from training.corpus.filters.text_filters import decode, path_reason, text_reason
from training.corpus.licences import disallowed
from training.corpus.readers.archives import Member
from training.corpus.secrets import redact

LICENCE, UNPARSABLE = "licence", "does not parse"
BROKEN_BY_REDACTION = "secret outside strings"
EXAMPLES = 5  # kept of each reason


@dataclass(kw_only=True)
class Tally:
    """What happened to the files of a source."""

    n_files: int = 0
    n_bytes: int = 0
    drops: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)  # reason to the first paths
    redactions: Counter[str] = field(default_factory=Counter)  # by kind
    unparsable: int = 0  # and kept

    def drop(self, reason: str, example: str, n: int = 1) -> None:
        """Counts a drop; the first few keep their path as examples."""
        self.drops[reason] += n
        examples = self.examples.setdefault(reason, [])
        if len(examples) < EXAMPLES:
            examples.append(example)


class Screen:
    """The stages with their thresholds, ready for any number of documents."""

    def __init__(self, config: CorpusConfig) -> None:
        self._config = config
        self._allowed = frozenset(config.licences)
        self._heldout = frozenset(canonicalize_name(name) for name in config.heldout)
        self._contamination = ContaminationFilter(
            read_problems(config.decontaminate),
            min_words=config.decontaminate_min_words,
            min_nodes=config.decontaminate_min_nodes,
        )

    def not_allowed(self, licence: str) -> list[str]:
        """Returns the parts of a licence expression that the policy does not name."""
        return disallowed(licence, self._allowed)

    def check(self, file: Member, *, package: str, licence: str, tally: Tally) -> str | None:
        """Returns the text to keep, or None for a drop; either is counted.

        Args:
            file: What was read.
            package: Whose it is.
            licence: Of its package, as an SPDX expression.
            tally: Counts into this.
        """
        tally.n_files += 1
        tally.n_bytes += len(file.data)
        name = str(canonicalize_name(package))
        filters = self._config.filters
        own = None if name in self._heldout else filters
        reason = path_reason(file.path) or file.problem
        if reason is None and own:
            reason = generated_code.path_reason(file.path, name, own)
        text = ""
        if reason is None:
            text, reason = decode(file.data, filters)
        if reason is None:
            reason = text_reason(text, filters)
        if reason is None and own:
            reason = generated_code.text_reason(text, own)
        if reason is None and self.not_allowed(licence):
            reason = LICENCE
        if reason is None:
            text, reason = self._look_inside(text, own, tally)
        if reason is not None:
            tally.drop(reason, file.path)
            return None
        return text

    def _look_inside(
        self, text: str, own: FilterConfig | None, tally: Tally
    ) -> tuple[str, str | None]:
        redacted, found = redact(text, self._config.secrets)
        tree = parse(redacted)
        if tree is None:
            if found and parse(text) is not None:
                return "", BROKEN_BY_REDACTION
            if self._config.filters.drop_unparsable:
                return "", UNPARSABLE
        reason = generated_code.tree_reason(tree, redacted, own) if own and tree else None
        reason = reason or self._contamination.reason(redacted, tree)
        if reason is None:
            tally.redactions.update(found)
            tally.unparsable += tree is None
        return redacted, reason
