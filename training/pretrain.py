"""Pretraining: ``accelerate launch training/pretrain.py CONFIG.toml [key=value ...]``.

The loop from shards, or a stream of documents, to weights, on one process or many. It reads from
top to bottom; data order, network, loss, optimisers, checkpoints and validation are in modules of
their own. Run the same command again to resume after an interruption: the loss curve continues from
the last checkpoint.
``parrotlet pretrain`` (``training.launch``) starts this file too.
"""

import dataclasses
import os
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack, closing

from training.foundation.background.parent_watch import follow_parent
from training.foundation.extras import require_extra
from training.processes.allocator import restart_with_tcmalloc
from training.run.pretrain_arguments import script_parser

if __name__ == "__main__":
    script_parser().parse_intermixed_args()  # --help needs nothing of what follows
    require_extra("train")
    restart_with_tcmalloc()  # before the imports below, which take seconds

import torch
from accelerate import Accelerator
from accelerate.utils import DistributedDataParallelKwargs, GradientAccumulationPlugin

from training.artifact.network.gpt2 import GPT2
from training.autoconfig.resolve import resolve_config
from training.autoconfig.starting_point import fetch_starting_point
from training.command_line import parse_config
from training.config import RunConfig
from training.foundation.errors import InvalidResultError
from training.foundation.git_commit import read_commit
from training.processes.collective import StopRequest, fail_together, lock_run_folder
from training.processes.devices import check_devices
from training.processes.exit_reports import exit_immediately, run_process
from training.processes.launcher_settings import merge_launcher_settings, read_launcher_settings
from training.processes.memory_errors import explain_memory_errors
from training.processes.threads import hint_at_idle_cores
from training.publish.publisher import Publisher
from training.run.checkpointer import Checkpointer
from training.run.page import write_run_page
from training.run.run_files import RunFiles, check_run_folder
from training.run.run_log import RunLog
from training.run.run_metrics import StartFacts, StepMetrics, ValidationMetrics
from training.run.tracking.trackers import check_trackers
from training.run.validation import Validator
from training.step.batches import BatchLoader
from training.step.distillation import load_teacher
from training.step.hardware.compilation import compile_layers
from training.step.loss_scale import LossScale
from training.step.model import build_model, seed_dropout
from training.step.objective import KINDS, LossModule, average_losses
from training.step.optim import MasterOptimizer, schedule_factor
from training.step.parallel import ParallelLoss, parallelise
from training.step.throughput import ThroughputMeter
from training.stream.training_data import describe_data, open_data


def main(argv: Sequence[str]) -> int:
    """Trains what the config says, or resumes it; returns the exit code."""
    config, options = parse_config(RunConfig, script_parser(), argv)
    check_run_folder(config.paths.run)
    check_trackers(config)
    asked = read_launcher_settings(os.environ)
    check_devices(os.environ)
    if not torch.accelerator.is_available():
        hint_at_idle_cores()
    accelerator = Accelerator(
        cpu=not torch.accelerator.is_available(),  # else CPU processes do not find each other
        # What the launcher asks for in place of these becomes part of the config.
        mixed_precision="no",
        dynamo_backend="no",
        gradient_accumulation_plugin=GradientAccumulationPlugin(num_steps=1),
        # Gradients lie in the buckets that are exchanged while the backward pass goes on.
        kwargs_handlers=[DistributedDataParallelKwargs(gradient_as_bucket_view=True)],
        project_dir=str(config.paths.run),
    )
    with ExitStack() as afterwards:  # closed when the processes have parted
        try:
            of_any_batch = dataclasses.replace(asked, passes=None)
            config = merge_launcher_settings(config, of_any_batch, accelerator)
            for is_turn in (accelerator.is_main_process, not accelerator.is_main_process):
                with fail_together(accelerator):  # the others find what the main one has fetched
                    config = fetch_starting_point(config) if is_turn else config
            afterwards.enter_context(lock_run_folder(config.paths.run, accelerator))
            config = resolve_config(
                config, options.overrides, accelerator, describe_data=describe_data
            )
            config = merge_launcher_settings(config, asked, accelerator)  # of the chosen batch
            size = config.pretrain.micro_batch_blocks
            with explain_memory_errors(size, accelerator.device), ExitStack() as resources:
                return train(config, accelerator, resources, afterwards)
        finally:
            accelerator.end_training()


def train(  # noqa: PLR0915 - one straight path
    config: RunConfig, accelerator: Accelerator, resources: ExitStack, afterwards: ExitStack
) -> int:
    """Runs the remaining steps; returns the exit code.

    Args:
        config: The run's.
        accelerator: Of this process.
        resources: Takes what must be closed before the processes part, also after a failure.
        afterwards: Takes what one process does alone, while no other waits for it.
    """
    settings = config.pretrain

    # Data: blocks of tokens, in an order that depends on the seed alone.
    data = resources.enter_context(open_data(config, accelerator))
    tokenizer = data.tokenizer
    files = RunFiles(config, data.blocks, tokenizer)
    batches = resources.enter_context(closing(BatchLoader(data.blocks, settings, accelerator)))

    # Model, loss and optimiser.
    model = build_model(files.model_config, settings, accelerator.device)
    is_compiled = compile_layers(model, settings, accelerator.device)
    length, device = data.blocks.block_tokens, accelerator.device
    teacher = load_teacher(config.distil, settings, tokenizer, device, block_tokens=length)
    module = LossModule(model, settings, teacher)
    parallel = parallelise(module, settings, accelerator)
    resources.callback(parallel.close)
    optimizer = MasterOptimizer(model, config.optim)
    loss_scale = LossScale(next(model.parameters()).dtype)

    # Resume from the newest checkpoint, if there is one.
    is_main = accelerator.is_main_process
    publisher = afterwards.enter_context(closing(Publisher(config, is_main_process=is_main)))
    checkpointer = Checkpointer(
        files, parallel, optimizer, loss_scale, accelerator, on_save=publisher.checkpoint
    )
    state = checkpointer.resume()
    with fail_together(accelerator):
        log = resources.enter_context(closing(RunLog(config, state.step, accelerator)))
    validator = Validator(data.heldout, tokenizer, module, parallel, log)
    throughput = ThroughputMeter(model, batches.step_tokens, accelerator)
    facts = describe_start(accelerator, model, parallel, throughput, is_compiled=is_compiled)
    resumed = (files.checkpoint_path(state.step), state.step) if state.step else None
    with fail_together(accelerator):
        log.log_start(state.step, facts)
        if is_main:
            files.write_config()
        publisher.start(tokenizer, files.model_config, resumed)

    last_step = min(settings.steps, settings.stop_after_steps or settings.steps)
    with StopRequest(accelerator) as stop:
        for step in range(state.step + 1, settings.steps + 1):
            if stop.is_requested(or_if=state.step >= last_step):
                break

            # Forward and backward, one micro-batch after the other.
            started = time.monotonic()
            seed_dropout(settings, step, accelerator.process_index)
            sums = torch.zeros(len(KINDS), 2, device=accelerator.device)
            for number, batch in enumerate(batches.load(step), start=1):
                with parallel.accumulate(is_last=number == batches.n_micro_batches):
                    loss, kinds = parallel(*batch)
                    accelerator.backward(loss * (loss_scale.value / batches.n_micro_batches))
                sums += kinds
            losses = average_losses(accelerator.reduce(sums, reduction="sum"))

            # Clip and step.
            optimizer.take_gradients(loss_scale.value)
            gradient_norm = optimizer.clip_gradients()
            is_finite = loss_scale.update(gradient_norm)
            loss_scale.check(losses.total, gradient_norm, step=step)
            rate_factor = schedule_factor(step - 1, settings.steps, config.optim)
            if is_finite:
                optimizer.step(rate_factor)
            else:
                optimizer.zero_grad()

            # Log.
            elapsed_s = time.monotonic() - started
            state = state.after_step(elapsed_s)
            metrics = StepMetrics(
                losses=losses,
                gradient_norm=gradient_norm,
                rate_factor=rate_factor,
                tokens=files.count_tokens(step),
                throughput=throughput.measure(elapsed_s),
            )
            log.log_step(step, metrics)

            # Validate and save.
            if step % settings.validate_every_steps == 0:
                validation = validator.validate(step, n_blocks=settings.validation_blocks)
                state = state.after_validation(validation)
            if state.is_best or step % settings.save_every_steps == 0:
                checkpointer.save(state)

    if state.step < settings.steps:
        if resumed is None or state.step > resumed[1]:  # else that checkpoint is this one
            checkpointer.save(state)
        if state.step < last_step:
            raise KeyboardInterrupt
        return 0

    # Validate thoroughly and write the finished model.
    validation = validator.validate(state.step, n_blocks=settings.final_validation_blocks)
    state = state.after_training(validation)
    weights = checkpointer.save(state)
    with fail_together(accelerator):  # a process that ends with an error ends the others too
        if is_main:
            path = files.save_model(weights, state)
            write_run_page(config.paths.run)
            sys.stdout.write(f"{path}: step {state.step}, {validation.summary}\n")
            afterwards.callback(publisher.finish, path, state.step)  # waits for the Hub
    # Of the main process alone: one that fails ends the others, and that one may still publish.
    check_loss(validation, below=settings.loss_below if is_main else None)
    return 0


def describe_start(
    accelerator: Accelerator,
    model: GPT2,
    parallel: ParallelLoss,
    throughput: ThroughputMeter,
    *,
    is_compiled: bool,
) -> StartFacts:
    """Returns what a reader of the metrics wants to know about this start."""
    return StartFacts(
        processes=accelerator.num_processes,
        is_sharded=parallel.is_sharded,
        device=accelerator.device.type,
        dtype=str(next(model.parameters()).dtype).removeprefix("torch."),
        is_compiled=is_compiled,
        matmul_flops_per_s=throughput.peak_flops_per_s,
        peak_source=throughput.peak_source,
        commit=read_commit(),
    )


def check_loss(validation: ValidationMetrics, *, below: float | None) -> None:
    """Refuses a finished model that has learned too little.

    Raises:
        InvalidResultError: The loss is not below ``pretrain.loss_below``.
    """
    if below is not None and not validation.loss < below:
        raise InvalidResultError(
            f"the validation loss is {validation.loss:.4f}, expected below {below}"
            " (pretrain.loss_below): the model was saved, but it has learned too little; check the"
            " data and the settings"
        )


if __name__ == "__main__":
    follow_parent()
    exit_immediately(run_process(main))
