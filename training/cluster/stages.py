"""The five stages of a run and the executors that run them.

    read       tasks          sources to parts, by the default runner's Reader
    signatures tasks          datatrove: MinHash of the parts' documents
    buckets    one a bucket   datatrove: equal signatures, sorted and merged from disk
    clusters   1              datatrove: what hangs together
    finish     1              selection among all keys, the corpus written

Each stage has a folder of logs and completions, so that a run which is started again goes on with
the tasks that are left.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datatrove.executor import LocalPipelineExecutor, RayPipelineExecutor, SlurmPipelineExecutor
from datatrove.pipeline.dedup import MinhashDedupBuckets, MinhashDedupCluster
from datatrove.pipeline.dedup.minhash import MinhashConfig

from training.cluster.config import ClusterConfig
from training.cluster.steps import Finish, ReadParts, ReadSources, WordSignature
from training.corpus.config import CorpusConfig
from training.corpus.input_hash import inputs_sha256
from training.corpus.readers.sources import Source
from training.foundation.config_schema import to_mapping
from training.foundation.errors import CorpusError
from training.foundation.folder_lock import folder_lock


@dataclass(frozen=True, kw_only=True)
class Stage:
    """Steps, and among how many tasks the work is divided."""

    name: str
    steps: Sequence[Any]
    tasks: int
    sees_everything: bool = False


def run_folder(config: ClusterConfig, corpus: CorpusConfig) -> tuple[Path, str]:
    """Returns the folder of this very run and the hash of its inputs, which names it."""
    parts = [inputs_sha256(corpus), config.tasks, to_mapping(config.minhash)]
    inputs = hashlib.sha256(json.dumps(parts).encode()).hexdigest()
    return config.work.resolve() / inputs[:16], inputs


def stages(config: ClusterConfig, corpus: CorpusConfig, sources: Sequence[Source]) -> list[Stage]:
    """Returns the stages in their order."""
    folder, inputs = run_folder(config, corpus)
    parts, clusters = folder / "parts", folder / "clusters"
    parts.mkdir(parents=True, exist_ok=True)
    minhash = MinhashConfig(
        n_grams=1,
        num_buckets=config.minhash.buckets,
        hashes_per_bucket=config.minhash.hashes_per_bucket,
    )
    signatures, buckets = str(folder / "signatures"), str(folder / "buckets")
    finish = Finish(
        corpus, sources, parts=parts, clusters=clusters, tasks=config.tasks, inputs=inputs
    )
    return [
        Stage(name="read", steps=[ReadSources(corpus, sources, parts)], tasks=config.tasks),
        Stage(
            name="signatures",
            steps=[ReadParts(parts, len(sources)), WordSignature(signatures, minhash)],
            tasks=config.tasks,
        ),
        Stage(
            name="buckets",
            steps=[MinhashDedupBuckets(signatures, buckets, config=minhash)],
            tasks=minhash.num_buckets,
        ),
        Stage(
            name="clusters",
            steps=[MinhashDedupCluster(buckets, str(clusters), minhash, save_cluster_id=True)],
            tasks=1,
            sees_everything=True,
        ),
        Stage(name="finish", steps=[finish], tasks=1, sees_everything=True),
    ]


def run(config: ClusterConfig, corpus: CorpusConfig, sources: Sequence[Source]) -> bool:
    """Runs the stages, or hands them to Slurm; says whether they are done on return.

    Raises:
        CorpusError: Some tasks of a stage failed.
        FolderInUseError: The same command is running already.
    """
    folder = run_folder(config, corpus)[0]
    with folder_lock(folder):
        return _run(config, corpus, sources, logs=folder / "logs")


def _run(
    config: ClusterConfig, corpus: CorpusConfig, sources: Sequence[Source], *, logs: Path
) -> bool:
    before = None
    for stage in stages(config, corpus, sources):
        executor = executor_of(stage, config, logs=logs / stage.name, depends=before)
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


def executor_of(stage: Stage, config: ClusterConfig, *, logs: Path, depends: Any) -> Any:
    """Returns datatrove's executor of a stage; only Slurm is told what it waits for."""
    common = {"pipeline": list(stage.steps), "tasks": stage.tasks, "logging_dir": str(logs)}
    workers = min(stage.tasks, config.workers if config.workers > 0 else stage.tasks)
    if config.executor == "ray":
        return RayPipelineExecutor(**common, workers=workers)
    if config.executor == "slurm":
        slurm = config.slurm
        return SlurmPipelineExecutor(
            **common,
            workers=workers,
            job_name=f"parrotlet-{stage.name}",
            partition=slurm.partition,
            time=slurm.time,
            qos=slurm.qos,
            mem_per_cpu_gb=slurm.select_mem_gb if stage.sees_everything else slurm.mem_per_cpu_gb,
            venv_path=None if slurm.venv is None else str(slurm.venv / "bin" / "activate"),
            depends=depends,
        )
    return LocalPipelineExecutor(**common, workers=workers, start_method="spawn")
