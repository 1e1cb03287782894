"""The configuration of a corpus build on many machines, with all its defaults."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class SlurmConfig:
    """The settings of Slurm jobs."""

    partition: str = ""
    time: str = "24:00:00"
    qos: str = "normal"
    mem_per_cpu_gb: int = 4
    select_mem_gb: int = 64  # of the jobs that need the keys of all documents
    venv: Path | None = None  # the environment to activate on the nodes


@dataclass(frozen=True, kw_only=True)
class MinHashConfig:
    """datatrove's MinHash; a pair is a candidate if all hashes of one bucket agree.

    datatrove does not verify candidates, so buckets are few and long: a pair with similarity 0.85
    is found two times in three, one with 0.95 always, one with 0.70 five times in a hundred.
    """

    buckets: int = 14
    hashes_per_bucket: int = 16


@dataclass(frozen=True, kw_only=True)
class ClusterConfig:
    """The whole file."""

    corpus: Path  # the corpus' own config
    work: Path  # a folder that all machines share
    executor: Literal["local", "ray", "slurm"] = "local"
    tasks: int = 64  # shares of the sources; a source is never divided
    workers: int = -1  # tasks at a time, -1 for all
    minhash: MinHashConfig = field(default_factory=MinHashConfig)
    slurm: SlurmConfig = field(default_factory=SlurmConfig)

    def __post_init__(self) -> None:
        if self.tasks < 1 or self.workers == 0 or self.workers < -1:
            raise ValueError("tasks must be at least 1, workers at least 1 or -1 for all")
        if self.executor == "slurm" and not self.slurm.partition:
            raise ValueError("slurm.partition is empty: name the partition for the jobs")
