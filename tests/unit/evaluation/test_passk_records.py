"""Samples, results and summaries as files: what earlier versions wrote is still read."""

import argparse
import contextlib
import json
from dataclasses import replace

import pytest

from evaluation.generators.generator import Generation
from evaluation.judge.verdict import Outcome
from evaluation.passk.__main__ import main as passk
from evaluation.passk.config import CorpusOverlap, resolve_config
from evaluation.passk.passk_page import redraw_page, write_page
from evaluation.passk.records import PasskIdentity, Result, Sample
from evaluation.passk.sample_sources import (
    GivenSamples,
    check_sample_counts,
    open_source,
    read_samples,
)
from evaluation.passk.scoring import summarise
from evaluation.passk.summary import PasskSummary, check_validity, format_summary, list_names
from evaluation.problems.problem import Problem, ProblemSet
from evaluation.runs.processes import Processes
from evaluation.versus import main as versus
from training.foundation.errors import ConfigError, InvalidResultError, PrerequisiteError

TEST = "def check(candidate):\n    assert candidate() == 1\n"
ONE, TWO = (
    Problem(
        task_id=f"t/{name}",
        prompt=f"def {name}():\n",
        entry_point=name,
        canonical_solution="    return 1\n",
        test=TEST,
    )
    for name in ("one", "two")
)
PROBLEMS = ProblemSet(name="t", problems=(ONE, TWO))
IDENTITY = {
    "model": "m",
    "weights_sha256": "abc",
    "problems_sha256": PROBLEMS.sha256,
    "generation": {"n": 2},
    "limits": {"cpu_s": 3.0},
    "isolation": "bubblewrap",
    "memory_bounded": "cgroup",
}


def parse(**given):
    defaults = {
        "model": None,
        "samples": None,
        "canonical": False,
        "url": None,
        "key_variable": "PARROTLET_KEY",
        "k": None,
    }
    generation = {"n": 2, "temperature": 0.2, "top_p": 0.95, "max_new_tokens": 9, "seed": 0}
    judging = {"cpu_s": None, "memory_mib": 512, "workers": 1, "problems": "t"}
    return argparse.Namespace(**{**defaults, **generation, **judging, **given})


def result(task_id, number, outcome, **more):
    verdict = {"detail": "d", "calls": 1, "cpu_s": 0.5, "wall_s": 0.6, "output": "<o>"}
    scored = outcome not in {"sandbox_failure", "invalid_problem"}
    return Result.from_json(
        {
            "task_id": task_id,
            "sample": number,
            "outcome": outcome,
            "passed": outcome == "passed",
            **(verdict if scored else {}),
            "mode": "split",
            "isolation": "bubblewrap",
            **more,
        }
    )


RESULTS = [
    result("t/one", 0, "passed"),
    result("t/one", 1, "failed"),
    result("t/two", 0, "timeout_cpu", mode="in-process"),
    result("t/two", 1, "sandbox_failure"),
]


def make_summary(results=RESULTS, ks=(1,), overlap=None, n_wanted=4):
    config = resolve_config(parse(model="m", k=list(ks)), PROBLEMS)
    return summarise(
        results,
        sampled={r.task_id for r in results},
        n_wanted=n_wanted,
        identity=PasskIdentity.from_json(IDENTITY),
        problem_set=PROBLEMS,
        config=config,
        overlap=overlap,
    )


def test_an_identity_is_read_as_it_was_written():
    """If it fails, a run that an earlier version began cannot be resumed."""
    found = PasskIdentity.from_json(IDENTITY)
    assert found.source == {"model": "m", "weights_sha256": "abc"}
    assert json.dumps(found.to_json()) == json.dumps(IDENTITY)


@pytest.mark.parametrize("outcome", ["passed", "failed", "sandbox_failure", "invalid_problem"])
def test_results_are_read_as_they_were_written(outcome):
    found = result("t/one", 0, outcome)
    assert found.outcome is Outcome(outcome)
    assert found.has_passed is (outcome == "passed")
    assert Result.from_json(json.loads(json.dumps(found.to_json()))) == found


def test_a_result_of_an_earlier_version_lacks_keys_and_is_read():
    old = {"task_id": "t/one", "sample": 0, "outcome": "oom", "passed": False, "cpu_s": 1.5}
    found = Result.from_json(old)
    assert (found.detail, found.verdict.output, found.verdict.cpu_s) == ("", "", 1.5)


def test_the_hash_of_given_samples_is_that_of_earlier_versions(tmp_path):
    """If it fails, runs of --samples and --canonical that were begun earlier are refused."""
    path = tmp_path / "samples.jsonl"
    path.write_text(
        '{"task_id": "t/two", "solution": "def two(): ..."}\n'
        '{"sample": 7, "completion": "    return 1", "task_id": "t/two"}\n'
    )
    source = open_source(parse(samples=path), PROBLEMS)
    assert isinstance(source, GivenSamples)
    assert source.samples == [
        Sample(task_id="t/two", number=0, text="def two(): ...", is_program=True),
        Sample(task_id="t/two", number=1, text="    return 1"),
    ]
    digest = "90206b5f162d2213de595956d71f9349687f6f8108c299e255164dffafe0f426"
    assert source.identity == {"model": str(path), "samples_sha256": digest}
    canonical = open_source(parse(canonical=True), PROBLEMS)
    assert isinstance(canonical, GivenSamples)
    assert [sample.text for sample in canonical.samples] == ["    return 1\n"] * 2
    digest = "5d0038a327c0fcb454780cc244443778beff44fda4bf55fafce590c98bab8edd"
    assert canonical.identity == {"model": "canonical", "samples_sha256": digest}


def test_given_samples_are_copied_into_the_folder(tmp_path):
    sample = Sample(task_id="t/one", number=0, text="ü\u2028", is_program=True)
    source = GivenSamples(name="x", samples=[sample])
    with Processes() as processes:
        assert source.collect(PROBLEMS.problems, Generation(), tmp_path, processes) == [sample]
    assert read_samples(tmp_path) == [sample]
    assert sample.program(ONE) == "ü\u2028\n"


def test_a_source_that_lacks_something_is_refused(tmp_path):
    unsolved = ProblemSet(
        name="t", problems=(Problem(task_id="a", prompt="", entry_point="f", test=""),)
    )
    with pytest.raises(ConfigError, match="a has no 'canonical_solution'"):
        open_source(parse(canonical=True), unsolved)
    with pytest.raises(PrerequisiteError, match="correct --samples"):
        open_source(parse(samples=tmp_path / "nowhere"), PROBLEMS)
    with pytest.raises(ConfigError, match="must start with http"):
        open_source(parse(model="m", url="ftp://x"), PROBLEMS)


def test_a_summary_is_read_as_it_was_written():
    """If it fails, the page of an earlier run cannot be drawn again."""
    overlap = CorpusOverlap(corpus_sha256="x", problems=frozenset({"t/two", "other"}))
    for summary in (make_summary(), make_summary(overlap=overlap)):
        text = json.dumps(summary.to_json())
        assert PasskSummary.from_json(json.loads(text)) == summary
        assert json.dumps(PasskSummary.from_json(json.loads(text)).to_json()) == text


def test_what_is_not_scored_counts_as_neither_right_nor_wrong():
    """If it fails, failures of the sandbox change a model's score."""
    summary = make_summary()
    assert summary.pass_at_k[1].value == pytest.approx((0.5 + 0) / 2)
    assert summary.is_partial  # a verdict is missing
    assert not summary.is_valid
    assert (summary.samples_not_judged, summary.in_process_problems) == (1, 1)
    invalid = [*RESULTS[:2], result("t/two", 0, "invalid_problem")]
    summary = make_summary(invalid, n_wanted=3)
    assert summary.invalid_problems == ("t/two",)
    assert summary.pass_at_k[1].value == pytest.approx(0.5)
    assert not summary.is_partial


def test_problems_in_the_corpus_are_left_out_of_a_second_score():
    overlap = CorpusOverlap(corpus_sha256=None, problems=frozenset({"t/two"}))
    found = make_summary(RESULTS[:3], n_wanted=3, overlap=overlap).decontamination
    assert found.problems_in_corpus == ("t/two",)
    assert found.pass_at_k_without[1].value == pytest.approx(0.5)
    everything = CorpusOverlap(corpus_sha256=None, problems=frozenset({"t/one", "t/two"}))
    found = make_summary(RESULTS[:3], n_wanted=3, overlap=everything)
    assert found.decontamination.pass_at_k_without == {}
    assert "in the training corpus: 2 problems" in format_summary(found)


def test_a_k_that_some_problem_cannot_have_is_refused_unless_the_run_is_partial():
    """If it fails, problems with few samples are dropped and the rest is called pass@k."""
    with pytest.raises(ConfigError, match="pass@2 needs at least 2 samples of each problem"):
        make_summary(RESULTS[:3], ks=(2,), n_wanted=3)
    summary = make_summary(RESULTS[:3], ks=(2,), n_wanted=4)
    assert summary.pass_at_k[2].problems == 1
    with pytest.raises(ConfigError, match="no sample has been judged yet"):
        make_summary([], n_wanted=4)
    with pytest.raises(InvalidResultError, match="failed on all 1 samples"):
        make_summary([result("t/two", 0, "sandbox_failure")], n_wanted=1)
    invalid = [result("t/two", 0, "invalid_problem")]
    with pytest.raises(InvalidResultError, match=r"own solutions fail.*: t/two .* import NumPy"):
        make_summary(invalid, n_wanted=1)


def test_problems_without_samples_are_named_wherever_a_figure_is_shown(tmp_path):
    """If it fails, samples for two of six problems read as 100% of the benchmark."""
    results = [result("t/one", number, "passed") for number in (0, 1)]
    summary = make_summary(results, n_wanted=2)
    text = format_summary(summary)
    assert "2 samples of 1 of 2 problems" in text
    assert "(Wilson), 1 of 2 problems" in text
    assert "they have no samples: 1 of 2 problems: t/two\n" in text
    record = summary.to_json()
    assert (record["problems"], record["problems_in_set"]) == (1, 2)
    assert record["problems_without_samples"] == ["t/two"]
    page = write_page(tmp_path, summary, [], results).read_text()
    assert "because they have no samples: 1 of 2 problems: t/two." in page
    assert "<td class=number>1 of 2</td>" in page
    with pytest.raises(InvalidResultError, match=r"1 of 2 problems .* add samples of t/two, or"):
        check_validity(summary, allows_missing=False)
    check_validity(summary, allows_missing=True)
    whole = make_summary([*results, result("t/two", 0, "failed")], n_wanted=3)
    assert "no samples" not in format_summary(whole)
    check_validity(whole, allows_missing=False)


def test_many_names_are_cut_and_strange_ones_escaped():
    assert list_names([f"t/{n}" for n in range(25)]).endswith("t/18, t/19 and 5 more")
    assert list_names(["a", "\x1b[31mred\n"]) == "a, '\\x1b[31mred\\n'"


def test_given_samples_that_are_too_few_are_refused_before_they_are_judged():
    """If it fails, hours of judging end in the sentence that could have been the first."""
    samples = [Sample(task_id=f"t/{name}", number=0, text="") for name in ("one", "two")]
    source = GivenSamples(name="x", samples=[*samples, replace(samples[0], number=1)])
    check_sample_counts(source, 1)
    with pytest.raises(ConfigError, match=r"pass@2 needs .* t/two has 1"):
        check_sample_counts(source, 2)


@pytest.mark.parametrize("key", list(make_summary().to_json()))
def test_a_summary_with_a_value_of_another_type_is_refused(tmp_path, key):
    """If it fails, a run folder from somebody else ends ``report`` in a traceback."""
    for value in ({"x": [1]}, [{}], 1.5, "x", None, True):
        record = {**make_summary().to_json(), key: value}
        (tmp_path / "summary.json").write_text(json.dumps(record))
        with contextlib.suppress(ConfigError):
            redraw_page(tmp_path)


@pytest.mark.parametrize("name", ["results.jsonl", "samples.jsonl"])
def test_damaged_records_are_named_by_file_and_number(tmp_path, name):
    (tmp_path / "summary.json").write_text(json.dumps(make_summary().to_json()))
    good = {
        "results.jsonl": RESULTS[0].to_json(),
        "samples.jsonl": Sample(task_id="t/one", number=0, text="x").to_json(),
    }[name]
    for key in good:
        for value in (["x"], {"a": 1}, None):
            lines = [json.dumps(record) for record in (good, {**good, key: value}, good)]
            (tmp_path / name).write_text("\n".join(lines))
            with contextlib.suppress(ConfigError):
                redraw_page(tmp_path)
    (tmp_path / name).write_text(f"{json.dumps(good)}\n{{}}\n")
    with pytest.raises(ConfigError, match=rf"{name}, record 2: no key 'task_id'"):
        redraw_page(tmp_path)


def test_a_page_of_a_run_without_some_keys_is_drawn(tmp_path):
    """A run of an earlier version; what it did not record is left empty."""
    record = make_summary().to_json()
    for key in ("memory_bounded", "packages", "decontamination", "in_process_problems", "config"):
        del record[key]
    (tmp_path / "summary.json").write_text(json.dumps(record))
    lines = [json.dumps(r.to_json()) + "\n" for r in RESULTS]
    (tmp_path / "results.jsonl").write_text("".join(lines))
    (tmp_path / "samples.jsonl").write_text(
        '{"task_id": "t/one", "sample": 1, "completion": "</pre><script>\\u001b[31m\\u0000"}\n'
    )
    page = redraw_page(tmp_path).read_text()
    assert "t/one #1: failed" in page
    assert "&lt;/pre&gt;&lt;script&gt;" in page
    assert "\x1b" not in page
    assert "\0" not in page
    assert "# &lt;o&gt;" in page
    (tmp_path / "summary.json").write_text("[]")
    with pytest.raises(ConfigError, match="contains no finished pass@k run"):
        redraw_page(tmp_path)


def test_an_overlap_file_of_another_kind_is_refused(tmp_path):
    path = tmp_path / "overlap.json"
    for text in ("[]", "{}", '{"problems": ["t/one"]}', "{"):
        path.write_text(text)
        with pytest.raises(ConfigError, match="is not an overlap file"):
            CorpusOverlap.read(path)


@pytest.mark.parametrize(
    ("found", "n_missing"),
    [
        ({"problems": {"t/one": []}, "searched": ["t/one", "t/two", "other"]}, 0),
        ({"problems": {}, "searched": ["t/one", "t/two"]}, 0),
        ({"problems": {}, "searched": ["t/one"]}, 1),
        ({"problems": {}, "searched": []}, 2),
        ({"problems": {"one": ["a.py"]}, "searched": ["one", "two"]}, 2),
        ({"problems": {"one": ["a.py"]}}, 2),  # of an earlier version
        ({"problems": {"t/one": ["a.py"]}}, 0),
        ({"problems": {}}, 0),
    ],
)
def test_problems_that_were_not_searched_for_are_refused(tmp_path, found, n_missing):
    """If it fails, a score says that none of its problems is in the corpus: nobody looked."""
    path = tmp_path / "overlap.json"
    path.write_text(json.dumps(found))
    overlap = CorpusOverlap.read(path)
    if not n_missing:
        overlap.require_problems(PROBLEMS)
        return
    with pytest.raises(ConfigError, match=f"{n_missing} of 2 problems were not searched for"):
        overlap.require_problems(PROBLEMS)


def test_own_solutions_are_one_sample_and_the_message_advises_what_helps():
    """If it fails, users are told to raise --n, which changes nothing with --canonical."""
    with pytest.raises(ConfigError, match=r"--canonical .* no pass@5; leave out --k") as refused:
        resolve_config(parse(canonical=True, n=None, k=[1, 5]), PROBLEMS)
    assert "--n" not in str(refused.value)
    assert resolve_config(parse(canonical=True, n=None, k=[1]), PROBLEMS).k == (1,)
    with pytest.raises(ConfigError, match="raise --n or lower --k"):
        resolve_config(parse(model="m", k=[5]), PROBLEMS)


def test_a_number_of_samples_that_canonical_cannot_have_is_refused():
    """If it fails, --n 5 --canonical judges one solution of each problem and does not say so."""
    with pytest.raises(ConfigError, match=r"--canonical judges one solution .* leave out --n"):
        resolve_config(parse(canonical=True, n=5), PROBLEMS)
    for n in (None, 1):
        assert resolve_config(parse(canonical=True, n=n), PROBLEMS).generation.n == 1
    assert resolve_config(parse(model="m", n=None), PROBLEMS).generation.n == 5


def test_an_overlap_of_other_problems_is_refused_before_anything_is_judged(tmp_path):
    (tmp_path / "overlap.json").write_text('{"problems": {"2": ["a.py"]}}')
    overlap = ["--overlap", str(tmp_path / "overlap.json"), "--out", str(tmp_path / "out")]
    with pytest.raises(ConfigError, match="70 of 70 problems were not searched for"):
        passk(["--canonical", "--problems", "own", *overlap])
    assert not (tmp_path / "out").exists()


def write_results(run, results):
    run.mkdir(exist_ok=True)
    (run / "run.json").write_text(json.dumps(IDENTITY))
    lines = [json.dumps(found.to_json()) + "\n" for found in results]
    (run / "results.jsonl").write_text("".join(lines))


def test_versus_says_which_run_lacks_what(tmp_path):
    """If it fails, the advice is to raise an option that ``versus`` does not have."""
    first, second = tmp_path / "first", tmp_path / "second"
    write_results(first, [result("t/one", number, "passed") for number in (0, 1)])
    write_results(second, [result("t/one", 0, "passed")])
    with pytest.raises(ConfigError, match=r"pass@2 .*second has 1 of t/one; lower --k") as refused:
        versus([str(first), str(second), "--k", "1", "2"])
    assert "--n" not in str(refused.value)
    write_results(second, [result("t/two", 0, "passed")])
    with pytest.raises(ConfigError, match=r"no problem that both .* run their commands again"):
        versus([str(first), str(second)])
    for results in ([], [result("t/one", 0, "sandbox_failure")]):
        write_results(second, results)
        with pytest.raises(ConfigError, match=r"second has no results yet; run its command again"):
            versus([str(first), str(second)])
    (second / "results.jsonl").unlink()
    with pytest.raises(ConfigError, match=r"second has no results yet; run its command again"):
        versus([str(first), str(second)])
    write_results(second, [result("t/one", 0, "passed"), result("t/two", 0, "failed")])
    assert versus([str(first), str(second)]) == 0  # a problem of one run alone needs no samples
