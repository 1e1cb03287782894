"""The corpus built by datatrove's executors and by the local build, from the same planted sources.

Run in the environment of constraints-cluster.txt: ``make cluster``.
"""

import json
import os
import shutil
from collections import Counter

import planted
import pyarrow.parquet as pq
import pytest

from training.cluster.__main__ import main
from training.corpus.__main__ import main as build
from training.corpus.extraction.source_extractor import SourceExtractor
from training.corpus.verify import main as verify
from training.foundation.errors import ConfigError, CorpusError

pytestmark = [
    pytest.mark.cluster,
    # Ray warns in the threads of datatrove's executor, which waits for ever if that is an error.
    pytest.mark.filterwarnings("default"),
]

SIMILARITIES = (0.5, 0.8, 0.86, 0.95)
SEEDS = range(12)


def text(words):
    return "\n".join(f"import {word}" for word in words.split()) + "\n"


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Five projects: pairs of all similarities across two of them, copies, a held-out one."""
    folder = tmp_path_factory.mktemp("cluster")
    for name in ("one", "two", "three", "held"):
        (folder / name).mkdir()
    for similarity in SIMILARITIES:
        for seed in SEEDS:
            pair = planted.similar_pair(similarity, seed=int(similarity * 100_000) + seed)
            for project, words in zip(("one", "two"), pair, strict=True):
                (folder / project / f"near_{similarity}_{seed}.py").write_text(text(words))
    for number in range(5):
        copy = text(" ".join(f"copied_{number}_{i}" for i in range(60)))
        for project in ("two", "three"):
            (folder / project / f"copy_{number}.py").write_text(copy)
        own = text(" ".join(f"own_{number}_{i}" for i in range(60)))
        (folder / "three" / f"own_{number}.py").write_text(own)
        (folder / "three" / f"leak_{number}.py").write_text(own.replace("own", "held"))
        (folder / "held" / f"held_{number}.py").write_text(
            own.replace("own", "held") + "import x\n"
        )
    (folder / "three" / "secret.py").write_text(
        text(" ".join(f"s{i}" for i in range(60))) + f"KEY = '{planted.SECRETS[0][1]}'\n"
    )
    (folder / "corpus.toml").write_text(
        f"out = '{folder}/out'\nlicences = ['MIT']\nheldout = ['held']\ndecontaminate = []\n"
        f"[sources]\nfolder_licence = 'MIT'\n"
        f"folders = {[str(folder / name) for name in ('one', 'two', 'three', 'held')]}\n"
    )
    (folder / "cluster.toml").write_text(
        f"corpus = '{folder}/corpus.toml'\nwork = '{folder}/work'\ntasks = 3\nworkers = 2\n"
    )
    assert build([str(folder / "corpus.toml"), f"out={folder}/default"]) == 0
    return folder


def kept(corpus):
    return {
        (split, row["package"], row["path"])
        for split in ("train", "heldout")
        for path in sorted((corpus / split).glob("*.parquet"))
        for row in pq.read_table(path).to_pylist()
    }


def compare(default, cluster):
    """Returns for each similarity how many pairs lost one, by either runner."""
    assert {p for p in default if "near" not in p[2]} == {p for p in cluster if "near" not in p[2]}
    dropped = []
    for documents in (default, cluster):
        near = Counter(path.split("_")[1] for _, package, path in documents if "near" in path)
        dropped.append({s: 2 * len(SEEDS) - near[str(s)] for s in SIMILARITIES})
    return dropped


def check(folder):
    default, cluster = compare(kept(folder / "default"), kept(folder / "out"))
    assert default == {0.5: 0, 0.8: 0, 0.86: len(SEEDS), 0.95: len(SEEDS)}
    assert cluster[0.5] == 0
    assert cluster[0.95] == len(SEEDS)
    assert 0 < cluster[0.86] <= len(SEEDS), "found two times in three"
    assert verify([str(folder / "out")]) == 0
    reports = [
        json.loads((folder / name / "report.json").read_text()) for name in ("out", "default")
    ]
    assert reports[0]["redactions"] == reports[1]["redactions"] == {"AWS key": 1}
    for reason in ("exact duplicate", "near duplicate of held-out"):
        assert reports[0]["drops"][reason] == reports[1]["drops"][reason] == 5


def test_local_processes_keep_the_same_documents_as_the_local_build(world, capsys):
    """If it fails, a corpus made on a cluster is another one than the tested stages make."""
    assert main([str(world / "cluster.toml")]) == 0
    assert "train: " in capsys.readouterr().out
    check(world)


def test_two_ray_workers_keep_the_same(world):
    import ray

    local = kept(world / "out")
    ray.init(num_cpus=2, include_dashboard=False)
    try:
        arguments = ["executor=ray", f"work='{world}/ray'"]
        assert main([str(world / "cluster.toml"), *arguments]) == 0
    finally:
        ray.shutdown()
    check(world)
    assert kept(world / "out") == local


def test_a_run_resumes_with_the_remaining_tasks(world, monkeypatch):
    """If it fails, a cluster's night is lost with one node."""

    arguments = [str(world / "cluster.toml"), f"work='{world}/again'", "workers=1"]
    extract, calls = SourceExtractor.extract, []

    def fail_once(self, source, part):
        calls.append(source.name)
        if len(calls) == 3:
            raise OSError("the node went away")
        return extract(self, source, part)

    monkeypatch.setattr(SourceExtractor, "extract", fail_once)
    with pytest.raises((OSError, CorpusError)):
        main(arguments)
    assert main(arguments) == 0
    assert calls.count(calls[0]) == 1, "a finished task ran again"
    check(world)


def test_a_finished_run_writes_its_corpus_again_where_it_is_missing(world):
    """If it fails, a corpus that was moved or removed cannot be made again."""
    arguments = [str(world / "cluster.toml")]
    assert main(arguments) == 0
    shutil.rmtree(world / "out")
    assert main(arguments) == 0
    check(world)


FAKE_SBATCH = """#!/bin/sh
n=$(ls {folder} | wc -l)
for last; do :; done
cp "$last" {folder}/$n.sh
echo "# $@" >> {folder}/$n.sh
echo "Submitted batch job $((100 + n))"
"""


def test_slurm_jobs_depend_on_each_other(world, tmp_path, monkeypatch, capsys):
    """The scheduler is a stand-in that notes each script; there is none on one machine."""
    jobs, programs = tmp_path / "jobs", tmp_path / "bin"
    jobs.mkdir()
    programs.mkdir()
    (programs / "sbatch").write_text(FAKE_SBATCH.format(folder=jobs))
    (programs / "sbatch").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    arguments = ["executor=slurm", "slurm.partition=cpu", "slurm.select_mem_gb=128"]
    assert main([str(world / "cluster.toml"), f"work='{tmp_path}/work'", *arguments]) == 0
    assert "the jobs are queued" in capsys.readouterr().out
    jobs_of_stages = {  # datatrove adds a job behind each that sums up its statistics
        int(path.stem): path.read_text()
        for path in jobs.iterdir()
        if "launch_pickled_pipeline" in path.read_text()
    }
    names = ("read", "signatures", "buckets", "clusters", "finish")
    before = None
    for name, number in zip(names, sorted(jobs_of_stages), strict=True):
        script = jobs_of_stages[number]
        assert f"--job-name=parrotlet-{name}\n" in script
        assert "#SBATCH --partition=cpu\n" in script
        memory = 128 if name in {"clusters", "finish"} else 4
        assert f"--mem-per-cpu={memory}G\n" in script
        assert (before is None) == ("--dependency" not in script)
        assert before is None or f"--dependency=afterok:{before} " in script
        before = 100 + number
    assert "--array=0-2%2\n" in jobs_of_stages[0]


def test_a_cluster_without_a_partition_is_refused(world):
    with pytest.raises(ConfigError, match="name the partition"):
        main([str(world / "cluster.toml"), "executor=slurm"])
