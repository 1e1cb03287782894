"""Saving and resuming, by all processes of a run together.

Which files there are is :mod:`training.run.run_files`' business; this module knows which process
does what, and that a failure of one must end all.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from training.processes.collective import check_shared_folder, fail_together, gather_bytes
from training.run.checkpoint import TrainingState
from training.run.run_files import RunFiles
from training.run.trainer_state import TrainerState
from training.step.loss_scale import LossScale, LossScaleState
from training.step.optim import MasterOptimizer
from training.step.parallel import ParallelLoss


class Checkpointer:
    """Writes the state of a run and restores it.

    Args:
        files: The run's folder.
        parallel: The network on all processes.
        optimizer: Its optimiser.
        loss_scale: Its loss scale.
        accelerator: Accelerate's, of this process.
        on_save: Called in the main process with each new checkpoint and its step.
    """

    def __init__(
        self,
        files: RunFiles,
        parallel: ParallelLoss,
        optimizer: MasterOptimizer,
        loss_scale: LossScale,
        accelerator: Any,
        *,
        on_save: Callable[[Path, int], None],
    ) -> None:
        self._files = files
        self._parallel = parallel
        self._optimizer = optimizer
        self._loss_scale = loss_scale
        self._accelerator = accelerator
        self._on_save = on_save

    def resume(self) -> TrainerState:
        """Restores the newest checkpoint, if there is one, and goes to its position in the data.

        Raises:
            ConfigError: The folder holds a run with other data or settings.
            PrerequisiteError: The processes find different checkpoints.
        """
        with fail_together(self._accelerator):
            if self._accelerator.is_main_process:
                self._files.discard_unfinished()
                self._files.adopt_checkpoint()
        with fail_together(self._accelerator):
            found = self._files.load_newest_state()
        check_shared_folder(self._files.path, _describe(found), self._accelerator)
        if found is None:
            return TrainerState()
        record = found.record
        with fail_together(self._accelerator):
            self._files.load_position(record.step)
            self._optimizer.load_state(found.tensors)
        self._loss_scale.load_state(
            LossScaleState(value=record.loss_scale, good_steps=record.loss_scale_good_steps)
        )
        return TrainerState(
            step=record.step, train_seconds=record.train_seconds, best_loss=record.best_loss
        )

    def save(self, state: TrainerState) -> Mapping[str, Tensor]:
        """Writes a checkpoint: each process what only it holds, the main one everything else.

        Returns:
            The weights, in the main process.

        Raises:
            PrerequisiteError: It cannot be written; earlier checkpoints are untouched.
        """
        index, n_shards = self._accelerator.process_index, self._parallel.n_shards
        positions = gather_bytes(self._accelerator, self._files.dump_position(state.step))
        with fail_together(self._accelerator):
            if self._accelerator.is_main_process:
                self._files.save_position(positions, state.step)
            if index < n_shards:
                tensors = self._optimizer.state()
                self._files.write_state(tensors, state.step, index=index, n_shards=n_shards)
        weights = self._parallel.gather_weights()
        with fail_together(self._accelerator):
            if self._accelerator.is_main_process:
                scale = self._loss_scale.state()
                path = self._files.save_checkpoint(weights, scale, state, n_shards=n_shards)
                self._on_save(path, state.step)
        return weights


def _describe(found: TrainingState | None) -> str:
    if found is None:
        return "no checkpoint"
    return f"the checkpoint of step {found.record.step} ({found.sha256[:12]})"
