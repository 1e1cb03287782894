"""Chooses how much of an adaptation to keep, so that a model forgets no more than it may.

The more the weights moved, the better a model predicts the repository and the worse other code.
Between the two, a share of the change keeps most of the gain and forgets much less. The share is
chosen on general code that nothing was trained on, before the adapted model is measured.

Source: Wortsman et al. 2022, "Robust fine-tuning of zero-shot models", arXiv:2109.01903.
"""

import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path

from training.foundation.extras import require_extra

if __name__ == "__main__":
    require_extra("evaluate")  # before the imports that need it

from evaluation.adaptation.measurements import GENERAL_FILE, read_bits
from evaluation.bits import read_record_documents
from evaluation.comparison.file_bits import FileBits, bits_per_byte, measure_files
from evaluation.runs.corpus_documents import CorpusDocument
from training.artifact.adaptation.weight_interpolation import interpolate_weights, write_share
from training.artifact.directory import Artifact, load_artifact
from training.foundation.command_parser import command_parser
from training.foundation.errors import run_main

SHARES = (1.0, 0.8, 0.65, 0.5, 0.35)
AIMED_FORGOTTEN = 0.015  # of the bits a byte of general code; less than what is still accepted
_PURPOSE = """\
Choose how much of an adaptation to keep: the largest share of the change of the weights with
which the model predicts general code almost as well as before. A stage of parrotlet adapt."""


def main(argv: Sequence[str]) -> int:
    """Writes the share and prints it."""
    parser = command_parser(
        "evaluation.adaptation.blend",
        _PURPOSE,
        example="{prog} bundled work/run/model --before work/before --general FILE --out FILE",
    )
    parser.add_argument("base", type=Path, help="the model before")
    parser.add_argument("trained", type=Path, help="what was trained from it")
    parser.add_argument(
        "--before", type=Path, required=True, metavar="FOLDER", help="the measurements of the base"
    )
    parser.add_argument(
        "--general", type=Path, required=True, metavar="FILE", help="general code, as JSON lines"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="the share")
    options = parser.parse_args(argv)
    before = list(read_bits(options.before / GENERAL_FILE).values())
    share = SHARES[0]
    if before:  # else there is no general code
        documents = list(read_record_documents(options.general))
        share = choose_share(
            load_artifact(options.base), load_artifact(options.trained), documents, before
        )
    write_share(options.out, share)
    sys.stdout.write(f"{share:.0%} of the change of the weights is kept\n")
    return 0


def choose_share(
    base: Artifact,
    trained: Artifact,
    documents: Sequence[CorpusDocument],
    before: Sequence[FileBits],
) -> float:
    """Returns the largest share with which general code is predicted well; else the smallest.

    Args:
        base: The model before.
        trained: What was trained from it.
        documents: General code.
        before: What the model before needs for it.
    """
    known, forgotten_by_all = bits_per_byte(before), 0.0
    for share in SHARES[:-1]:
        if share**2 * forgotten_by_all > AIMED_FORGOTTEN:
            continue  # it grows with the square at most, so measuring would be in vain
        weights = interpolate_weights(base.weights, trained.weights, share)
        found = measure_files(dataclasses.replace(trained, weights=weights), documents)
        forgotten = bits_per_byte(found) / known - 1
        if forgotten <= AIMED_FORGOTTEN:
            return share
        forgotten_by_all = forgotten_by_all or forgotten
    return SHARES[-1]


if __name__ == "__main__":
    sys.exit(run_main(main))
