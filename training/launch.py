"""Starts a training on one process or several: ``parrotlet pretrain CONFIG.toml [key=value ...]``.

Accelerate's launcher does the work, as in ``accelerate launch training/pretrain.py``, and reads the
same launcher files. This module adds what all our commands promise: the last line printed says what
went wrong, and the exit code says what kind of error it was. A single process replaces this one;
several are supervised by torchrun and report why they ended (``training.processes.exit_reports``).
"""

import argparse
import logging
import os
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from training.command_line import find_config
from training.foundation.command_parser import whole_number
from training.foundation.errors import (
    EXIT_INTERRUPTED,
    ConfigError,
    ExitReport,
    ParrotletError,
    PrerequisiteError,
    print_exit_report,
    run_main,
)
from training.foundation.extras import require_extra
from training.foundation.parallel.cores import count_cores
from training.processes.exit_reports import EXIT_REPORTS_FOLDER, read_exit_reports
from training.processes.launcher_settings import refuse_launcher
from training.run.pretrain_arguments import pretrain_parser

if TYPE_CHECKING:
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

if __name__ == "__main__":
    require_extra("train")

PRETRAIN = Path(__file__).with_name("pretrain.py")
SHUTDOWN_S = 300  # for the processes to save a checkpoint after a signal
_INTERRUPTED = {EXIT_INTERRUPTED, -signal.SIGTERM}  # the latter before it could handle signals
_UNSUPPORTED = {
    "use_deepspeed": "DeepSpeed",
    "use_megatron_lm": "Megatron-LM",
    "tpu": "a TPU",
    "use_parallelism_config": "tensor, context or sequence parallelism",
}


def main(argv: Sequence[str]) -> int:
    """Trains or resumes with the requested number of processes; returns the exit code."""
    options = _parser().parse_intermixed_args(argv)
    if not find_config(options.config).is_file():
        raise ConfigError(f"there is no config {options.config}; check the path")
    if options.config_file is not None and not options.config_file.is_file():
        raise ConfigError(f"there is no launcher file {options.config_file}; check the path")
    arguments = accelerate_arguments(options)
    if options.config_file is None and _n_accelerators() == 0:
        os.environ["CUDA_VISIBLE_DEVICES"] = ""  # as intended: see training.processes.devices
    if arguments.multi_gpu or arguments.use_fsdp:
        return run_several(arguments)
    return run_one(arguments)


def accelerate_arguments(options: argparse.Namespace) -> Any:
    """Returns Accelerate's own arguments for our options, with the values of its config file.

    Raises:
        ConfigError: Accelerate cannot read the file, or it requests an unsupported launcher.
    """
    from accelerate.commands import launch  # noqa: PLC0415 - imports PyTorch: not for --help
    from accelerate.commands.config.config_args import default_config_file  # noqa: PLC0415

    words = _launcher_words(options, has_default_file=Path(default_config_file).is_file())
    words += [str(PRETRAIN), str(options.config), *options.overrides]
    try:
        arguments, *_ = launch._validate_launch_command(  # noqa: SLF001 - no public name
            launch.launch_command_parser().parse_args(words)
        )
    except Exception as error:  # the user's file may make Accelerate raise anything
        raise ConfigError(
            f"Accelerate refuses the launcher options ({error}); correct"
            f" {options.config_file or 'them'}"
        ) from error
    for name, what in _UNSUPPORTED.items():
        if getattr(arguments, name, False):
            raise refuse_launcher(what)
    if str(arguments.mixed_precision).lower() not in {"no", "fp16", "bf16"}:
        raise refuse_launcher(f"mixed_precision {arguments.mixed_precision}")
    _share_cores(arguments)
    _choose_port(arguments)
    return arguments


def _launcher_words(options: argparse.Namespace, *, has_default_file: bool) -> list[str]:
    words = []
    if options.config_file is not None:
        words += ["--config_file", str(options.config_file)]
    elif not has_default_file:
        words += ["--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no"]
    processes = options.processes
    if processes is None and options.config_file is None and not has_default_file:
        processes = max(1, _n_accelerators())
    if processes is not None:
        words += ["--num_processes", str(processes), *(["--multi_gpu"] if processes > 1 else [])]
    for name in ("machine_rank", "main_process_ip", "main_process_port"):
        value = getattr(options, name)
        if value is not None:
            words += [f"--{name}", str(value)]
    return words


def _n_accelerators() -> int:
    import torch  # noqa: PLC0415

    return torch.accelerator.device_count()


def _choose_port(arguments: Any) -> None:
    """Takes any free port on one machine; several machines, and mpirun, must agree on one."""
    is_one_machine = (arguments.num_machines or 1) == 1
    has_torchrun = arguments.multi_gpu or arguments.use_fsdp
    if arguments.main_process_port is None and is_one_machine and has_torchrun:
        arguments.main_process_port = 0


def _share_cores(arguments: Any) -> None:
    """Divides the cores among CPU processes; Accelerate would give each only one thread."""
    if "OMP_NUM_THREADS" not in os.environ and _n_accelerators() == 0:
        local = max(1, (arguments.num_processes or 1) // (arguments.num_machines or 1))
        arguments.num_cpu_threads_per_process = max(1, count_cores() // local)


def run_one(arguments: Any) -> int:
    """Replaces this process with the one that trains."""
    from accelerate.utils.launch import prepare_simple_launcher_cmd_env  # noqa: PLC0415

    command, environment = prepare_simple_launcher_cmd_env(arguments)
    sys.stdout.flush()
    sys.stderr.flush()
    if os.name == "posix":
        os.execve(command[0], command, environment)  # noqa: S606 - training/pretrain.py
    return os.spawnve(os.P_WAIT, command[0], command, environment)  # noqa: S606


def run_several(arguments: Any) -> int:
    """Starts the processes with torchrun; after a failure, prints one sentence when all are gone.

    Raises:
        PrerequisiteError: They could not be started.
    """
    from accelerate.commands.launch import multi_gpu_launcher  # noqa: PLC0415
    from torch.distributed.elastic.multiprocessing.api import SignalException  # noqa: PLC0415
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError  # noqa: PLC0415

    logging.getLogger("torch.distributed.elastic").setLevel(logging.CRITICAL)
    arguments.shutdown_timeout = SHUTDOWN_S
    with tempfile.TemporaryDirectory() as folder:
        os.environ[EXIT_REPORTS_FOLDER] = folder
        try:
            multi_gpu_launcher(arguments)
        except SignalException:
            return _print_first_report(Path(folder), ExitReport(EXIT_INTERRUPTED, "interrupted"))
        except ChildFailedError as error:
            return _print_first_report(Path(folder), _describe_failure(error))
        except (ConnectionError, RuntimeError) as error:
            raise PrerequisiteError(
                f"the processes could not be started ({error}); check the launcher file, addresses"
                " and ports"
            ) from error
        finally:
            del os.environ[EXIT_REPORTS_FOLDER]
    return 0


def _print_first_report(folder: Path, unexplained: ExitReport) -> int:
    """Prints why the processes ended; returns the exit code.

    If one failed, torchrun has interrupted the others, and they are not the reason.
    """
    reports = [found.report for found in read_exit_reports(folder)]
    if unexplained.exit_code != EXIT_INTERRUPTED:
        reports = [report for report in reports if report.exit_code != EXIT_INTERRUPTED]
    report = reports[0] if reports else unexplained
    print_exit_report(report)
    return report.exit_code


def _describe_failure(error: "ChildFailedError") -> ExitReport:
    """Describes the first process that failed by itself, if not all were only interrupted."""
    ends = {rank: failure.exitcode for rank, failure in error.failures.items()}
    first, _ = error.get_first_failure()
    rank = min(ends, key=lambda rank: (ends[rank] in _INTERRUPTED, rank != first, rank))
    if ends[rank] == EXIT_INTERRUPTED:
        return ExitReport(EXIT_INTERRUPTED, "interrupted")
    if ends[rank] < 0:
        how = f"was killed by signal {-ends[rank]} (out of memory?)"
    else:
        how = f"ended with exit code {ends[rank]}; its traceback is above"
    return ExitReport(
        ParrotletError.exit_code,
        f"error: training process {rank} {how}; run the same command again to resume",
    )


def _parser() -> argparse.ArgumentParser:
    parser = pretrain_parser("training.launch")
    options = parser.add_argument_group("processes")
    options.add_argument(
        "--processes",
        type=whole_number(1, 1024),
        metavar="N",
        help="how many processes train together on this machine; default: one for each GPU, or"
        " what 'accelerate config' has set",
    )
    options.add_argument(
        "--config_file",
        "--config-file",
        type=Path,
        metavar="FILE",
        help="a launcher file of Accelerate, such as those in training/configs/accelerate",
    )
    options.add_argument(
        "--machine_rank",
        "--machine-rank",
        type=whole_number(0),
        metavar="R",
        help="with a launcher file for several machines: the number of this one, from 0",
    )
    options.add_argument(
        "--main_process_ip",
        "--main-process-ip",
        metavar="HOST",
        help="with several machines: the address of machine 0",
    )
    options.add_argument(
        "--main_process_port",
        "--main-process-port",
        type=whole_number(0, 65_535),
        metavar="PORT",
        help="the port on which the processes meet; default: a free one on a single machine",
    )
    return parser


if __name__ == "__main__":
    sys.exit(run_main(main))
