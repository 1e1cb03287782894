"""One run of a cluster: its folder, and whether the corpus that it wrote is still there.

Nothing here needs datatrove. Called by ``python -m training.cluster`` and
:mod:`training.cluster.stages`.
"""

import hashlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from training.cluster.config import ClusterConfig, MinHashConfig
from training.corpus.config import CorpusConfig
from training.corpus.input_hash import hash_inputs
from training.corpus.output.corpus_report import CorpusReport, load_finished_report
from training.foundation.config_schema import to_mapping

FINISH = "finish"  # the last stage
_COMPLETIONS = "completions"  # datatrove's folder of finished tasks, among a stage's logs


@dataclass(frozen=True, kw_only=True)
class ClusterRun:
    """A run, which another one with the same inputs resumes, whatever its ``out``.

    Attributes:
        folder: Of its parts, signatures and logs.
        inputs_sha256: The hash of its inputs, which names the folder.
        out: The corpus that it writes.
    """

    folder: Path
    inputs_sha256: str
    out: Path

    @property
    def logs(self) -> Path:
        """The folder of the stages' logs."""
        return self.folder / "logs"

    def load_report(self) -> CorpusReport | None:
        """Returns the report of the run's corpus; None unless that is what ``out`` holds."""
        return load_finished_report(self.out, self.inputs_sha256)

    def repeat_finish(self) -> None:
        """Has the last stage run again though it is complete: ``out`` lacks the run's corpus."""
        shutil.rmtree(self.logs / FINISH / _COMPLETIONS, ignore_errors=True)


def locate_run(config: ClusterConfig, corpus: CorpusConfig) -> ClusterRun:
    """Returns the run of two configs."""
    parts = [hash_inputs(corpus), config.tasks, to_mapping(config.minhash)]
    inputs_sha256 = hashlib.sha256(json.dumps(parts).encode()).hexdigest()
    return ClusterRun(
        folder=config.work.resolve() / inputs_sha256[:16],
        inputs_sha256=inputs_sha256,
        out=corpus.out,
    )


def describe_ignored(config: ClusterConfig, corpus: CorpusConfig) -> str:
    """Returns a sentence about a similarity that MinHash does not follow; empty if there is none.

    Whoever has set ``minhash`` knows.
    """
    similarity = corpus.near_duplicate_similarity
    is_default = similarity in {None, CorpusConfig.near_duplicate_similarity}
    if is_default or config.minhash != MinHashConfig():
        return ""
    return (
        f"{config.corpus} sets near_duplicate_similarity={similarity}, which a cluster does not"
        " follow; set minhash.buckets and minhash.hashes_per_bucket in the cluster's config"
    )
