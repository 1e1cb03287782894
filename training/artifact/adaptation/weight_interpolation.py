"""Interpolates between the weights of a model before and after it was adapted.

A share of the change keeps most of what was learned and gives back most of what was forgotten. Of
attention's weights, the square of the share is kept: for what they learn of a repository, they
forget more than the others (``training/LOG.md``).
``evaluation.adaptation`` chooses the share, and ``training.adaptation`` applies it.

Source: Wortsman et al. 2022, "Robust fine-tuning of zero-shot models", arXiv:2109.01903.
"""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from training.foundation.atomic_files import write_json_atomically
from training.foundation.errors import ArtifactError
from training.foundation.foreign_text import as_object, read_json

_SHARE = "share"
_ATTENTION = ".attn."
_ADAPT_AGAIN = "adapt again with parrotlet adapt"


def interpolate_weights(
    base: Mapping[str, Tensor], trained: Mapping[str, Tensor], share: float
) -> dict[str, Tensor]:
    """Returns ``base + share * (trained - base)``, with the share squared for attention's weights.

    At 0 and at 1 they are exactly one of the two.

    Raises:
        ArtifactError: They are not weights of the same network.
    """
    if {n: w.shape for n, w in base.items()} != {n: w.shape for n, w in trained.items()}:
        raise ArtifactError(
            "the trained model and its base have weights of different shapes, expected the same;"
            f" {_ADAPT_AGAIN}"
        )
    return {
        name: torch.lerp(base[name], weight, share**2 if _ATTENTION in name else share)
        for name, weight in trained.items()
    }


def write_share(file: Path, share: float) -> None:
    """Writes which share of the change is kept."""
    write_json_atomically(file, {_SHARE: share})


def read_share(file: Path) -> float:
    """Reads what :func:`write_share` wrote.

    Raises:
        ArtifactError: It is missing or damaged.
    """
    try:
        share = float(as_object(read_json(file))[_SHARE])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ArtifactError(f"cannot read {file} ({error}); {_ADAPT_AGAIN}") from error
    if not 0 <= share <= 1:
        raise ArtifactError(f"{file}: {_SHARE} is {share}, expected 0 to 1; {_ADAPT_AGAIN}")
    return share
