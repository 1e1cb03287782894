"""Validation during a run: losses on held-out documents, and samples of what the model writes."""

from collections.abc import Sequence

from torch import Tensor

from training.artifact.tokenizer import CodeTokenizer
from training.run.run_log import RunLog
from training.run.run_metrics import ValidationMetrics
from training.run.sample_completions import complete_samples
from training.shards.blocks import BlockReader
from training.step.objective import LossModule
from training.step.parallel import ParallelLoss
from training.validate import (
    count_token_bytes,
    measure_blocks,
    spread_indices,
    summarise_blocks,
)


class Validator:
    """Measures on the same blocks and prompts each time, so that a run's metrics are comparable.

    Args:
        reader: The held-out blocks.
        tokenizer: The run's tokenizer.
        module: The network, and whether attention ends at document boundaries.
        parallel: The same, on all processes.
        log: Where to report.
    """

    def __init__(
        self,
        reader: BlockReader,
        tokenizer: CodeTokenizer,
        module: LossModule,
        parallel: ParallelLoss,
        log: RunLog,
    ) -> None:
        self._reader = reader
        self._tokenizer = tokenizer
        self._token_bytes = count_token_bytes(tokenizer)
        self._module = module
        self._parallel = parallel
        self._log = log

    def validate(self, step: int, *, n_blocks: int) -> ValidationMetrics:
        """Measures the network after ``step`` steps and reports losses and samples.

        All processes must call it; each measures a part of the blocks.
        """
        model = self._module.model
        indices = spread_indices(len(self._reader), n_blocks)
        with self._parallel.evaluate():
            nats = self._parallel.share_work(indices, self._measure)
            found = summarise_blocks(nats, self._reader, self._token_bytes, indices)
            samples = complete_samples(
                model,
                self._tokenizer,
                has_quality=self._reader.meta.has_quality,
                has_fim=self._reader.meta.has_fim,
            )
        metrics = ValidationMetrics.of(found)
        self._log.log_validation(step, metrics)
        self._log.log_samples(step, samples)
        return metrics

    def _measure(self, indices: Sequence[int]) -> Tensor:
        return measure_blocks(
            self._module.model,
            self._reader,
            indices,
            within_documents=self._module.within_documents,
        )
