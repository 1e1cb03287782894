"""Readers of evaluation get damaged input: they read it, or say one sentence, in little time."""

import gzip
import json
import random
import time

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fuzzing import FUZZ_SECONDS, mutations

from evaluation.accuracy.items import read_items
from evaluation.accuracy.metrics import CompletedItem
from evaluation.comparison.compare_runs import compare_runs
from evaluation.passk.config import CorpusOverlap
from evaluation.passk.judging import make_job, read_results
from evaluation.passk.passk_page import redraw_page
from evaluation.passk.sample_files import read_sample_file
from evaluation.problems.problem import Problem
from evaluation.problems.problem_sources import load_problems
from evaluation.replay.replay_metrics import count_tokens
from evaluation.runs.corpus_documents import read_documents
from evaluation.runs.journal import Journal, read_journal, read_records
from training.foundation.errors import ParrotletError

MAX_SECONDS = 5.0  # of one input of some kilobytes, on a busy machine
PROBLEM = {
    "task_id": "t/0",
    "prompt": "def one(x):\n    '''Adds.'''\n",
    "entry_point": "one",
    "canonical_solution": "    return x + 1\n",
    "test": "def check(candidate):\n    assert candidate(1) == 2\n",
}
MBPP = {
    "task_id": 2,
    "text": "Adds one.",
    "code": "def add_one(x):\n    return x + 1",
    "test_list": ["assert add_one(1) == 2"],
}
ITEM = {"id": "a", "kind": "mid", "prefix": "x = ", "suffix": "\n", "target": "1"}
ANSWER = {"id": "a", "completion": "1", "confidence": 0.5, "log_prob": -1.5, "reason": None}
EVENT = {"prompt_tokens": 5, "reused_tokens": 4, "new_tokens": 3, "stage": "shown", "ms": 1.5}
RESULT = {
    "task_id": "t/0",
    "sample": 0,
    "outcome": "failed",
    "passed": False,
    "detail": "d",
    "calls": 1,
    "cpu_s": 0.1,
    "wall_s": 0.2,
    "output": "o",
    "mode": "split",
    "isolation": "bubblewrap",
}
RUN = {
    "model": "m",
    "problems_sha256": "x",
    "generation": {"n": 1},
    "limits": {"cpu_s": 3.0},
    "isolation": "bubblewrap",
    "memory_bounded": "polling",
}
SUMMARY = {
    **RUN,
    "problem_set": "t",
    "is_partial": False,
    "is_valid": True,
    "samples": 1,
    "samples_wanted": 1,
    "problems": 1,
    "problems_in_set": 2,
    "problems_without_samples": ["t/1"],
    "invalid_problems": [],
    "outcomes": {"failed": 1},
    "pass_at_k": {"1": {"value": 0.0, "low": 0.0, "high": 0.8, "problems": 1}},
    "decontamination": None,
    "python": "3.11",
    "kernel": "6",
    "machine": "x86_64",
}


def lines(*records):
    return "".join(json.dumps(record) + "\n" for record in records).encode()


def judge_everything(path):
    for problem in load_problems(str(path)).problems:
        make_job(problem, problem.program("x"))


def resume(path):
    list(read_journal(path))
    with Journal(path) as journal:
        journal.append({"a": 1})


ONE = {"t/0": Problem(task_id="t/0", prompt="", entry_point="f", test="")}
READERS = {  # the file, its contents, and who reads it
    "samples": (
        "s.jsonl",
        lines({"task_id": "t/0", "completion": "x"}, {"task_id": "t/0", "solution": "y"}),
        lambda path: read_sample_file(path, ONE),
    ),
    "archive": (
        "s.jsonl.gz",
        gzip.compress(lines({"task_id": "t/0", "completion": "x" * 100})),
        lambda path: read_sample_file(path, ONE),
    ),
    "problems": ("p.jsonl", lines(PROBLEM, MBPP), judge_everything),
    "items": ("i.jsonl", lines(ITEM), lambda path: read_items(path, ("mid",))),
    "overlap": (
        "o.json",
        json.dumps({"corpus_sha256": "x", "problems": {"t/0": ["a"]}}).encode(),
        CorpusOverlap.read,
    ),
    "event log": (
        "server.jsonl",
        lines(EVENT, EVENT),
        lambda path: list(read_records(path, lambda record: count_tokens([record]))),
    ),
    "answers": (
        "answers.jsonl",
        lines(ANSWER, ANSWER),
        lambda path: list(read_records(path, lambda r: CompletedItem.from_json(r, None))),
    ),
    "journal": ("verdicts.jsonl", lines(RESULT, RESULT), resume),
    "results": ("results.jsonl", lines(RESULT, RESULT), lambda path: read_results(path.parent)),
    "summary": (
        "summary.json",
        json.dumps(SUMMARY).encode(),
        lambda path: redraw_page(path.parent),
    ),
    "identity": (
        "run.json",
        json.dumps(RUN).encode(),
        lambda path: compare_runs(path.parent, path.parent, [1]),
    ),
}


def check(read, path, what):
    """Reads a file; whatever is wrong with it must be one sentence."""
    started = time.monotonic()
    sentence = ""
    try:
        read(path)
    except ParrotletError as error:
        sentence = str(error)
    except Exception as error:
        raise AssertionError(what) from error
    sentence.encode()
    assert "\n" not in sentence, what
    assert time.monotonic() - started < MAX_SECONDS, what


@pytest.mark.parametrize("name", READERS)
def test_fuzz_of_files(tmp_path, name):
    """If it fails, somebody's file ends a command in a traceback, or takes it a minute."""
    file, data, read = READERS[name]
    path = tmp_path / file
    for number, damaged in mutations([data], seed=name, seconds=FUZZ_SECONDS / 5):
        for old in tmp_path.iterdir():
            old.unlink()
        path.write_bytes(damaged)
        check(read, path, f"mutation {number}: {damaged!r}")


def test_fuzz_of_a_corpus(tmp_path):
    folder = tmp_path / "heldout"
    folder.mkdir()
    rows = [{"package": "p", "path": f"{n}.py", "text": "x = 1\n" * n} for n in range(20)]
    seeds = []
    for compression in ("none", "zstd"):
        pq.write_table(pa.Table.from_pylist(rows), folder / "0.parquet", compression=compression)
        seeds.append((folder / "0.parquet").read_bytes())
    for number, damaged in mutations(seeds, seconds=FUZZ_SECONDS / 3):
        (folder / "0.parquet").write_bytes(damaged)
        check(lambda path: list(read_documents(path, "heldout")), tmp_path, f"mutation {number}")


VALUES = [None, True, -1, 0, 1.5, 10**300, "", "\ud800", "\x1b[31m", [], [[]], {}, {"a": [1]}]


@pytest.mark.parametrize("name", sorted(READERS.keys() - {"archive"}))
def test_values_of_every_other_type(tmp_path, name):
    """Each key of each record in turn gets values of other types."""
    file, data, read = READERS[name]
    path = tmp_path / file
    records = [json.loads(line) for line in data.splitlines()]
    chance = random.Random(0)
    for record in records:
        for key in record:
            for value in chance.sample(VALUES, 4):
                changed = {**record, key: value}
                is_whole = file.endswith(".json")
                path.write_bytes(lines(changed) if is_whole else lines(changed, records[0]))
                check(read, path, f"{key} = {value!r}")
