"""Lines, blocks and infilling of a real model, end to end; benchmark problems in a corpus."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evaluation.infill import main as infill
from evaluation.lines import main as lines
from evaluation.passk.config import CorpusOverlap
from evaluation.problems.problem_sources import load_problems
from evaluation.runs.journal import read_journal
from training.corpus.overlap import main as overlap
from training.foundation.errors import ArtifactError, ConfigError

pytestmark = pytest.mark.integration


@pytest.fixture
def items(known_module, tmp_path):
    """Positions in a module that the model knows by heart."""
    path = tmp_path / "items.jsonl"
    at = known_module.index("total = 0.0")
    end = known_module.index("\n", at)
    block = known_module.index("    total = 0.0")
    records = [
        ("mid", at + len("total = "), end),
        ("start", at, end),
        ("block", block, known_module.index("\n", block)),
    ]
    path.write_text(
        "".join(
            json.dumps(
                {
                    "id": kind,
                    "kind": kind,
                    "prefix": known_module[:start],
                    "suffix": known_module[stop:],
                    "target": known_module[start:stop],
                }
            )
            + "\n"
            for kind, start, stop in records
        )
    )
    return path


def test_what_a_model_knows_by_heart_is_exact(tiny_artifact, items, tmp_path, capsys):
    out = tmp_path / "out"
    arguments = ["--model", str(tiny_artifact), "--items", str(items), "--out", str(out)]
    assert lines(arguments) == 0
    told = capsys.readouterr().out
    assert "exact match" in told
    summary = json.loads((out / "summary.json").read_text())
    assert summary["kinds"]["mid"]["exact_match"]["value"] == 1.0
    assert summary["kinds"]["start"]["exact_match"]["value"] == 1.0
    assert 0 <= summary["expected_calibration_error"] <= 1
    assert "Confidence and exact match" in (out / "report.html").read_text()
    answers = (out / "answers.jsonl").read_bytes()
    assert lines(arguments) == 0  # resumes: nothing is left to complete
    assert (out / "answers.jsonl").read_bytes() == answers
    other = items.read_text().replace('"mid", "kind"', '"mid2", "kind"')
    items.write_text(other)
    with pytest.raises(ConfigError, match="another items_sha256"):
        lines(arguments)


def test_infilling_applies_no_rule_of_the_server(tiny_artifact, items, tmp_path):
    out = tmp_path / "out"
    assert infill(["--model", str(tiny_artifact), "--items", str(items), "--out", str(out)]) == 0
    records = list(read_journal(out / "answers.jsonl"))
    assert [r["kind"] for r in records] == ["mid", "start", "block"]
    assert all(r["completion"] for r in records)
    with pytest.raises(ArtifactError, match="correct --model"):
        infill(["--model", str(tmp_path), "--items", str(items), "--out", str(out)])


def test_infilling_and_lines_do_not_share_a_folder(tiny_artifact, items, tmp_path):
    """If it fails, completions with the server's rules are reported as infilling."""
    items.write_text(items.read_text().splitlines()[0])
    arguments = ["--model", str(tiny_artifact), "--items", str(items), "--out"]
    for first, second in ((lines, infill), (infill, lines)):
        out = tmp_path / first.__module__
        assert first([*arguments, str(out)]) == 0
        before = {path.name: path.read_bytes() for path in out.iterdir()}
        with pytest.raises(ConfigError, match="contains a run with another command"):
            second([*arguments, str(out)])
        assert {path.name: path.read_bytes() for path in out.iterdir()} == before
        assert first([*arguments, str(out)]) == 0
    recorded = json.loads((tmp_path / "evaluation.lines" / "run.json").read_text())
    assert "command" not in recorded  # as in the folders of earlier versions


def test_problems_in_a_corpus_are_found_by_words_and_by_solution(tmp_path, capsys):
    """If it fails, a model is scored on problems that it was trained on, without a note."""
    words = "Return the number of seven legged spiders that sleep in every second green shed."
    solution = (
        "    total = 0\n    for shed in sheds:\n        if shed % 2 == 0:\n"
        "            total += spiders[shed] * 7\n    return total - len(sheds)\n"
    )
    problems = tmp_path / "problems.jsonl"
    records = [
        {
            "task_id": "t/words",
            "prompt": f'def a():\n    """{words}"""\n',
            "canonical_solution": "",
        },
        {
            "task_id": "t/solution",
            "prompt": "def count(sheds, spiders):\n",
            "canonical_solution": solution,
        },
        {"task_id": "t/none", "prompt": "def nothing():\n", "canonical_solution": "    pass\n"},
    ]
    problems.write_text("".join(json.dumps(r) + "\n" for r in records))
    renamed = "def n(a, b):\n" + solution.replace("sheds", "a").replace("spiders", "b")
    files = {"words.py": f"# {words}\n", "renamed.py": renamed, "other.py": "x = 1\n"}
    corpus = write_corpus(tmp_path / "corpus", files)
    out = tmp_path / "overlap.json"
    assert overlap([str(corpus), str(problems), "--out", str(out)]) == 0
    assert json.loads(out.read_text()) == {
        "corpus_sha256": "abc",
        "problems": {"t/words": ["p/words.py"], "t/solution": ["p/renamed.py"]},
        "searched": ["t/words", "t/solution", "t/none"],
    }
    assert "2 of 3 problems" in capsys.readouterr().out


def write_corpus(folder, files):
    (folder / "train").mkdir(parents=True)
    rows = [{"package": "p", "path": path, "text": text} for path, text in files.items()]
    pq.write_table(pa.Table.from_pylist(rows), folder / "train" / "0.parquet")
    least = {"decontaminate_min_words": 7, "decontaminate_min_nodes": 24}
    report = {"corpus_sha256": "abc", "config": least}
    (folder / "report.json").write_text(json.dumps(report))
    return folder


def test_mbpp_in_a_corpus_is_found_by_the_names_of_its_scores(tmp_path):
    """If it fails, MBPP problems of the corpus are never left out of the second score."""
    code = (
        "def count(sheds, spiders):\n    total = 0\n    for shed in sheds:\n"
        "        if shed % 2 == 0:\n            total += spiders[shed] * 7\n"
        "    return total - len(sheds)\n"
    )
    record = {"text": "Counts.", "test_list": ["assert count([], []) == 0"]}
    problems = tmp_path / "mbpp.jsonl"
    records = [
        {**record, "task_id": 2, "code": code},
        {**record, "task_id": 3, "code": "def count(x, y):\n    return 0\n"},
        {**record, "task_id": 2, "code": "def count(x, y):\n    return 1\n"},  # the name again
    ]
    problems.write_text("".join(json.dumps(r) + "\n" for r in records))
    corpus = write_corpus(tmp_path / "corpus", {"copy.py": code})
    out = tmp_path / "overlap.json"
    assert overlap([str(corpus), str(problems), "--out", str(out)]) == 0
    found = CorpusOverlap.read(out)
    problems.write_text("".join(json.dumps(r) + "\n" for r in records[:2]))
    problem_set = load_problems(str(problems))
    found.require_problems(problem_set)
    assert found.problems == {problem_set.problems[0].task_id}
