"""The stages of a run, and the executors that run them.

    read       tasks           sources to parts
    signatures tasks           datatrove: MinHash of the parts' documents
    buckets    one per bucket  datatrove: finds equal signatures
    clusters   1               datatrove: joins pairs into clusters
    finish     1               selects among all documents and writes the corpus

If near duplicates are kept (near_duplicate_similarity), the three of MinHash are left out. Each
stage has a folder of logs and completed tasks, so that a run that is started again resumes
with the remaining tasks.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datatrove.executor import LocalPipelineExecutor, RayPipelineExecutor, SlurmPipelineExecutor
from datatrove.pipeline.dedup import MinhashDedupBuckets, MinhashDedupCluster
from datatrove.pipeline.dedup.minhash import MinhashConfig

from training.cluster.cluster_run import FINISH, ClusterRun
from training.cluster.config import ClusterConfig
from training.cluster.steps import ExtractSources, ReadParts, WordSignature, WriteCorpus
from training.corpus.config import CorpusConfig
from training.corpus.readers.corpus_source import CorpusSource
from training.foundation.errors import CorpusError
from training.foundation.folder_lock import folder_lock


@dataclass(frozen=True, kw_only=True)
class ClusterStage:
    """The steps of a stage, and the number of tasks that share its work."""

    name: str
    steps: Sequence[Any]
    tasks: int
    needs_all_documents: bool = False


def make_stages(
    config: ClusterConfig, corpus: CorpusConfig, sources: Sequence[CorpusSource], run: ClusterRun
) -> list[ClusterStage]:
    """Returns the stages in order; those of near duplicates only if the corpus drops them."""
    parts = run.folder / "parts"
    parts.mkdir(parents=True, exist_ok=True)
    drops_near = corpus.near_duplicate_similarity is not None
    clusters = run.folder / "clusters" if drops_near else None
    near = [] if clusters is None else _make_minhash_stages(config, run, parts, clusters, sources)
    finish = WriteCorpus(
        corpus,
        sources,
        parts=parts,
        clusters=clusters,
        tasks=config.tasks,
        inputs_sha256=run.inputs_sha256,
    )
    return [
        ClusterStage(
            name="read", steps=[ExtractSources(corpus, sources, parts)], tasks=config.tasks
        ),
        *near,
        ClusterStage(name=FINISH, steps=[finish], tasks=1, needs_all_documents=True),
    ]


def _make_minhash_stages(
    config: ClusterConfig,
    run: ClusterRun,
    parts: Path,
    clusters: Path,
    sources: Sequence[CorpusSource],
) -> list[ClusterStage]:
    minhash = MinhashConfig(
        n_grams=1,
        num_buckets=config.minhash.buckets,
        hashes_per_bucket=config.minhash.hashes_per_bucket,
    )
    signatures, buckets = str(run.folder / "signatures"), str(run.folder / "buckets")
    return [
        ClusterStage(
            name="signatures",
            steps=[ReadParts(parts, len(sources)), WordSignature(signatures, minhash)],
            tasks=config.tasks,
        ),
        ClusterStage(
            name="buckets",
            steps=[MinhashDedupBuckets(signatures, buckets, config=minhash)],
            tasks=minhash.num_buckets,
        ),
        ClusterStage(
            name="clusters",
            steps=[MinhashDedupCluster(buckets, str(clusters), minhash, save_cluster_id=True)],
            tasks=1,
            needs_all_documents=True,
        ),
    ]


def run_stages(
    config: ClusterConfig, corpus: CorpusConfig, sources: Sequence[CorpusSource], run: ClusterRun
) -> bool:
    """Runs the stages, or queues them with Slurm; returns whether they are done.

    Raises:
        CorpusError: Some tasks of a stage failed.
        FolderInUseError: The same run is already in progress.
    """
    with folder_lock(run.folder):
        if run.load_report() is None:
            run.repeat_finish()
        return _run(config, make_stages(config, corpus, sources, run), logs=run.logs)


def _run(config: ClusterConfig, stages: Sequence[ClusterStage], *, logs: Path) -> bool:
    before = None
    for stage in stages:
        executor = make_executor(stage, config, logs=logs / stage.name, depends=before)
        executor.run()
        if config.executor == "slurm":
            before = executor
            continue
        failed = executor.get_incomplete_ranks(range(stage.tasks), skip_completed=True)
        if failed:
            raise CorpusError(
                f"{len(failed)} of {stage.tasks} tasks of the stage {stage.name} failed, task"
                f" {failed[0]} first; read the logs in {logs / stage.name}, then run the same"
                " command again to resume"
            )
    return config.executor != "slurm"


def make_executor(stage: ClusterStage, config: ClusterConfig, *, logs: Path, depends: Any) -> Any:
    """Returns datatrove's executor for a stage; only Slurm needs the one it depends on."""
    common = {"pipeline": list(stage.steps), "tasks": stage.tasks, "logging_dir": str(logs)}
    workers = min(stage.tasks, config.workers if config.workers > 0 else stage.tasks)
    if config.executor == "ray":
        return RayPipelineExecutor(**common, workers=workers)
    if config.executor == "slurm":
        slurm = config.slurm
        memory_gb = slurm.select_mem_gb if stage.needs_all_documents else slurm.mem_per_cpu_gb
        return SlurmPipelineExecutor(
            **common,
            workers=workers,
            job_name=f"parrotlet-{stage.name}",
            partition=slurm.partition,
            time=slurm.time,
            qos=slurm.qos,
            mem_per_cpu_gb=memory_gb,
            venv_path=None if slurm.venv is None else str(slurm.venv / "bin" / "activate"),
            depends=depends,
        )
    return LocalPipelineExecutor(**common, workers=workers, start_method="spawn")
