"""The configuration of a corpus build on many machines, with all its defaults."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from training.foundation.config_schema import RangedConfig, number_field


@dataclass(frozen=True, kw_only=True)
class SlurmConfig(RangedConfig):
    """The settings of Slurm jobs."""

    partition: str = ""
    time: str = "24:00:00"
    qos: str = "normal"
    mem_per_cpu_gb: int = number_field(4, least=1, most=100_000)
    # Of the jobs that need the keys of all documents.
    select_mem_gb: int = number_field(64, least=1, most=100_000)
    venv: Path | None = None  # the environment to activate on the nodes


@dataclass(frozen=True, kw_only=True)
class MinHashConfig(RangedConfig):
    """datatrove's MinHash; a pair is a candidate if all hashes of one bucket agree.

    datatrove does not verify candidates, so buckets are few and long: a pair with similarity 0.85
    is found two times in three, one with 0.95 always, one with 0.70 five times in a hundred.
    """

    buckets: int = number_field(14, least=1, most=1000)
    hashes_per_bucket: int = number_field(16, least=1, most=1000)


@dataclass(frozen=True, kw_only=True)
class ClusterConfig(RangedConfig):
    """The whole file."""

    corpus: Path  # the corpus' own config
    work: Path  # a folder that all machines share
    executor: Literal["local", "ray", "slurm"] = "local"
    # Shares of the sources; a source is never divided.
    tasks: int = number_field(64, least=1, most=1_000_000)
    workers: int = number_field(-1, least=-1, most=1_000_000)  # tasks at a time, -1 for all
    minhash: MinHashConfig = field(default_factory=MinHashConfig)
    slurm: SlurmConfig = field(default_factory=SlurmConfig)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.workers == 0:
            raise ValueError("workers is 0, expected at least 1, or -1 for all")
        if self.executor == "slurm" and not self.slurm.partition:
            raise ValueError("slurm.partition is empty: name the partition for the jobs")
