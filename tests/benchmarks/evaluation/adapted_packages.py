"""What an adaptation brings on the five held-out packages: the whole bar, as a command.

Each package becomes a git repository with its documents; a fifth of the code is held out, the
bundled model is adapted for ``--minutes`` on the rest, and both models are measured on it: with the
workspace's memory, as editors use them, and without. Other packages' files say what was forgotten.
Five packages at 20 minutes take about three hours on two quiet cores; ``--packages`` chooses some.
What is finished is kept in ``--out``, so it can be interrupted.

Usage: ``PYTHONPATH=. python tests/benchmarks/evaluation/adapted_packages.py --corpus FOLDER``.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

from evaluation.accuracy.run import ANSWERS_FILE
from evaluation.adaptation.adaptation_result import judge
from evaluation.adaptation.measurements import Measurements
from evaluation.bits import main as measure_bits
from evaluation.comparison.file_bits import FileBits
from evaluation.lines import main as measure_lines
from evaluation.runs.corpus_documents import read_documents
from evaluation.runs.estimators import SampleCounts, compare_paired
from evaluation.runs.journal import read_records
from server.adaptation.adaptation_request import AdaptationRequest
from server.adaptation.adaptation_state import AdaptationState
from server.adaptation.adapted_models import create_model, find_models_folder
from training.artifact.adaptation.adaptation_record import ADAPTATION_FILE, AdaptationRecord
from training.artifact.bundled import BUNDLED_MODEL

PACKAGES = ("wagtail", "keystone", "nltk", "scikit-image", "cirq-core")
OTHER_FILES = 20  # of each other package
HELDOUT_SHARE = 0.2
_GIT = {f"GIT_{who}_{what}": "a@b" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
BARS = {
    "exact match of lines over all, relative": 0.20,
    "bits a byte, mean": -0.15,
    "bits a byte, each": -0.05,
    "loss on other packages": 0.02,
    "memory, bytes": 2.5e9,
}


def lay_out(package, corpus, folder):
    """Writes a package's documents as a repository with one commit."""
    if (folder / ".git").exists():
        return
    for document in read_documents(corpus, "heldout"):
        if document.package == package and ".." not in document.path.split("/"):
            file = folder / document.path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(document.text, encoding="utf-8")
    for words in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-qm", package]):
        subprocess.run(["git", "-C", folder, *words], check=True, env={**os.environ, **_GIT})


def adapt(folder, minutes):
    """Adapts the bundled model as users do; returns the adapted model's folder."""
    request = AdaptationRequest(
        folder=folder,
        minutes=minutes,
        heldout_share=HELDOUT_SHARE,
        pauses_on_battery=False,
        pauses_while_typing=False,
        yields=False,
    )
    model = create_model(folder, "")
    state = AdaptationState.read(model.folder)
    if state is None or state.outcome is None:
        request.write(model.folder / "request.json")
        command = [sys.executable, "-m", "parrotlet", "adapt", "--request"]
        subprocess.run([*command, model.folder / "request.json"], check=True)
    return create_model(folder, "")


def write_heldout(folder, record, out):
    """Writes the files that were held out as a corpus' split."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = [
        {"package": folder.name, "path": path, "text": (folder / path).read_text(encoding="utf-8")}
        for path in record.heldout
    ]
    (out / "heldout").mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), out / "heldout" / "0.parquet")


def measure_exact(model, corpus, out, n):
    """Returns which positions in lines a model completes exactly, without the memory."""
    words = ["--corpus", corpus, "--n", n, "--per-document", 8, "--out", out]
    measure_lines(["--model", str(model), *map(str, words)])
    answers = read_records(
        out / ANSWERS_FILE, lambda r: (r["id"], r["exact"], r["kind"] != "block")
    )
    return {name: exact for name, exact, is_line in answers if is_line}


def measure_others(model, package, corpus, out):
    """Returns what a model needs for files of the other packages."""
    if not out.exists():
        found = {}
        for document in read_documents(corpus, "heldout"):
            if document.package != package:
                found.setdefault(document.package, []).append(vars(document))
        chosen = [
            row
            for rows in found.values()
            for row in rows[:: max(1, len(rows) // OTHER_FILES)][:OTHER_FILES]
        ]
        records = out.with_suffix(".jsonl")
        records.write_text("".join(f"{json.dumps(row)}\n" for row in chosen))
        measure_bits(["--model", str(model), "--records", str(records), "--out", str(out)])
    return {row["name"]: FileBits.from_json(row) for row in json.loads(out.read_text())}


def measure(package, options):
    """Adapts to one package and returns its figures."""
    folder, out = options.out / package, options.out / f"{package}-measured"
    lay_out(package, options.corpus, folder)
    model = adapt(folder, options.minutes)
    result = json.loads((model.folder / "result.json").read_text())
    if model.artifact is None:
        return {"package": package, "result": result, "alone": None, "others": 0.0}
    record = AdaptationRecord.read(model.artifact / ADAPTATION_FILE)
    write_heldout(folder, record, out / "corpus")
    alone, others = [], []
    for name, artifact in (("before", BUNDLED_MODEL), ("after", model.artifact)):
        alone.append(measure_exact(artifact, out / "corpus", out / name, options.n))
        others.append(
            measure_others(artifact, package, options.corpus, out / f"{name}-others.json")
        )
    nothing = {"lines": {}, "blocks": {}, "bits": {}, "typed": {}}
    kept = judge(*(Measurements(**nothing, general=found) for found in others)).general
    return {"package": package, "result": result, "alone": alone, "others": kept.change}


def print_package(found):
    """Prints one package's figures."""
    result, lines = found["result"], found["result"].get("lines")
    bits, alone = result["bits"], found["alone"]
    shares = [sum(exact.values()) / len(exact) for exact in alone] if alone else [0.0, 0.0]
    print(
        f"{found['package']:14} bits {bits['before']:.3f} -> {bits['after']:.3f}"
        f" ({bits['change']:+.1%}); lines {shares[0]:.1%} -> {shares[1]:.1%}, with the memory"
        f" {lines['before']:.1%} -> {lines['after']:.1%}; other packages {found['others']:+.1%};"
        f" {result['worked_s'] / 60:.0f} min, {result['peak_bytes'] / 1e9:.2f} GB;"
        f" {result['outcome']}"
    )


def print_bars(found):
    """Prints each bar and the figure for it."""
    changes = [one["result"]["bits"]["change"] for one in found]
    pairs = [
        (before[name], after[name])
        for one in found
        if one["alone"]
        for before, after in [one["alone"]]
        for name in before
        if name in after
    ]
    counts = [[SampleCounts(1, int(exact)) for exact in side] for side in zip(*pairs, strict=True)]
    paired = compare_paired(counts[1], counts[0], 1)
    base = sum(before for before, _ in pairs) / len(pairs)
    figures = {
        "exact match of lines over all, relative": paired.value / base,
        "bits a byte, mean": sum(changes) / len(changes),
        "bits a byte, each": max(changes),
        "loss on other packages": max(one["others"] for one in found),
        "memory, bytes": max(one["result"]["peak_bytes"] for one in found),
    }
    for name, bar in BARS.items():
        print(f"{name}: {figures[name]:+.3g} (bar {bar:+.3g})")
    print(f"paired test over {len(pairs)} lines: {paired.value:+.3f}, p = {paired.p_value:.4f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--corpus", type=Path, default=Path("runs/corpus/default"))
    parser.add_argument("--out", type=Path, default=Path("runs/adapted-packages"))
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--n", type=int, default=150, help="positions of each kind")
    parser.add_argument("--packages", nargs="+", default=PACKAGES, choices=PACKAGES)
    options = parser.parse_args()
    options.out = options.out.absolute()
    options.corpus = options.corpus.absolute()
    os.environ["XDG_DATA_HOME"] = str(options.out / "data")  # not the user's own models
    find_models_folder().mkdir(parents=True, exist_ok=True)
    found = []
    for package in options.packages:
        found.append(measure(package, options))
        print_package(found[-1])
    better = [one for one in found if one["alone"]]
    print(f"{len(better)} of {len(found)} packages have a better model; of these:")
    if better:
        print_bars(better)


if __name__ == "__main__":
    main()
