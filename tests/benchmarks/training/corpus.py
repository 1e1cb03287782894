"""Measures what corpus, tokenizer and shards cost.

Run: ``python tests/benchmarks/training/corpus.py [CORPUS [RUN.toml [OUT]]]``.

Without an argument, megabytes a second of each stage on one core, over the standard library. With a
corpus' config, the whole of ``python -m training.corpus`` in a process of its own, and with a run's
config ``training.train_tokenizer`` and ``training.prepare`` behind it: seconds, megabytes read a
second, and the peak of memory of the largest process and of all together. Archives that are not in
the cache yet are fetched, which counts. What was made stays in the folder OUT, if one is named.
"""

import gc
import json
import os
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
from pathlib import Path

from training.corpus.config import CorpusConfig, SourcesConfig
from training.corpus.dedup.exact_duplicates import hash_content
from training.corpus.dedup.near_duplicates import compute_sketches
from training.corpus.filters.ast_fingerprint import parse_python
from training.corpus.filters.benchmark_problems import read_problems
from training.corpus.filters.contamination import ContaminationFilter
from training.corpus.filters.text_filters import check_header, check_text, decode
from training.corpus.readers.folders import walk_python_files
from training.corpus.secrets import redact
from training.foundation.config_schema import load_toml

CONFIG = CorpusConfig(out=Path("unused"), licences=("PSF-2.0",), sources=SourcesConfig())
SAMPLE_INTERVAL_S = 0.1


def main(argv: list[str]) -> None:
    if argv:
        whole_run(*(Path(argument) for argument in argv))
    else:
        stages()


def stages() -> None:
    data = [path.read_bytes() for path in walk_python_files(Path(sysconfig.get_path("stdlib")))]
    texts = [text for text, reason in (decode(d, CONFIG.filters) for d in data) if reason is None]
    problems = read_problems(CONFIG.decontaminate)
    contamination = ContaminationFilter(problems, min_words=7, min_nodes=24)
    trees = [parse_python(text) for text in texts]
    gc.freeze()  # the trees kept here are no part of any stage
    n_bytes = sum(len(text.encode()) for text in texts)
    print(f"{len(texts)} documents, {n_bytes / 1e6:.1f} MB; MB a second on one core:")
    for name, stage in (
        ("decode", lambda: [decode(d, CONFIG.filters) for d in data]),
        ("filters", lambda: [check_text(text, CONFIG.filters) for text in texts]),
        ("headers", lambda: [check_header(text, frozenset(), frozenset()) for text in texts]),
        ("secrets", lambda: [redact(text, CONFIG.secrets) for text in texts]),
        ("grammar", lambda: [parse_python(text) is None for text in texts]),
        ("problems", lambda: list(map(contamination.check, texts, trees))),
        ("content key", lambda: [hash_content(text) for text in texts]),
        ("sketch", lambda: compute_sketches(texts)),
    ):
        started = time.process_time()
        stage()
        print(f"  {name:<12} {n_bytes / 1e6 / (time.process_time() - started):8.1f}")


def whole_run(corpus: Path, run: Path | None = None, kept: Path | None = None) -> None:
    parent = load_toml(CorpusConfig, corpus).out.parent
    parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=parent) as temporary:
        folder = kept or Path(temporary)
        lines = [measured("training.corpus", corpus, f"out={folder}/corpus")]
        if run is not None:
            names = ("corpus", "tokenizer", "shards")
            paths = [f"paths.{name}={folder}/{name}" for name in names]
            lines.append(measured("training.train_tokenizer", run, *paths))
            lines.append(measured("training.prepare", run, *paths))
        report = json.loads((folder / "corpus" / "report.json").read_text())
    n_bytes = sum(package["bytes"] for package in report["packages"])
    seconds = sum(line[0] for line in lines)
    print(f"{n_bytes / 1e6:.0f} MB read in {seconds:.0f} s, {n_bytes / 1e6 / seconds:.1f} MB/s:")
    for _, line in lines:
        print(line)


def measured(module: str, config: Path, *settings: str) -> tuple[float, str]:
    """Runs one command; returns its seconds and a line about it."""
    started = time.monotonic()
    process = subprocess.Popen([sys.executable, "-m", module, str(config), *settings])
    memory = Memory(process.pid)
    memory.start()
    assert process.wait() == 0
    seconds = time.monotonic() - started
    return seconds, (
        f"  {module:<26} {seconds:5.0f} s, peak memory {memory.largest / 1e6:.0f} MB in one"
        f" process, {memory.all / 1e6:.0f} MB in all"
    )


class Memory(threading.Thread):
    """Watches the resident memory of a process and its children until it ends."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._pid = pid
        self.largest = self.all = 0

    def run(self) -> None:
        page = os.sysconf("SC_PAGE_SIZE")
        while True:
            try:
                sizes = [resident(pid) * page for pid in family(self._pid)]
            except (FileNotFoundError, ProcessLookupError):
                return
            self.largest, self.all = max(self.largest, *sizes), max(self.all, sum(sizes))
            time.sleep(SAMPLE_INTERVAL_S)


def family(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(int(child) for child in children)]


def resident(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return 0


if __name__ == "__main__":
    main(sys.argv[1:])
