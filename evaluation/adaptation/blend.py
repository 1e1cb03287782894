"""Chooses how much of an adaptation to keep, so that a model forgets no more than it may.

The more the weights moved, the better a model predicts the repository and the worse other code.
Between the two, a share of the change keeps most of the gain and forgets much less. The share is
chosen on general code that no corpus here trains on, before the adapted model is measured; what was
measured with it is not measured again. However often a model is adapted, its change is counted from
the weights with which it all began.

Source: Wortsman et al. 2022, "Robust fine-tuning of zero-shot models", arXiv:2109.01903.
"""

import dataclasses
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from training.foundation.extras import require_extra

if __name__ == "__main__":
    require_extra("evaluate")  # before the imports that need it

from evaluation.adaptation.measurements import GENERAL_FILE, read_bits
from evaluation.bits import read_record_documents
from evaluation.comparison.file_bits import FileBits, bits_per_byte, measure_files
from evaluation.runs.corpus_documents import CorpusDocument
from training.artifact.adaptation.weight_interpolation import interpolate_weights, write_share
from training.artifact.directory import Artifact, load_artifact, round_weights
from training.foundation.atomic_files import write_json_atomically
from training.foundation.command_parser import command_parser
from training.foundation.errors import run_main

SMALLEST_SHARE = 0.2
MAX_MEASURED = 4
AIMED_FORGOTTEN = 0.013  # of the bits a byte of general code; elsewhere up to 1.5 times as much
_STEP = 0.01
_CLOSE, _AIMED_BELOW = 0.9, 0.97  # of it: near enough, and what the next share should come to
_POWER, _MIN_POWER, _MAX_POWER = 3.0, 0.7, 4.0
_LEAST = 1e-4  # that is forgotten, where a model became better
_PURPOSE = """\
Choose how much of an adaptation to keep: the largest share of the change of the weights with
which the model predicts general code almost as well as before. A stage of parrotlet adapt."""


@dataclass(frozen=True)
class KeptShare:
    """How much of the change to keep.

    Attributes:
        share: Of the change of the weights.
        general: What the model with it needs for general code; None if that was not measured.
    """

    share: float
    general: Sequence[FileBits] | None = None


def main(argv: Sequence[str]) -> int:
    """Writes what was measured and the share, which it prints."""
    parser = command_parser(
        "evaluation.adaptation.blend",
        _PURPOSE,
        example="{prog} bundled work/run/model --before work/before --general FILE --out FILE",
    )
    parser.add_argument("origin", type=Path, help="the model that was adapted first")
    parser.add_argument("trained", type=Path, help="what was trained")
    parser.add_argument(
        "--before", type=Path, required=True, metavar="FOLDER", help="with its measurements"
    )
    parser.add_argument(
        "--general", type=Path, required=True, metavar="FILE", help="general code, as JSON lines"
    )
    parser.add_argument(
        "--after", type=Path, metavar="FOLDER", help="where to write what the kept model needs"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="the share")
    options = parser.parse_args(argv)
    before = list(read_bits(options.before / GENERAL_FILE).values())
    kept = KeptShare(1.0)
    if before:  # else there is no general code
        documents = list(read_record_documents(options.general))
        kept = choose_share(
            load_artifact(options.origin), load_artifact(options.trained), documents, before
        )
    if options.after is not None and kept.general is not None:
        records = [file.to_json() for file in kept.general]
        write_json_atomically(options.after / GENERAL_FILE, records)
    write_share(options.out, kept.share)
    sys.stdout.write(f"{kept.share:.0%} of the change of the weights is kept\n")
    return 0


def choose_share(
    origin: Artifact,
    trained: Artifact,
    documents: Sequence[CorpusDocument],
    before: Sequence[FileBits],
) -> KeptShare:
    """Returns about the largest share with which general code is predicted well.

    What is forgotten grows like a power of the share, about its cube (``training/LOG.md``), so the
    measurements say which share to try next. If none of them fits, it is the smallest.

    Args:
        origin: The model that was adapted first.
        trained: What was trained, from it or from an adaptation of it.
        documents: General code.
        before: What the origin needs for it.
    """
    known = bits_per_byte(before)
    measured: dict[float, float] = {}
    share, kept = 1.0, KeptShare(SMALLEST_SHARE)
    while share not in measured and len(measured) < MAX_MEASURED:
        weights = interpolate_weights(origin.weights, trained.weights, share)
        stored = dataclasses.replace(trained, weights=round_weights(weights))
        found = measure_files(stored, documents)
        measured[share] = forgotten = bits_per_byte(found) / known - 1
        if forgotten <= AIMED_FORGOTTEN:
            kept = KeptShare(share, found) if share >= kept.share else kept
            if share == 1.0 or forgotten >= _CLOSE * AIMED_FORGOTTEN:
                break
        share = _extrapolate(measured)
    return kept


def _extrapolate(measured: dict[float, float]) -> float:
    """Returns the share at which about as much is forgotten as may be.

    Args:
        measured: What was forgotten at each share, the last one last.
    """
    *earlier, (share, forgotten) = [(s, max(f, _LEAST)) for s, f in measured.items()]
    power = _POWER
    if earlier:
        other_share, other = earlier[-1]
        found = math.log(other / forgotten) / math.log(other_share / share)
        power = min(_MAX_POWER, max(_MIN_POWER, found))
    wanted = share * math.pow(_AIMED_BELOW * AIMED_FORGOTTEN / forgotten, 1 / power)
    too_much = min((s for s, f in measured.items() if f > AIMED_FORGOTTEN), default=1.0)
    return round(max(SMALLEST_SHARE, min(math.floor(wanted / _STEP) * _STEP, too_much - _STEP)), 2)


if __name__ == "__main__":
    sys.exit(run_main(main))
