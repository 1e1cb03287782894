"""An adaptation, killed at random moments with all its processes, goes on to the same end.

Run: ``python tests/benchmarks/training/adaptation_kills.py --model TINY [--kills 20] [--seed 0]``.
One adaptation to a few modules of the standard library goes undisturbed; others are killed
(``kill -9``) at random times and started again until they are done, as many as it takes for all
kills. Prints how many hit in which phase, and whether all weights are equal bit for bit; exit code
1 if they are not.
"""

import argparse
import asyncio
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import psutil

from server.adaptation.adaptation_request import AdaptationRequest
from server.adaptation.adaptation_state import AdaptationState
from server.adaptation.adapted_models import create_model, find_model_for
from server.settings import Settings
from training.foundation.atomic_files import file_sha256

SPEED = 20_000.0  # tokens per second to plan by, so that both plans are the same


def prepare(folder, data, options):
    """Returns the folder of an adapted model that is to be made."""
    os.environ["XDG_DATA_HOME"] = str(data)
    request = AdaptationRequest(
        folder=folder,
        minutes=options.minutes,
        model=str(options.model),
        tokens_per_s=SPEED,
        pauses_on_battery=False,
        pauses_while_typing=False,
        yields=False,
    )
    model = create_model(folder, request.model)
    request.write(model.folder / "request.json")
    return model.folder


def start(folder):
    command = [sys.executable, "-m", "parrotlet", "adapt", "--request", folder / "request.json"]
    with (folder / "log.txt").open("a") as log:
        return subprocess.Popen(command, stdout=log, stderr=log)


def end_well(process, folder):
    """Waits until a process has ended; one that has failed would fail again."""
    if process.wait():
        sys.exit((folder / "log.txt").read_text())


def kill(process):
    found = [psutil.Process(process.pid)]
    found += found[0].children(recursive=True)
    for one in found:
        try:
            one.kill()
        except psutil.Error:
            continue
    process.wait()


def is_done(folder):
    state = AdaptationState.read(folder)
    return state is not None and state.outcome is not None


def find_weights(folder):
    return [file_sha256(file) for file in folder.glob("artifacts/*/model.safetensors")]


def kill_until_done(folder, chance, options, hits):
    """Runs an adaptation with kills at random moments; returns how many models came too early."""
    served, n_early = Settings(model=str(options.model)), 0
    while not is_done(folder):
        process = start(folder)
        if hits.total() >= options.kills:
            end_well(process, folder)
            continue
        end = time.monotonic() + chance.uniform(0.5, options.longest_s)
        while time.monotonic() < end and process.poll() is None:
            time.sleep(0.05)
        if process.poll() is not None:
            end_well(process, folder)
            continue
        state = AdaptationState.read(folder)
        hits[str(state.phase) if state else "start"] += 1
        kill(process)
        n_early += not is_done(folder) and find_model_for([folder], served) is not None
    return n_early


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", type=Path, default=Path("server/model"))
    parser.add_argument("--minutes", type=float, default=0.9)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--longest-s", type=float, default=15.0, help="between two kills")
    options = parser.parse_args()
    options.model = options.model.absolute()
    chance, hits, found, n_early = random.Random(options.seed), Counter(), [], 0
    with tempfile.TemporaryDirectory() as aside:
        folder = Path(aside, "modules")
        folder.mkdir()
        for file in sorted(Path(asyncio.__file__).parent.glob("*.py"))[:14]:
            shutil.copy(file, folder)
        whole = prepare(folder, Path(aside, "whole"), options)
        end_well(start(whole), whole)
        expected = find_weights(whole)
        while hits.total() < options.kills:
            killed = prepare(folder, Path(aside, f"killed-{len(found)}"), options)
            n_early += kill_until_done(killed, chance, options, hits)
            found.append(find_weights(killed))
            print(f"adaptation {len(found)}: {hits.total()} kills hit so far", flush=True)
    n_equal = sum(weights == expected for weights in found)
    print(f"{hits.total()} kills hit: {dict(hits)}; {n_early} after the new model was in place")
    print(f"{n_equal} of {len(found)} adaptations ended with equal weights: {expected}")
    sys.exit(not expected or n_equal < len(found))


if __name__ == "__main__":
    main()
