"""A streamed run beside the same run from shards: tokens a second, memory, and random kills.

Run: ``python tests/benchmarks/training/streaming.py --corpus CORPUS [--gigabytes 2] [--minutes 30]
[--kills 10] [--processes 2] [--config default.toml]``. Makes JSON lines of that size from a corpus'
documents, each with a line of its own, prepares shards of a part of them, and trains in turns from
shards and from the stream, so that both see the same load of the machine. Then one streamed run
goes undisturbed and another is killed (``kill -9``) at random times. Prints both rates, the most
memory of each process in each quarter of the streamed time, and whether the losses are equal; exit
code 1 if the stream is over 5% slower, a process has over 1.5 GB or grows, or a loss differs.
"""

import argparse
import contextlib
import itertools
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import psutil
import pyarrow.parquet as pq

from training.artifact.bundled import resolve_artifact
from training.config import ShardsConfig, StreamConfig
from training.corpus.config import CorpusConfig
from training.foundation.config_schema import load_toml
from training.stream.lane import StreamPlan
from training.stream.lane_state import start_state
from training.stream.lane_worker import iterate_windows
from training.stream.stream_files import list_stream_files, slice_files

ROOT = Path(__file__).resolve().parents[3]
TURNS = 4  # of shards and stream each
SHARDS_SHARE = 1 / 3  # of a turn of the stream, whose memory is watched too
WARM_UP_STEPS = 5  # of each start, while workers make their first windows
SAVING = "pretrain.save_every_steps=3"  # so that kills come before and after checkpoints
MAX_BYTES, MAX_GROWTH, MAX_SLOWER = 1.5e9, 1.1, 0.05
SETTINGS = """
extends = '{config}'
[paths]
tokenizer = 'bundled'
[pretrain]
steps = 1000000
validate_every_steps = 1000000
validation_blocks = 4
save_every_steps = 10
tracker = 'none'
[stream]
stages = '{stages}'
heldout_blocks = 8
"""
STAGES = """
out = 'nothing'
licences = {licences}
"""


def write_lines(corpus, path, n_bytes, n_files=4):
    """Writes files of together ``n_bytes``; returns the licences of their documents."""
    licences, written, turn = set(), 0, 0
    columns = ["package", "version", "path", "licence", "text"]
    files = [(path / f"part-{n}.jsonl").open("w") for n in range(n_files)]
    while written < n_bytes:
        turn += 1
        for parquet in sorted((corpus / "train").glob("*.parquet")):
            for batch in pq.ParquetFile(parquet).iter_batches(100, columns=columns):
                for row in batch.to_pylist():
                    licences.add(row["licence"])
                    row["text"] = f"# copy {turn}\n{row['text']}"
                    written += files[written % n_files].write(json.dumps(row) + "\n")
                if written >= n_bytes:
                    return licences
    return licences


class Run:
    """A run by Accelerate's launcher, with what it uses."""

    def __init__(self, config, folder, processes, *overrides):
        self.folder, self.most = folder, defaultdict(lambda: defaultdict(int))
        self.overrides = [str(config), f"paths.run={folder}", *map(str, overrides)]
        self.processes = processes

    def start(self, *overrides):
        command = [sys.executable, "-m", "training.launch", "--processes", str(self.processes)]
        environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
        log = (self.folder.parent / f"{self.folder.name}.log").open("a")
        return subprocess.Popen(
            [*command, *self.overrides, *overrides],
            cwd=ROOT,
            env=environment,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )

    def events(self):
        found = []
        metrics = self.folder / "metrics.jsonl"
        for line in metrics.read_text().splitlines() if metrics.exists() else ():
            try:
                found.append(json.loads(line))
            except ValueError:
                continue  # half a line, left by a kill
        return [event for event in found if event["event"] == "step"]

    def losses(self):
        return {event["step"]: event["loss"] for event in self.events()}

    def train_for(self, seconds):
        """Trains until so many seconds after the first new step; stops it as a user would."""
        process, before = self.start(), len(self.events())
        while len(self.events()) == before:
            if process.poll() is not None:
                raise SystemExit(self.folder.with_suffix(".log").read_text()[-2000:])
            time.sleep(0.2)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.look_at(process, 4 * (1 - (end - time.monotonic()) / seconds))
            time.sleep(0.5)
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()
        return self.events()[before + WARM_UP_STEPS :]

    def look_at(self, process, quarter):
        for found in psutil.Process(process.pid).children(recursive=True):
            try:
                command = " ".join(found.cmdline())
                kind = "training" if "pretrain.py" in command else "worker"
                n_bytes = found.memory_info().rss
            except psutil.Error:
                continue
            most = self.most[kind]
            most[int(min(quarter, 3))] = max(most[int(min(quarter, 3))], n_bytes)


def measure_reading(files, stages):
    """Returns how many tokens a second one worker makes of the documents, on one core."""
    plan = StreamPlan(
        slices=tuple(slice_files(list_stream_files(StreamConfig(files=files)).train, 16)),
        n_lanes=16,
        seed=0,
        tokenizer_file=resolve_artifact(Path("bundled")) / "tokenizer.json",
        shards=ShardsConfig(),
        stages=load_toml(CorpusConfig, stages),
        heldout_share=0.0,
        shuffle_documents=StreamConfig().shuffle_documents,
        shuffle_blocks=StreamConfig().shuffle_blocks,
        seen_documents=StreamConfig().seen_documents,
    )
    started, windows = time.process_time(), iterate_windows(plan, list(map(start_state, range(16))))
    n_tokens = sum(window.tokens.size for window in itertools.islice(windows, 24))
    return n_tokens / (time.process_time() - started)


def compare_rates(shards, stream, seconds):
    """Returns how much slower the stream is: the median of the turns, which a slow hour hits alike.

    Prints the median tokens a second of both in each turn; ``seconds`` are the stream's.
    """
    slower = []
    for turn in range(TURNS):
        rates = []
        for run, share in ((shards, SHARDS_SHARE), (stream, 1)):
            steps = run.train_for(seconds / TURNS * share)
            rates.append(statistics.median(event["tokens_per_s"] for event in steps))
        slower.append(1 - rates[1] / rates[0])
        words = f"{rates[0]:,.0f} tokens/s from shards, {rates[1]:,.0f} streamed"
        print(f"  turn {turn + 1}: {words}: {slower[-1]:.1%} less", flush=True)
    return statistics.median(slower)


def kill_family(process):
    """Kills a launcher and what it has started, each by its id."""
    try:
        family = [psutil.Process(process.pid)]
        family += family[0].children(recursive=True)
    except psutil.NoSuchProcess:
        family = []
    for member in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            member.kill()
    process.wait()


def kill(run, n_kills, n_steps, chance):
    """Trains ``n_steps`` steps, killed again and again; returns how many kills hit it."""
    hits = 0
    for _ in range(n_kills):
        process, before = run.start(f"pretrain.stop_after_steps={n_steps}"), len(run.events())
        while process.poll() is None and len(run.events()) == before:
            time.sleep(0.05)
        time.sleep(chance.uniform(0, 20))
        hits += process.poll() is None
        kill_family(process)
    run.start(f"pretrain.stop_after_steps={n_steps}").wait()
    return hits


def report_memory(run):
    """Prints the most memory by quarter; returns whether it is small and flat."""
    is_good = True
    for kind, most in sorted(run.most.items()):
        quarters = [most[n] for n in sorted(most)]
        print(f"  {kind}: {', '.join(f'{n / 1e6:,.0f} MB' for n in quarters)} by quarter")
        is_flat = quarters[-1] <= MAX_GROWTH * quarters[0]
        is_good &= max(quarters) <= MAX_BYTES and is_flat
    return is_good


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--shards", type=Path, help="instead of preparing some")
    parser.add_argument("--gigabytes", type=float, default=2)
    parser.add_argument("--minutes", type=float, default=30, help="of streaming; 0: only kills")
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--kill-steps", type=int, default=60)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--config", default="default.toml")
    parser.add_argument("overrides", nargs="*", help="key=value for both runs")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        config, data = folder / "run.toml", folder / "data"
        data.mkdir()
        licences = write_lines(options.corpus, data, options.gigabytes * 1e9)
        stages = folder / "stages.toml"
        stages.write_text(STAGES.format(licences=sorted(licences)))
        base = ROOT / "training/configs" / options.config
        config.write_text(SETTINGS.format(config=base, stages=stages))
        shards = options.shards or folder / "shards"
        if options.minutes and options.shards is None:
            words = [f"paths.corpus={options.corpus}", f"paths.shards={shards}", *options.overrides]
            command = [sys.executable, "-m", "training.prepare", str(config), *words]
            subprocess.run(command, cwd=ROOT, check=True)
        rate = measure_reading(f"{data}/*.jsonl", stages)
        print(f"a worker reads {rate:,.0f} tokens/s on one core", flush=True)
        words = (config, folder / "shards-run", options.processes, f"paths.shards={shards}")
        from_shards = Run(*words, *options.overrides)
        files = f"stream.files={data}/*.jsonl"
        stream = Run(config, folder / "stream-run", options.processes, files, *options.overrides)
        is_good = True
        if options.minutes:
            slower = compare_rates(from_shards, stream, options.minutes * 60)
            print(f"the stream is {slower:.1%} slower")
            is_good = report_memory(stream) and slower <= MAX_SLOWER
        if options.kills:
            whole, broken = (
                Run(config, folder / run, options.processes, files, SAVING, *options.overrides)
                for run in ("whole", "broken")
            )
            whole.start(f"pretrain.stop_after_steps={options.kill_steps}").wait()
            hits = kill(broken, options.kills, options.kill_steps, random.Random(0))
            same = whole.losses() == broken.losses() and len(whole.losses()) == options.kill_steps
            print(f"{hits} of {options.kills} kills hit; losses equal bit for bit: {same}")
            is_good &= same
    sys.exit(0 if is_good else 1)


if __name__ == "__main__":
    main()
