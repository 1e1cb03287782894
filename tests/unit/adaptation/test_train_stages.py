"""``parrotlet train``: which commands it runs, with which configs, and the page at its end."""

import json
from dataclasses import replace

import pytest
from doubles.repository_maker import BareMaker, make_repository

from parrotlet.commands import COMMANDS
from parrotlet.pipeline import stage_runner
from parrotlet.team import train_command
from parrotlet.team.team_config import SCRATCH, render_configs
from parrotlet.team.team_page import write_page
from training.config import RunConfig
from training.corpus.config import CorpusConfig
from training.corpus.extraction.source_list import find_records
from training.corpus.readers.records.record_slices import SUFFIXES
from training.foundation.config_schema import load_toml
from training.foundation.errors import ConfigError


def plan(tmp_path, *words):
    options = train_command._parser().parse_args([*map(str, words), "--out", str(tmp_path / "out")])
    options.out.mkdir(exist_ok=True)
    for name, text in render_configs(options).items():
        (options.out / name).write_text(text)
    return options, train_command.list_stages(options)


@pytest.fixture
def sources(tmp_path):
    (tmp_path / "plain").mkdir()
    (tmp_path / "records.jsonl").write_text("{}\n")
    (tmp_path / "p-1.0-py3-none-any.whl").touch()
    return make_repository(tmp_path / "repo", {"a.py": "a = 1\n"})


def test_every_stage_is_a_command_that_everybody_can_run(tmp_path, sources, tiny_artifact):
    """If it fails, the whole way does something else than the single commands."""
    _, stages = plan(tmp_path, sources, "--from", tiny_artifact, "--push", "acme/m", "--passk")
    names = [stage.words[0] for stage in stages]
    assert names == [
        *("corpus", "prepare", "pretrain", "index-verbatim", "lines", "infill", "calibrate"),
        *("fit-memory", "passk", "publish"),
    ]
    assert all(name in COMMANDS and not COMMANDS[name].is_stage for name in names)
    _, stages = plan(tmp_path, sources, "--from", SCRATCH, "--size", "1M")
    assert [stage.words[0] for stage in stages][:3] == ["corpus", "tokenizer", "prepare"]
    assert "publish" not in {stage.words[0] for stage in stages}


def test_the_configs_are_read_as_any_other(tmp_path, sources, tiny_artifact):
    paths = [sources, f"{sources}@HEAD", tmp_path / "plain", tmp_path / "records.jsonl"]
    paths.append(tmp_path / "p-1.0-py3-none-any.whl")
    options, _ = plan(tmp_path, *paths, "--from", tiny_artifact, "--budget", "90min")
    corpus = load_toml(CorpusConfig, options.out / "corpus.toml")
    assert corpus.sources.git == (str(sources), f"{sources}@HEAD")
    assert corpus.sources.folders == (tmp_path / "plain",)
    assert len(corpus.sources.records) == len(corpus.sources.archives) == 1
    assert corpus.sources.private_globs == ()  # files that usually hold secrets are left out
    run = load_toml(RunConfig, options.out / "run.toml")
    assert run.pretrain.start_from == tiny_artifact
    assert (run.size, run.budget) == (None, "90min")
    assert (run.model.n_embd, run.shards.block_tokens) == (64, 512)
    options, _ = plan(tmp_path, sources, "--from", SCRATCH, "--size", "1M", "--vocab-size", "1024")
    run = load_toml(RunConfig, options.out / "run.toml")
    assert (run.size, run.tokenizer.vocab_size, run.pretrain.start_from) == ("1M", 1024, None)


FROM_SCRATCH = ("--from", SCRATCH, "--size", "1M")


def test_a_folder_named_objects_makes_no_repository(tmp_path, sources):
    """If it fails, a folder of code is refused as a repository without commits."""
    (tmp_path / "plain" / "objects").mkdir()
    bare = BareMaker(tmp_path / "bare.git").folder
    paths = [tmp_path / "plain", bare]
    options, _ = plan(tmp_path, *paths, *FROM_SCRATCH)
    corpus = load_toml(CorpusConfig, options.out / "corpus.toml")
    assert corpus.sources.folders == (tmp_path / "plain",)
    assert corpus.sources.git == (str(bare),)


def test_records_are_taken_in_every_form_that_a_corpus_reads(tmp_path):
    """If it fails, what ``parrotlet bigquery`` has downloaded cannot be trained on."""
    folder = tmp_path / "exports [1]"
    folder.mkdir()
    suffixes = [s for s in SUFFIXES if s != ".zip" and not s.startswith(".py")]
    paths = [folder / f"python-000000000000{suffix}" for suffix in suffixes]
    for path in paths:
        path.touch()
    options, _ = plan(tmp_path, *paths, *FROM_SCRATCH)
    corpus = load_toml(CorpusConfig, options.out / "corpus.toml")
    found = [find_records(pattern, key="sources.records") for pattern in corpus.sources.records]
    assert found == [[path] for path in paths]


def test_a_pattern_names_records(tmp_path, monkeypatch):
    folder = tmp_path / "exports [1]"
    folder.mkdir()
    (folder / "a.json.gz").touch()
    monkeypatch.chdir(folder)
    options, _ = plan(tmp_path, "*.json.gz", *FROM_SCRATCH)
    (pattern,) = load_toml(CorpusConfig, options.out / "corpus.toml").sources.records
    assert find_records(pattern, key="sources.records") == [folder / "a.json.gz"]


OWN = """
extends = "base.toml"
out = "elsewhere"
[sources]
folders = ["src"]
[[sources.datasets]]
name = "acme/code"
[[quality.rules]]
level = "high"
"""


@pytest.fixture
def own(tmp_path):
    """A corpus config of one's own, and files for the options that take one."""
    (tmp_path / "base.toml").write_text('licences = ["MIT"]\nlicence_overrides = {x = "MIT"}\n')
    (tmp_path / "nodes.yaml").touch()
    (tmp_path / "cluster.toml").write_text('corpus = "other.toml"\nwork = "work"\n')
    (tmp_path / "own.toml").write_text(OWN)
    return tmp_path / "own.toml"


def test_a_corpus_config_a_launcher_and_a_cluster_of_ones_own(tmp_path, own, monkeypatch):
    """If it fails, a cluster writes a corpus where nobody looks for it, and training never starts.

    Relative paths mean another folder than with the single commands.
    """
    monkeypatch.chdir(tmp_path)
    words = ["--launcher", "nodes.yaml", "--set", "pretrain.steps=9", "--set", "shards.seed=3"]
    options, stages = plan(tmp_path, "own.toml", "--from", SCRATCH, *words)
    written = options.out / "corpus.toml"
    assert stages[0].words == ("corpus", str(written))
    expected = load_toml(CorpusConfig, own)
    assert load_toml(CorpusConfig, written) == replace(expected, out=options.out / "corpus")
    assert {stage.folder for stage in stages} == {str(tmp_path)}
    by_name = {stage.name: stage.words for stage in stages}
    for name in ("tokenizer", "prepare", "pretrain"):
        assert {"pretrain.steps=9", "shards.seed=3"} < set(by_name[name])
    assert by_name["pretrain"][-2:] == ("--config_file", str(tmp_path / "nodes.yaml"))
    _, stages = plan(tmp_path, "own.toml", "--from", SCRATCH, "--cluster", "cluster.toml")
    assert stages[0].words == ("cluster", str(tmp_path / "cluster.toml"), f"corpus={written}")
    assert stages[0].produces == str(options.out / "corpus" / "report.json")


def test_a_config_in_the_output_folder_is_not_replaced(tmp_path, own):
    """If it fails, whoever keeps a config there loses it."""
    written = own.rename(tmp_path / "corpus.toml")
    with pytest.raises(ConfigError, match="another place"):
        train_command.main([str(written), "--from", SCRATCH, "--out", str(tmp_path)])
    assert written.read_text() == OWN


MISTAKES = {
    "a path": (["none"], "is nothing to learn from"),
    "a file of records": (["none.jsonl"], "is nothing to learn from"),
    "a config": (["none.toml"], "cannot read the config"),
    "a model": (["--from", "."], "no model folder"),
    "a budget": (["--budget", "4 hours"], "budget is '4 hours', expected a time"),
    "a size": (["--from", SCRATCH, "--size", "big"], "size is 'big', expected"),
    "the size of another": (["--size", "1M"], "--size is given"),
    "the vocabulary of another": (["--vocab-size", "1024"], "--vocab-size is given"),
    "public, but where": (["--public"], "--public is given without --push"),
    "a setting": (["--set", "pretrain.stepz=9"], "unknown key 'stepz'; did you mean 'steps'"),
    "no setting": (["--set", "steps"], "not of the form key=value"),
    "a path of a stage": (["--set", "paths.run=x"], "--set cannot change paths"),
    "a repository": (["--push", "acme"], "--push: 'acme' is not a repository name"),
    "a launcher": (["--launcher", "none.yaml"], "no launcher file"),
    "a cluster": (["--cluster", "none.toml"], "cannot read the config"),
}


def test_what_a_corpus_config_says_itself_is_no_option(tmp_path):
    """If it fails, private files are trained on, and what was to be measured on is learned."""
    (tmp_path / "own.toml").write_text('out = "elsewhere"\nlicences = ["MIT"]\n')
    named = ["--private", "vault/**", "--heldout", "billing", "--licence", "MIT"]
    words = [str(tmp_path / "own.toml"), *named, "--out", str(tmp_path / "out")]
    with pytest.raises(
        ConfigError, match=r"sources\.private_globs, heldout and licences"
    ) as raised:
        train_command.main(words)
    assert "--private, --heldout and --licence" in str(raised.value)
    with pytest.raises(ConfigError, match=r"--heldout cannot.*; set heldout in"):
        train_command.main([words[0], "--heldout", "billing", "--out", str(tmp_path / "out")])


def test_a_model_of_another_kind_is_no_start(tmp_path, sources):
    (tmp_path / "config.json").write_text('{"d_model": 512}')
    with pytest.raises(ConfigError, match="no model folder"):
        plan(tmp_path, sources, "--from", tmp_path)


@pytest.mark.parametrize(("words", "message"), MISTAKES.values(), ids=MISTAKES)
def test_mistakes_are_sentences_before_anything_is_written(
    tmp_path, sources, tiny_artifact, monkeypatch, words, message
):
    """If it fails, a typo costs the hours of the stages before, or binds the folder to itself."""
    monkeypatch.chdir(tmp_path)
    out = tmp_path / "out"
    words = words if words[0].startswith("none") else [str(sources), *words]
    base = [] if "--from" in words else ["--from", str(tiny_artifact)]
    with pytest.raises(ConfigError, match=message):
        train_command.main([*words, *base, "--out", str(out)])
    assert not out.exists()


@pytest.fixture
def started(tmp_path, monkeypatch):
    """The commands that were started; each in ``started.failing`` fails the first time."""

    class Started(list):
        failing = ()

    found = Started()

    class Done:
        pid, is_stopped = 1, False

        def __init__(self, words, log, folder=""):
            found.append(words[0])
            out = tmp_path / "out"
            (out / "corpus").mkdir(exist_ok=True)
            (out / "corpus" / "report.json").write_text("{}")

        def poll(self):
            return 3 if found[-1] in found.failing and found.count(found[-1]) == 1 else 0

        def read_last_line(self):
            return "error: interrupted by a full disk; free some"

    monkeypatch.setattr(stage_runner, "StageProcess", Done)
    return found


def test_it_runs_what_is_left_and_refuses_another_trainings_folder(
    tmp_path, sources, tiny_artifact, started, capsys
):
    """If it fails, whoever resumes trains anew, or on the data of another training."""
    started.failing = ("lines",)
    words = [str(sources), "--from", str(tiny_artifact), "--out", str(tmp_path / "out")]
    with pytest.raises(stage_runner.StageFailedError, match="full disk"):
        train_command.main(words)
    assert train_command.main(words) == 0
    assert started.count("pretrain") == 1
    assert started.count("lines") == 2
    assert str(tmp_path / "out" / "report.html") in capsys.readouterr().out
    with pytest.raises(ConfigError, match="other arguments"):
        train_command.main([*words, "--budget", "1h"])


def test_until_a_stage_is_finished_the_arguments_may_change(
    tmp_path, sources, tiny_artifact, started
):
    """If it fails, whoever corrects a command after a failure has to choose another folder."""
    started.failing = ("corpus",)
    words = [str(sources), "--from", str(tiny_artifact), "--out", str(tmp_path / "out")]
    with pytest.raises(stage_runner.StageFailedError, match="full disk"):
        train_command.main(words)
    assert train_command.main([*words, "--budget", "1h"]) == 0
    with pytest.raises(ConfigError, match="other arguments"):
        train_command.main(words)


def test_the_page_shows_figures_and_leads_to_every_other_page(tmp_path, sources, tiny_artifact):
    options, stages = plan(tmp_path, sources, "--from", tiny_artifact)
    (options.out / "lines").mkdir()
    share = {"value": 0.25, "low": 0.2, "high": 0.3, "problems": 100}
    summary = {"kinds": {"mid": {"exact_match": share}}}
    (options.out / "lines" / "summary.json").write_text(json.dumps(summary))
    (options.out / "lines" / "report.html").touch()
    (options.out / "logs").mkdir()
    (options.out / "logs" / "corpus.txt").write_text("<b>built</b>\n")
    page = write_page(options.out, stages).read_text()
    assert "25.0%" in page
    assert 'href="lines/report.html"' in page
    assert "&lt;b&gt;built" in page
