"""What settings of an adaptation bring: one plan, a training for each ``--arm``, figures of all.

An arm is settings of the training (``training/config.py``) in place of those that the plan chose;
the first one is the plan as it is. Of each are measured, against the bundled model: bits per byte
of held-out files of the package and of the unread packages, and exact lines without the memory;
first with all of the change of the weights, then with the share that would be kept, if it is less.
An arm of 20 minutes takes about 17 on two quiet cores. What is finished is kept in ``--out``.

Usage: ``PYTHONPATH=tests:. python tests/benchmarks/evaluation/adaptation_settings.py keystone
--corpus FOLDER --arm distil.weight=1 --arm "pretrain.batch_blocks=4 pretrain.steps=380"``.
"""

import argparse
import re
import shutil
import subprocess
import sys
from pathlib import Path

from benchmarks.evaluation.adapted_packages import (
    HELDOUT_SHARE,
    PACKAGES,
    lay_out,
    measure_exact,
)

from evaluation.adaptation.blend import AIMED_FORGOTTEN, choose_share
from evaluation.bits import read_record_documents
from evaluation.comparison.file_bits import bits_per_byte, measure_files
from evaluation.runs.corpus_documents import read_documents
from training.adaptation.configs import CORPUS, CORPUS_CONFIG, GENERAL, RUN_CONFIG
from training.artifact.adaptation.weight_interpolation import interpolate_weights
from training.artifact.bundled import BUNDLED_MODEL
from training.artifact.directory import WEIGHTS_FILE, load_artifact, replace_weights


def run_stage(name, *words, log):
    """Runs a command of Parrotlet."""
    with log.open("a") as file:
        command = [sys.executable, "-m", "parrotlet", name, *map(str, words)]
        subprocess.run(command, check=True, stdout=file, stderr=file)


def plan(options):
    """Plans the adaptation and builds its corpus; returns the folder of both."""
    repository, work = options.out / options.package, options.out / "plan"
    lay_out(options.package, options.corpus, repository)
    if not (work / CORPUS / "report.json").is_file():
        work.mkdir(parents=True, exist_ok=True)
        words = ["--base", BUNDLED_MODEL, "--work", work, "--minutes", options.minutes]
        words += ["--heldout-share", HELDOUT_SHARE]
        words += ["--speed", options.speed] if options.speed else []
        run_stage("adapt-plan", repository, *words, log=work / "log")
        run_stage("corpus", work / CORPUS_CONFIG, log=work / "log")
    return work


def train(work, arm, folder):
    """Trains an arm; returns its model's folder."""
    folder.mkdir(parents=True, exist_ok=True)
    own = [f"paths.shards={folder / 'shards'}", f"paths.run={folder / 'run'}", *arm.split()]
    if not (folder / "run" / "model" / WEIGHTS_FILE).is_file():
        run_stage("prepare", work / RUN_CONFIG, *own, log=folder / "log")
        run_stage("pretrain", work / RUN_CONFIG, *own, log=folder / "log")
    return folder / "run" / "model"


class Figures:
    """Measures models on what a package's plan has held out."""

    def __init__(self, work, options):
        self.work, self.n = work, options.n
        self.heldout = list(read_documents(work / CORPUS, "heldout"))[:: options.every]
        self.unread = list(read_record_documents(work / GENERAL))
        self.base = load_artifact(BUNDLED_MODEL)
        self.before = measure_files(self.base, self.unread)
        self.heldout_before = measure_files(self.base, self.heldout)
        self.exact_before = self.count_exact(BUNDLED_MODEL, work / "before")

    def count_exact(self, model, out):
        exact = measure_exact(model, self.work / CORPUS, out, self.n)
        return sum(exact.values()) / len(exact)

    def show(self, name, folder, share):
        """Prints what a model has learned and forgotten with a share of its change."""
        trained = load_artifact(folder)
        weights = interpolate_weights(self.base.weights, trained.weights, share)
        blended = folder.parent / f"model-{share:.2f}"
        shutil.copytree(folder, blended, dirs_exist_ok=True)
        replace_weights(blended, weights)
        artifact = load_artifact(blended)
        own = bits_per_byte(measure_files(artifact, self.heldout))
        other = bits_per_byte(measure_files(artifact, self.unread))
        exact = self.count_exact(blended, folder.parent / f"lines-{share:.2f}")
        forgotten = other / bits_per_byte(self.before) - 1
        print(
            f"{name or 'as planned'}, {share:.0%}: held-out files"
            f" {own / bits_per_byte(self.heldout_before) - 1:+.2%}, unread packages"
            f" {forgotten:+.2%}, lines {self.exact_before:.1%} -> {exact:.1%}",
            flush=True,
        )
        return forgotten


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("package", choices=PACKAGES)
    parser.add_argument("--corpus", type=Path, default=Path("runs/corpus/default"))
    parser.add_argument("--out", type=Path, default=Path("runs/adaptation-settings"))
    parser.add_argument("--arm", action="append", default=[], help="settings, separated by blanks")
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--speed", type=float, help="tokens per second, instead of measuring it")
    parser.add_argument("--every", type=int, default=3, help="of the held-out files")
    parser.add_argument("--n", type=int, default=250, help="positions of each kind")
    options = parser.parse_args()
    options.out, options.corpus = (
        (options.out / options.package).absolute(),
        options.corpus.absolute(),
    )
    work = plan(options)
    print((work / "log").read_text().splitlines()[0])
    figures = Figures(work, options)
    for arm in ("", *options.arm):
        slug = re.sub(r"[^\w.=-]+", "_", arm) or "as-planned"
        model = train(work, arm, options.out / slug)
        if figures.show(arm, model, 1.0) > AIMED_FORGOTTEN:
            kept = choose_share(figures.base, load_artifact(model), figures.unread, figures.before)
            figures.show(arm, model, kept.share)


if __name__ == "__main__":
    main()
