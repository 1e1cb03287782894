"""Averages the weights of checkpoints: ``python -m training.average_checkpoints RUN --out FOLDER``.

While the learning rate is high, weights wander about the point that they would reach if it decayed;
their mean lies near it. So the mean of a run's last checkpoints is a better model than the newest,
and says at any time how well the run does. Nothing of the run is changed, and it can go on.

Source: Izmailov et al. 2018, "Averaging Weights Leads to Wider Optima and Better Generalization"
(arXiv:1803.05407); Kaddour 2022, "Stop Wasting My Time! Saving Days of ImageNet and BERT Training
with Latest Weight Averaging" (arXiv:2209.14981).
"""

import argparse
import dataclasses
import functools
import sys
from collections.abc import Sequence
from pathlib import Path

from training.foundation.extras import require_extra

if __name__ == "__main__":
    require_extra("train")  # before the imports that need it

from training.artifact.directory import (
    ARTIFACT_FOLDER,
    CARD_FILE,
    RUN_CONFIG_FILE,
    Artifact,
    load_artifact,
    round_weights,
    save_artifact,
)
from training.artifact.extras.carry_extras import keep_extras
from training.artifact.manifest import COPY_AGAIN, MANIFEST_FILE, Manifest
from training.artifact.network.config import list_differences
from training.config import PretrainConfig
from training.foundation.atomic_files import check_replaceable
from training.foundation.command_parser import command_parser, whole_number
from training.foundation.errors import ArtifactError, ConfigError, ForeignDataError, run_main
from training.foundation.foreign_text import read_bounded
from training.licensing.attribution import read_notice
from training.run.checkpoint import list_checkpoints
from training.run.model_card import describe_average, list_steps
from training.run.run_metrics import BITS_PER_BYTE, LOSS, ValidationMetrics
from training.shards.blocks import BlockReader
from training.validate import open_heldout_blocks, select_device, validate_artifact

DEFAULT_LAST = 5
_MAX_TEXT_BYTES = 1 << 24  # of a card or a config
_PURPOSE = """\
Average the weights of a run's last checkpoints, or of those that you name, and write the result
as a model. It is better than the newest checkpoint while the learning rate has not decayed yet,
and shows what a long run has reached so far. The checkpoints must be of one run, which is not
changed and can go on. For a mean over a longer time, keep more checkpoints: with
pretrain.keep_every_steps, say."""
_EXAMPLE = """\
{prog} runs/default/run --out runs/default/average
{prog} runs/default/run/checkpoints/step-*00 --out runs/default/average"""


def main(argv: Sequence[str]) -> int:
    """Writes the average and prints of which steps it is."""
    options = _parser().parse_args(argv)
    checkpoints = _find_checkpoints(options.checkpoints, options.last)
    manifest = average_checkpoints(
        checkpoints, options.out, shards=options.shards, n_blocks=options.blocks
    )
    steps, measured = manifest.training.averaged_steps, manifest.evaluation
    result = (
        f"{measured[LOSS]:.4f} nats per token, {measured[BITS_PER_BYTE]:.4f} bits per byte"
        if measured
        else f"measure it with: parrotlet validate {options.out} --shards FOLDER"
    )
    sys.stdout.write(
        f"{options.out}: the mean of the weights after {list_steps(steps)} steps; {result}\n"
    )
    return 0


def average_checkpoints(
    checkpoints: Sequence[Path], out: Path, *, shards: Path | None = None, n_blocks: int = 1
) -> Manifest:
    """Writes the mean of checkpoints as an artifact; all else is as in the one trained longest.

    Args:
        checkpoints: Of one run.
        out: Where to write it.
        shards: Whose held-out blocks it is measured on; None measures nothing.
        n_blocks: How many of them, at most.

    Returns:
        What the artifact says about itself.

    Raises:
        ArtifactError: A checkpoint is damaged.
        ConfigError: They are not of one run, or ``out`` holds something else.
    """
    check_replaceable(out, ARTIFACT_FOLDER, key="--out")
    _check_average(out)
    paths = {load_artifact(p, reads_weights=False).manifest.training.steps: p for p in checkpoints}
    if len(paths) == 1:
        raise ConfigError(
            f"an average takes at least two checkpoints, and {checkpoints[0]} is the only one; let"
            " the run save more of them, or name checkpoints of different steps"
        )
    steps = tuple(sorted(paths))
    newest = load_artifact(paths[steps[-1]])
    blocks = None if shards is None else open_heldout_blocks(shards, newest)
    mean = _average_weights(newest, [paths[step] for step in steps[:-1]])
    evaluation = {} if blocks is None else _measure(mean, blocks, n_blocks)
    manifest = dataclasses.replace(
        newest.manifest,
        training=dataclasses.replace(newest.manifest.training, averaged_steps=steps),
        evaluation=evaluation,
        sha256={},
    )
    save_artifact(
        out,
        config=mean.config,
        weights=mean.weights,
        tokenizer=mean.tokenizer,
        manifest=manifest,
        card=describe_average(_read_text(newest.path / CARD_FILE), steps, evaluation),
        notice=read_notice(newest.path),
        run_config=_read_text(newest.path / RUN_CONFIG_FILE),
        complete=functools.partial(keep_extras, replaced=out),
    )
    return manifest


def _average_weights(newest: Artifact, others: Sequence[Path]) -> Artifact:
    """Returns the mean of an artifact and others, as it is stored; three are in memory at once."""
    totals = {name: weight.clone() for name, weight in newest.weights.items()}
    for path in others:
        artifact = load_artifact(path)
        _check_same_run(artifact, newest)
        for name, weight in artifact.weights.items():
            totals[name] += weight
    n_all = 1 + len(others)
    means = {name: total / n_all for name, total in totals.items()}
    return dataclasses.replace(newest, weights=round_weights(means))


def _measure(artifact: Artifact, blocks: BlockReader, n_blocks: int) -> dict[str, float]:
    """Measures an artifact with the attention boundaries of its training."""
    pretrain = artifact.manifest.training.config.get("pretrain")
    within = pretrain.get("within_documents") if isinstance(pretrain, dict) else None
    found = validate_artifact(
        artifact,
        blocks,
        n_blocks=n_blocks,
        device=select_device("auto"),
        within_documents=within is not False,
    )
    return ValidationMetrics.of(found).values()


def _check_same_run(artifact: Artifact, newest: Artifact) -> None:
    """Refuses a checkpoint whose mean with the newest means nothing, or whose data it hides."""
    expected = _identify(newest)
    differences = [
        *(name for name, *_ in list_differences(artifact.config, newest.config)),
        *(name for name, found in _identify(artifact).items() if found != expected[name]),
    ]
    if differences:
        raise ConfigError(
            f"{artifact.path} and {newest.path} are not checkpoints of one run: {differences[0]}"
            " differs; name checkpoints of one run"
        )


def _identify(artifact: Artifact) -> dict[str, object]:
    training = artifact.manifest.training
    pretrain = training.config.get("pretrain")
    return {
        "the tokenizer": artifact.tokenizer.sha256,
        "the corpus": training.data_hash,
        "the shards' hash": training.shards_hash,
        "the seed": training.seed,
        "start_from": pretrain.get("start_from") if isinstance(pretrain, dict) else None,
    }


def _find_checkpoints(paths: Sequence[Path], last: int) -> list[Path]:
    """Replaces a run by its last checkpoints.

    Raises:
        ConfigError: It has none.
    """
    if len(paths) > 1:
        return list(paths)
    found = list_checkpoints(paths[0] / "checkpoints")
    if not found:
        raise ConfigError(
            f"{paths[0]} is no run with checkpoints; name the folder of one (paths.run), or several"
            " checkpoints"
        )
    return found[-last:]


def _check_average(out: Path) -> None:
    """Refuses to replace a model that was trained, such as ``RUN/model``."""
    if (out / MANIFEST_FILE).is_file():
        manifest = load_artifact(out, reads_weights=False).manifest
        if not manifest.training.averaged_steps:
            raise ConfigError(
                f"--out is {out}, a model that is no average of checkpoints and would be replaced;"
                " choose a new or empty folder"
            )


def _read_text(file: Path) -> str:
    """Returns the content of a file that not every artifact has; "" without it."""
    try:
        return read_bounded(file, _MAX_TEXT_BYTES).decode(errors="replace")
    except FileNotFoundError:
        return ""
    except ForeignDataError as error:
        raise ArtifactError(f"{file} cannot be read: {error}; {COPY_AGAIN}") from error


def _parser() -> argparse.ArgumentParser:
    parser = command_parser("training.average_checkpoints", _PURPOSE, example=_EXAMPLE)
    parser.add_argument(
        "checkpoints",
        type=Path,
        nargs="+",
        metavar="RUN",
        help="the folder of a run (paths.run), or several checkpoints of one",
    )
    parser.add_argument(
        "--last",
        type=whole_number(2),
        default=DEFAULT_LAST,
        metavar="N",
        help="how many of a run's checkpoints, the newest first (default: %(default)s)",
    )
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FOLDER", help="where to write the model"
    )
    parser.add_argument(
        "--shards",
        type=Path,
        metavar="FOLDER",
        help="also measure the model on the held-out documents of these shards, and record it",
    )
    parser.add_argument(
        "--blocks",
        type=whole_number(1),
        default=PretrainConfig().final_validation_blocks,
        metavar="N",
        help="how many blocks to measure, spread evenly (default: %(default)s)",
    )
    return parser


if __name__ == "__main__":
    sys.exit(run_main(main))
