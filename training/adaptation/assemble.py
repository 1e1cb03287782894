"""Makes an artifact of what an adaptation has trained, with what its base knows besides weights.

The gate of the memory and the index of repeated training text go by tokens, so they stay valid for
a model with the same tokenizer; the calibration stays until the model is calibrated anew. A stage
of ``parrotlet adapt``.
"""

import argparse
import dataclasses
import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from training.foundation.extras import require_extra

if __name__ == "__main__":
    require_extra("train")  # before the imports that need it

from training.artifact.adaptation.adaptation_record import ADAPTATION_FILE, AdaptationRecord
from training.artifact.adaptation.weight_interpolation import interpolate_weights, read_share
from training.artifact.directory import add_file, load_artifact, replace_weights
from training.artifact.extras.carry_extras import carry_extras
from training.foundation.command_parser import command_parser
from training.foundation.config_schema import to_mapping
from training.foundation.errors import run_main

_PURPOSE = """\
Make an artifact of what an adaptation has trained: the trained weights, or a mean of them and
those of the model that was adapted first, with the gate of the memory and the index of training
text of the model it started from, and the record of what it has learned. A stage of
parrotlet adapt."""


def main(argv: Sequence[str]) -> int:
    """Writes the artifact."""
    options = _parser().parse_args(argv)
    share = 1.0 if options.blend is None else read_share(options.blend)
    record = dataclasses.replace(AdaptationRecord.read(options.record), trained_share=share)
    base = load_artifact(Path(record.base))
    shutil.rmtree(options.out, ignore_errors=True)  # of an interrupted run
    shutil.copytree(options.trained, options.out)
    if share < 1:
        # A plan of an earlier version names no origin: its share is of the change from the base.
        origin = load_artifact(Path(record.origin or record.base))
        trained = load_artifact(options.trained)
        replace_weights(options.out, interpolate_weights(origin.weights, trained.weights, share))
    carry_extras(options.out, base)
    add_file(options.out, ADAPTATION_FILE, json.dumps(to_mapping(record), indent=1).encode())
    sys.stdout.write(f"{load_artifact(options.out).path}\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = command_parser(
        "training.adaptation.assemble",
        _PURPOSE,
        example="{prog} work/run/model --record work/adaptation.json --out work/artifact",
    )
    parser.add_argument("trained", type=Path, metavar="MODEL", help="what was trained")
    parser.add_argument("--record", type=Path, required=True, metavar="FILE", help="the plan")
    parser.add_argument("--blend", type=Path, metavar="FILE", help="how much of it to keep")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="the artifact")
    return parser


if __name__ == "__main__":
    sys.exit(run_main(main))
