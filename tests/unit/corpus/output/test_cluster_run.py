"""A cluster's run: what it says it has written is there, and its settings are followed."""

import importlib
import json
import shutil
import sys

import planted
import pytest
from doubles import datatrove_double

from training.cluster.__main__ import main
from training.cluster.cluster_run import locate_run
from training.cluster.config import ClusterConfig
from training.corpus.config import CorpusConfig, SourcesConfig
from training.corpus.extraction.source_extractor import SourceExtractor
from training.corpus.extraction.source_list import list_sources
from training.corpus.output.corpus_report import read_report
from training.foundation.errors import CorpusError


@pytest.fixture
def executor(monkeypatch):
    yield datatrove_double.install(monkeypatch)
    for name in datatrove_double.STAGES:
        sys.modules.pop(name, None)


@pytest.fixture
def cluster(tmp_path, executor):
    """Returns what builds the corpus of a config of these settings; an own one for each name."""
    for project in ("one", "two"):
        (tmp_path / project).mkdir()
        for number in range(6):
            text = "\n".join(f"import {project}_{number}_{i}" for i in range(60))
            (tmp_path / project / f"m{number}.py").write_text(f"{text}\n")

    def build(project="one", *, out="out", cluster="", **settings):
        lines = [f"{name} = {json.dumps(value)}" for name, value in settings.items()]
        (tmp_path / f"{project}.toml").write_text(
            f"out = '{tmp_path / out}'\nlicences = ['MIT']\ndecontaminate = []\n"
            + "\n".join(lines)
            + f"\n[sources]\nfolders = ['{tmp_path / project}']\nfolder_licence = 'MIT'\n"
        )
        (tmp_path / "cluster.toml").write_text(
            f"corpus = '{tmp_path / project}.toml'\nwork = '{tmp_path}/work'\ntasks = 2\n{cluster}"
        )
        executor.stages.clear()
        assert main([str(tmp_path / "cluster.toml")]) == 0
        report = json.loads((tmp_path / out / "report.json").read_text())
        return [package["package"] for package in report["packages"]]

    return build


def test_a_finished_run_writes_its_corpus_again_where_it_is_missing(
    cluster, tmp_path, executor, monkeypatch
):
    """If it fails, a corpus that was moved or removed cannot be made again."""
    cluster()
    stages = list(dict.fromkeys(executor.stages))
    assert stages == ["read", "signatures", "buckets", "clusters", "finish"]
    monkeypatch.setattr(SourceExtractor, "extract", None)  # the parts are there
    cluster()
    assert executor.stages == []
    cluster(out="elsewhere")
    assert executor.stages == ["finish"]
    shutil.rmtree(tmp_path / "out")
    cluster()
    assert executor.stages == ["finish"]


def test_a_run_does_not_take_the_corpus_of_another_one_for_its_own(cluster):
    """If it fails, a model is trained on another corpus than its config says."""
    assert cluster("one") == ["one"]
    assert cluster("two") == ["two"]
    assert cluster("one") == ["one"]


def test_a_corpus_that_is_replaced_at_the_end_is_not_reported_as_the_runs(
    cluster, tmp_path, executor, monkeypatch
):
    cluster("two", out="other")

    def replace(self):
        run(self)
        if self._logs.name == "finish":
            shutil.rmtree(tmp_path / "out")
            shutil.copytree(tmp_path / "other", tmp_path / "out")

    run = executor.run
    monkeypatch.setattr(executor, "run", replace)
    with pytest.raises(CorpusError, match="out does not hold its corpus"):
        cluster("one")


def test_a_similarity_that_minhash_does_not_follow_is_said(cluster, capsys):
    """If it fails, a corpus keeps other near duplicates than its config says."""
    for settings, minhash, is_said in (
        ({}, "", False),
        ({"near_duplicate_similarity": 0.7}, "", True),
        ({"near_duplicate_similarity": 0.7}, "[minhash]\nbuckets = 20\n", False),
    ):
        cluster(cluster=minhash, **settings)
        err = capsys.readouterr().err
        assert ("near_duplicate_similarity=0.7, which a cluster does not follow" in err) == is_said


def test_without_a_similarity_near_duplicates_are_kept(tmp_path, executor):
    """If it fails, a corpus that keeps near duplicates loses them on a cluster."""
    stages = importlib.import_module("training.cluster.stages")
    texts = [text + "\n" for text in planted.similar_pair(0.95)]
    for number, text in enumerate(texts):
        (tmp_path / "p").mkdir(exist_ok=True)
        words = "\n".join(f"import {word}" for word in text.split())
        (tmp_path / "p" / f"m{number}.py").write_text(f"{words}\n")
    corpus = CorpusConfig(
        out=tmp_path / "out",
        licences=("MIT",),
        decontaminate=(),
        near_duplicate_similarity=None,
        sources=SourcesConfig(folders=(tmp_path / "p",), folder_licence="MIT"),
    )
    config = ClusterConfig(corpus=tmp_path / "corpus.toml", work=tmp_path / "work", tasks=1)
    assert stages.run_stages(config, corpus, list_sources(corpus), locate_run(config, corpus))
    assert executor.stages == ["read", "finish"]
    assert read_report(corpus.out).drops == {}
