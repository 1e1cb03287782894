"""Pretraining: ``accelerate launch training/pretrain.py CONFIG.toml [key=value ...]``.

The loop from shards to weights, on one process or many. It owns the order of things in a step and
the run's folder; losses, optimisers, data order, checkpoints and validation are in rooms of their
own. Run the same command again to resume after an interruption: the loss curve continues from the
last checkpoint. ``parrotlet pretrain`` (``training.launch``) starts this file too.
"""

import contextlib
import dataclasses
import importlib.util
import math
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from types import FrameType

from training.foundation.extras import require_extra
from training.processes.allocator import restart_with_tcmalloc
from training.run.pretrain_arguments import script_parser

if __name__ == "__main__":
    script_parser().parse_intermixed_args()  # --help needs none of what follows
    require_extra("train")
    restart_with_tcmalloc()  # by starting again, which is to cost none of the imports below

import torch
from accelerate import Accelerator
from torch import Tensor

from training.artifact.tokenizer import CodeTokenizer
from training.autoconfig.resolve import as_begun, turned
from training.autoconfig.sizing import Data
from training.autoconfig.speed import measured_speed
from training.command_line import parse_config
from training.config import PretrainConfig, RunConfig
from training.foundation.errors import (
    ConfigError,
    InvalidResultError,
    PrerequisiteError,
)
from training.foundation.progress import Progress
from training.processes.collective import on_any_process, raise_together, run_lock
from training.processes.exit_reports import run_process
from training.publish.publisher import Publisher
from training.run.git_commit import current_commit
from training.run.page import write_run_page
from training.run.run_files import Reached, RunFolder
from training.run.validation import Evaluation
from training.shards.blocks import BlockReader
from training.step.loss_scale import LossScale
from training.step.model import build_network
from training.step.objective import KINDS, to_tensors
from training.step.optim import MasterOptimizer, schedule_factor
from training.step.parallel import ParallelLoss, leave
from training.step.throughput import flops_per_token, matmul_peak
from training.train_tokenizer import TOKENIZER_FILE
from training.validate import ALL_BLOCKS


def main(argv: Sequence[str]) -> int:
    """Trains what the config says, or resumes it."""
    config, options = parse_config(RunConfig, script_parser(), argv)
    accelerator = Accelerator(
        cpu=not torch.accelerator.is_available(),  # else CPU processes do not find each other
        log_with=wanted_tracker(config.pretrain),
        project_dir=str(config.paths.run),
    )
    try:
        with run_lock(config.paths.run, accelerator):
            if config.size is not None or config.budget is not None:
                config = dialled(config, options.overrides, accelerator)
            run = Run(config, accelerator)
            try:
                return run.train()
            finally:
                run.close()
    finally:
        accelerator.end_training()


class Run:
    """One training run: everything that lives from its first step to its last."""

    def __init__(self, config: RunConfig, accelerator: Accelerator) -> None:
        self.config = config
        self.accelerator = accelerator
        self.settings = config.pretrain
        self.reader = BlockReader(config.paths.shards, "train")
        self.tokenizer = CodeTokenizer.load(config.paths.shards / TOKENIZER_FILE)
        self.folder = RunFolder(config, self.reader, self.tokenizer)
        self.evaluation = Evaluation(
            BlockReader(config.paths.shards, "heldout"),
            self.tokenizer,
            within_documents=self.settings.within_documents,
        )
        if self.accelerator.log_with:
            self.accelerator.init_trackers("logs")
        self.n_micro = micro_batches(self.settings, self.accelerator.num_processes)
        self.model = build_network(self.folder.shape, self.settings, self.accelerator.device)
        self.parallel = ParallelLoss(self.model, self.accelerator, self.settings)
        self.optimizer = MasterOptimizer(self.model, config.optim)
        self.loss_scale = LossScale(next(self.model.parameters()).dtype)
        self.reached = Reached()
        self._resume()
        self.progress = Progress(
            config.paths.run,
            steps=self.settings.steps,
            first_step=self.reached.step,
            accelerator=self.accelerator,
        )
        self.publisher = Publisher(config, is_main_process=self.accelerator.is_main_process)
        self.flops_per_s = self._flops_per_s()
        self.progress.start(self.reached.step, self._facts())
        self.stop_asked = False

    def train(self) -> int:
        """Runs the remaining steps; returns the exit code."""
        if self.accelerator.is_main_process:
            self.folder.write_config()
        step = self.reached.step
        begun = (self.folder.checkpoint(step), step) if step else None
        self.publisher.start(self.tokenizer, self.folder.shape, begun)
        previous = signal.signal(signal.SIGTERM, self._ask_stop)
        previous_int = signal.signal(signal.SIGINT, self._ask_stop)
        try:
            while self.reached.step < self.settings.steps and not self._stopping():
                self._one_step()
                is_best = self._validate_if_due()
                if is_best or self.reached.step % self.settings.save_every_steps == 0:
                    self._save()
        finally:
            signal.signal(signal.SIGTERM, previous)
            signal.signal(signal.SIGINT, previous_int)
        if self.reached.step < self.settings.steps:
            self._save()
            if self.reached.step != self.settings.stop_after_steps:
                raise KeyboardInterrupt
            return 0
        self._finish()
        return 0

    def close(self) -> None:
        """Ends what is open, also after a failure."""
        self.progress.close()
        self.publisher.close()
        self.parallel.close()

    def _one_step(self) -> None:
        started = time.monotonic()
        loss, kinds = self._accumulate()
        step = self.reached.step
        self.optimizer.take_gradients(self.loss_scale.value)
        norm = self.optimizer.clip()
        is_good = self.loss_scale.accepts(norm)
        if not (math.isfinite(loss) and (is_good or self.loss_scale.can_go_lower)):
            raise InvalidResultError(
                f"the loss became {loss} and the gradient norm {norm} at step {step + 1}; earlier"
                " checkpoints are intact: lower optim.learning_rate and run the command again"
            )
        factor = schedule_factor(step, self.settings.steps, self.config.optim)
        if is_good:
            self.optimizer.step(factor)
        else:
            self.optimizer.leave_out()
        elapsed = time.monotonic() - started
        seconds = self.reached.seconds + elapsed
        self.reached = Reached(step + 1, seconds, best_loss=self.reached.best_loss)
        tokens_per_s = self.settings.batch_blocks * self.reader.block_tokens / elapsed
        figures = {
            "loss": loss,
            **kinds,
            "gradient_norm": norm,
            "rate_factor": factor,
            "tokens": self.folder.tokens_seen(step + 1),
            "tokens_per_s": tokens_per_s,
            "mfu": tokens_per_s * flops_per_token(self.model.config) / self.flops_per_s,
        }
        self.progress.step(step + 1, figures)

    def _accumulate(self) -> tuple[float, dict[str, float]]:
        """Runs the micro-batches of one step.

        Returns:
            The mean loss over all processes, and ``loss_KIND`` of each kind of piece in the step.
        """
        sums = torch.zeros(len(KINDS), 2, device=self.accelerator.device)
        for number, blocks in enumerate(self._micro_batches()):
            with self.parallel.accumulating(is_last=number == self.n_micro - 1):
                loss, kinds = self.parallel(*blocks)
                self.accelerator.backward(loss * (self.loss_scale.value / self.n_micro))
            sums += kinds
        sums = self.accelerator.reduce(sums, reduction="sum").double()
        total, number_of = sums.sum(0).tolist()
        means = {
            f"loss_{kind}": float(of_kind[0] / of_kind[1])
            for kind, of_kind in zip(KINDS, sums, strict=True)
            if of_kind[1] > 0
        }
        return total / number_of, means

    def _micro_batches(self) -> list[tuple[Tensor, ...]]:
        """Returns this process' share of the step's blocks.

        The data order is global: process r of n takes every n-th run of it, so that the blocks of
        a step are the same whatever n is.
        """
        position = self.settings.first_block + self.reached.step * self.settings.batch_blocks
        share = self.settings.batch_blocks // self.accelerator.num_processes
        mine = position + share * self.accelerator.process_index
        blocks = self.reader.batch(mine, share, seed=self.settings.seed)
        tensors = to_tensors(blocks, self.accelerator.device)
        return list(zip(*(tensor.chunk(self.n_micro) for tensor in tensors), strict=True))

    def _validate_if_due(self) -> bool:
        """Validates at the steps that ask for it; says whether the model is the best so far."""
        if self.reached.step % self.settings.validate_every_steps:
            return False
        figures = self._validate(self.settings.validation_blocks)
        loss, best = figures["validation_loss"], self.reached.best_loss
        is_best = best is None or loss < best
        self.reached = dataclasses.replace(
            self.reached, evaluation=figures, best_loss=loss if is_best else best
        )
        return is_best

    def _validate(self, n_blocks: int) -> dict[str, float]:
        with self.parallel.evaluating():
            figures = self.evaluation.losses(self.model, n_blocks)
            written = self.evaluation.samples(self.model)
        self.progress.validation(self.reached.step, figures)
        self.progress.samples(self.reached.step, written)
        return figures

    def _facts(self) -> dict[str, object]:
        """What a reader of the metrics wants to know of this start."""
        return {
            "processes": self.accelerator.num_processes,
            "is_sharded": self.parallel.is_sharded,
            "device": self.accelerator.device.type,
            "dtype": str(next(self.model.parameters()).dtype).removeprefix("torch."),
            "matmul_flops_per_s": self.flops_per_s,
            "commit": current_commit(),
        }

    def _flops_per_s(self) -> float:
        """Measures all processes at once: together they share what the machine has."""
        self.accelerator.wait_for_everyone()
        dtype, device = next(self.model.parameters()).dtype, self.accelerator.device
        peak = torch.tensor(matmul_peak(dtype, device), device=device)
        return float(self.accelerator.reduce(peak, reduction="sum"))

    def _resume(self) -> None:
        state = self.folder.newest_state()
        if state is None:
            return
        self.optimizer.load_state(state.tensors)
        record = state.record
        self.loss_scale.load(dict(record))
        self.reached = Reached(
            step=int(record["step"]),
            seconds=float(record["train_seconds"]),
            best_loss=record.get("best_loss"),
        )

    def _save(self) -> dict[str, Tensor]:
        """Writes a checkpoint: each process what only it holds, the main one all the rest.

        Returns:
            The weights, in the main process.
        """
        index, n_shards = self.accelerator.process_index, self.parallel.n_shards
        with self._stopping_together():
            if index < n_shards:
                state = self.optimizer.state()
                self.folder.write_state(state, self.reached.step, index=index, n_shards=n_shards)
        weights = self.parallel.whole_weights()
        with self._stopping_together():
            if self.accelerator.is_main_process:
                record = self.loss_scale.record()
                path = self.folder.save_checkpoint(weights, record, self.reached)
                self.publisher.checkpoint(path, self.reached.step)
        return weights

    def _finish(self) -> None:
        """Validates thoroughly and writes the finished artifact to ``RUN/model``.

        Raises:
            InvalidResultError: The loss is not below ``pretrain.loss_below``.
        """
        figures = self._validate(ALL_BLOCKS)
        self.reached = dataclasses.replace(self.reached, evaluation=figures)
        weights = self._save()
        if self.accelerator.is_main_process:
            path = self.folder.save_model(weights, self.reached)
            write_run_page(self.config.paths.run)
            sys.stdout.write(
                f"{path}: step {self.reached.step}, validation loss"
                f" {figures['validation_loss']:.4f},"
                f" {figures['validation_bits_per_byte']:.4f} bits per byte\n"
            )
            self.publisher.finish(path, self.reached.step)
        self.accelerator.wait_for_everyone()  # who ends with an error takes the others along
        wanted = self.settings.loss_below
        if wanted is not None and not figures["validation_loss"] < wanted:
            raise InvalidResultError(
                f"the validation loss is {figures['validation_loss']:.4f}, expected below {wanted}"
                " (pretrain.loss_below): the model was saved, but it has learned too little; check"
                " the data and the settings"
            )

    def _ask_stop(self, _signal: int, _frame: FrameType | None) -> None:
        self.stop_asked = True

    def _stopping(self) -> bool:
        """Says whether any process was asked to stop, so that all stop at the same step."""
        reached_end = self.reached.step == self.settings.stop_after_steps
        return on_any_process(self.accelerator, happened=self.stop_asked or reached_end)

    @contextlib.contextmanager
    def _stopping_together(self) -> Iterator[None]:
        """What fails in one process for want of a prerequisite ends all of them."""
        failure: PrerequisiteError | None = None
        try:
            yield
        except PrerequisiteError as error:
            failure = error
        raise_together(failure, self.accelerator)


def dialled(config: RunConfig, overrides: Sequence[str], accelerator: Accelerator) -> RunConfig:
    """Returns the config with what ``size`` and ``budget`` choose, or chose when the run began."""
    begun = as_begun(config, overrides)
    if begun is not None:
        return begun
    meta = BlockReader(config.paths.shards, "train").meta
    data = Data(vocab_size=int(meta["vocab_size"]), block_tokens=int(meta["block_tokens"]))
    config, reasons = turned(
        config,
        overrides,
        data,
        n_processes=accelerator.num_processes,
        measure=lambda chosen: measured_speed(chosen, data, accelerator),
    )
    if accelerator.is_main_process:
        sys.stderr.write("".join(f"{reason}\n" for reason in reasons))
    return config


def micro_batches(settings: PretrainConfig, n_processes: int) -> int:
    """Returns how many forward passes of one process make a step.

    Raises:
        ConfigError: The batch cannot be split evenly.
    """
    share, rest = divmod(settings.batch_blocks, n_processes)
    size = min(settings.micro_batch_blocks, share)
    if rest or size == 0 or share % size:
        raise ConfigError(
            f"pretrain.batch_blocks ({settings.batch_blocks}) does not divide into"
            f" {n_processes} processes with whole micro-batches of {settings.micro_batch_blocks};"
            " choose a multiple"
        )
    return share // size


def wanted_tracker(settings: PretrainConfig) -> str | None:
    """Returns the tracker's name as Accelerate knows it.

    Raises:
        ConfigError: Its package is not installed.
    """
    if settings.tracker == "none":
        return None
    if importlib.util.find_spec(settings.tracker) is None:
        raise ConfigError(
            f"pretrain.tracker is {settings.tracker!r}, which is not installed; run: pip install"
            f" {settings.tracker}, or set pretrain.tracker=none"
        )
    return settings.tracker


if __name__ == "__main__":
    leave(run_process(main))
