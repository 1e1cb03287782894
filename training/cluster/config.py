"""The configuration of a corpus' run on many machines; every default stands here."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class SlurmConfig:
    """What a Slurm cluster wants to know of its jobs."""

    partition: str = ""
    time: str = "24:00:00"
    qos: str = "normal"
    mem_per_cpu_gb: int = 4
    select_mem_gb: int = 64  # of the one job that sees the keys of all documents
    venv: Path | None = None  # the environment to activate on the nodes


@dataclass(frozen=True, kw_only=True)
class MinHashConfig:
    """datatrove's signature; a pair is a candidate if all hashes of one bucket agree.

    Candidates are not verified there, so few, long buckets keep what is only half alike: a pair at
    0.85 is found two times in three, one at 0.95 always, one at 0.70 five times in a hundred.
    """

    buckets: int = 14
    hashes_per_bucket: int = 16


@dataclass(frozen=True, kw_only=True)
class ClusterConfig:
    """The whole file."""

    corpus: Path  # the corpus' own config
    work: Path  # a folder that all machines see
    executor: Literal["local", "ray", "slurm"] = "local"
    tasks: int = 64  # pieces of work, each a share of the sources; a source is never divided
    workers: int = -1  # tasks at one time, -1 for all
    minhash: MinHashConfig = field(default_factory=MinHashConfig)
    slurm: SlurmConfig = field(default_factory=SlurmConfig)

    def __post_init__(self) -> None:
        if self.tasks < 1 or self.workers == 0 or self.workers < -1:
            raise ValueError("tasks must be at least 1, workers at least 1 or -1 for all")
        if self.executor == "slurm" and not self.slurm.partition:
            raise ValueError("slurm.partition is empty: name the partition that jobs go to")
