"""Which documents are held out: never trained on, so that a model can be measured on them.

A config names packages (``heldout``), or leaves it to a share of the text (``heldout_share``). Then
packages are held out whole, in the order of a hash of their names, as long as they are small beside
the corpus; where all are too large for that (a single package, a few repositories), documents are,
in the order of a hash of their text. Both depend on the documents alone, not on the machine or the
order of the sources. Called by :mod:`training.corpus.selection.selection`.
"""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from packaging.utils import canonicalize_name

from training.corpus.config import CorpusConfig
from training.foundation.errors import CorpusError

DEFAULT_SHARE = 0.02
MIN_BYTES = 16_000  # a few blocks of tokens, or validation has nothing to measure
MAX_SHARE = 0.25  # of the text, for MIN_BYTES or a whole package
SHOWN = 5  # packages, in a message
WHOLE_PACKAGE = 5  # a package is held out whole up to so many times what is wanted


@dataclass(frozen=True, kw_only=True)
class HeldOut:
    """What is held out.

    Attributes:
        by: "name" (the config names packages), "package", "document", or "nothing".
        is_heldout: For each document whether it is.
        missing: The packages that the config names and that have no document, if none has.
    """

    by: str
    is_heldout: list[bool]
    missing: tuple[str, ...] = ()


def hold_out(
    config: CorpusConfig, package: Sequence[str], sha256: Sequence[str], n_bytes: Sequence[int]
) -> HeldOut:
    """Chooses what is held out of documents, given by three parallel columns.

    Raises:
        CorpusError: There is only one document.
    """
    names = [str(canonicalize_name(name)) for name in package]
    named = {str(canonicalize_name(name)) for name in config.heldout}
    is_heldout = [name in named for name in names]
    has_named = any(is_heldout)
    missing = () if has_named else tuple(sorted(named))
    share = _share(config, has_named=has_named)
    rest = [i for i, is_out in enumerate(is_heldout) if not is_out]
    if share == 0 or not rest:
        by = "name" if has_named else "nothing"
        return HeldOut(by=by, is_heldout=is_heldout, missing=missing)
    if len(rest) == 1:
        raise CorpusError(
            "the sources give only one document, and a corpus needs at least two, one of them held"
            " out for measuring; add sources, or loosen the filters"
        )
    total = sum(n_bytes[i] for i in rest)
    wanted = max(share * total, min(MIN_BYTES, MAX_SHARE * total))
    most = min(WHOLE_PACKAGE * wanted, MAX_SHARE * total)
    chosen = _whole_packages(rest, names, n_bytes, wanted=wanted, most=most)
    by = "package" if chosen else "document"
    for i in chosen or _documents(rest, sha256, n_bytes, wanted):
        is_heldout[i] = True
    return HeldOut(by=by, is_heldout=is_heldout, missing=missing)


def _share(config: CorpusConfig, *, has_named: bool) -> float:
    if config.heldout_share is not None:
        return config.heldout_share
    return 0.0 if has_named else DEFAULT_SHARE


def _whole_packages(
    rest: Sequence[int], names: Sequence[str], n_bytes: Sequence[int], *, wanted: float, most: float
) -> list[int]:
    """Takes packages until there is enough, none beyond ``most``; nothing if that is impossible."""
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


def _documents(
    rest: Sequence[int], sha256: Sequence[str], n_bytes: Sequence[int], wanted: float
) -> list[int]:
    """Takes documents until there is enough, but leaves one to train on."""
    chosen, n_taken = [], 0.0
    for i in sorted(rest, key=lambda i: (_draw(sha256[i]), i))[:-1]:
        if n_taken >= wanted:
            break
        chosen.append(i)
        n_taken += n_bytes[i]
    return chosen


def describe(record: Mapping[str, Any]) -> str:
    """Returns a line for people about what a report says was held out."""
    packages = record["packages"]
    some = ", ".join(packages[:SHOWN]) + (", ..." if len(packages) > SHOWN else "")
    amount = (
        f"{record['documents']} documents, {record['bytes'] / 1e6:.1f} MB,"
        f" {record['share']:.1%} of the text"
    )
    what = {
        "name": f"the packages named in 'heldout' ({some})",
        "package": f"{len(packages)} whole packages ({some})",
        "document": f"single documents of {len(packages)} packages ({some})",
    }
    if record["by"] == "nothing":
        return "held out: nothing; the tokenizer and the training need held-out documents"
    return f"held out, never trained on: {what[record['by']]}: {amount}"


def _draw(key: str) -> bytes:
    return hashlib.blake2b(f"heldout:{key}".encode(), digest_size=8).digest()
