"""The held-out split: documents that are never trained on, so that a model can be measured on them.

A config names packages (``heldout``), a list of documents (``heldout_list``), the last file of the
records (``heldout_last_file``) or a share of the text (``heldout_share``). For a share, whole
packages are held out, in the order of a hash of their names, as long as they are small compared to
the corpus. If all are too large (a single package, a few repositories), single documents are, in
the order of a hash of their text. Both depend on the documents alone, not on the machine or on the
order of the sources. Called by :mod:`training.corpus.selection.selection`.
"""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from packaging.utils import canonicalize_name

from training.corpus.config import CorpusConfig
from training.corpus.readers.package_names import normalize_name
from training.corpus.selection.heldout_list import ListedDocuments
from training.foundation.errors import CorpusError

DEFAULT_SHARE = 0.02
MIN_BYTES = 16_000  # a few blocks of tokens; less is too little to validate on
MAX_SHARE = 0.25  # of the text, for MIN_BYTES or a whole package
MAX_OVERSHOOT = 5  # times the wanted size that a package held out as a whole may have


@dataclass(frozen=True, kw_only=True)
class HeldoutSplit:
    """Which documents are held out.

    Attributes:
        by: "name" (the config names packages), "list" (of documents), "last file", "package",
            "document", or "nothing".
        is_heldout: For each document, whether it is held out.
        missing: The packages that the config names, if none of them has a document.
        unmatched: The names in the config that no document has.
        unmatched_files: The same of its paths (``heldout_files``).
    """

    by: str
    is_heldout: list[bool]
    missing: tuple[str, ...] = ()
    unmatched: tuple[str, ...] = ()
    unmatched_files: tuple[str, ...] = ()


def hold_out(
    config: CorpusConfig,
    package: Sequence[str],
    sha256: Sequence[str],
    n_bytes: Sequence[int],
    named: Sequence[str | None],
    *,
    listed: ListedDocuments | None = None,
) -> HeldoutSplit:
    """Chooses the documents to hold out, given as parallel columns.

    Args:
        config: The corpus' config.
        package: The package of each document.
        sha256: Its hash.
        n_bytes: Its size.
        named: The name in ``heldout`` that means its package, or its path if that is in
            ``heldout_files``; None if there is neither.
        listed: What the config holds out by a list or as a file; None for nothing.

    Raises:
        CorpusError: There is only one document.
    """
    names = [str(canonicalize_name(name)) for name in package]
    is_heldout = [name is not None for name in named]
    has_named, chosen_by = any(is_heldout), "name"
    if listed is not None and any(listed.is_listed):
        is_heldout = [one or other for one, other in zip(is_heldout, listed.is_listed, strict=True)]
        chosen_by = "name" if has_named else "list" if config.heldout_list else "last file"
    asked = {normalize_name(name) for name in config.heldout}
    unmatched = tuple(sorted(asked - {normalize_name(name) for name in named if name}))
    missing = () if has_named else unmatched
    unmatched += () if listed is None else listed.unmatched
    split = partial(
        HeldoutSplit,
        missing=missing,
        unmatched=unmatched,
        unmatched_files=tuple(sorted(set(config.heldout_files).difference(named))),
    )
    has_named = any(is_heldout)
    share = _resolve_share(config, has_named=has_named)
    rest = [i for i, is_out in enumerate(is_heldout) if not is_out]
    if share == 0 or not rest:
        by = chosen_by if has_named else "nothing"
        return split(by=by, is_heldout=is_heldout)
    if len(rest) == 1:
        raise CorpusError(
            "the sources give only one document, and a corpus needs at least two, one of them held"
            " out for measuring; add sources, or loosen the filters"
        )
    total = sum(n_bytes[i] for i in rest)
    wanted = max(share * total, min(MIN_BYTES, MAX_SHARE * total))
    most = min(MAX_OVERSHOOT * wanted, MAX_SHARE * total)
    chosen = _choose_packages(rest, names, n_bytes, wanted=wanted, most=most)
    by = "package" if chosen else "document"
    for i in chosen or _choose_documents(rest, sha256, n_bytes, wanted):
        is_heldout[i] = True
    return split(by=by, is_heldout=is_heldout)


def _resolve_share(config: CorpusConfig, *, has_named: bool) -> float:
    if config.heldout_share is not None:
        return config.heldout_share
    return 0.0 if has_named else DEFAULT_SHARE


def _choose_packages(
    rest: Sequence[int], names: Sequence[str], n_bytes: Sequence[int], *, wanted: float, most: float
) -> list[int]:
    """Returns the documents of packages of ``wanted`` to ``most`` bytes; none if impossible."""
    sizes: Counter[str] = Counter()
    for i in rest:
        sizes[names[i]] += n_bytes[i]
    taken: set[str] = set()
    n_taken = 0
    for name in sorted(sizes, key=_draw):
        if n_taken < wanted and n_taken + sizes[name] <= most:
            taken.add(name)
            n_taken += sizes[name]
    return [i for i in rest if names[i] in taken] if n_taken >= wanted else []


def _choose_documents(
    rest: Sequence[int], sha256: Sequence[str], n_bytes: Sequence[int], wanted: float
) -> list[int]:
    """Returns documents of ``wanted`` bytes or slightly more, but leaves one to train on."""
    chosen, n_taken = [], 0.0
    for i in sorted(rest, key=lambda i: (_draw(sha256[i]), i))[:-1]:
        if n_taken >= wanted:
            break
        chosen.append(i)
        n_taken += n_bytes[i]
    return chosen


def _draw(key: str) -> bytes:
    return hashlib.blake2b(f"heldout:{key}".encode(), digest_size=8).digest()
