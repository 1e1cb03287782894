"""A training run, by the documented command or forked without its imports, and what it wrote."""

import gc
import importlib
import json
import multiprocessing
import os
import resource
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch

from training.artifact.directory import load_artifact

ROOT = Path(__file__).parents[1]
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(
    [
        "torch.distributed.fsdp",
        "torch.distributed.tensor",
        "torch._dynamo",  # an optimiser's first step imports it
        "pandas",  # pyarrow imports it when it reads a table
        "pyarrow.dataset",
        "training.pretrain",
    ]
)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def launch(config, *overrides, launcher="cpu"):
    """Starts the documented command with the shipped launcher config of that name.

    Imports PyTorch in the launcher and in every process, which takes longer than a tiny run: what
    is about the training, not about its start, is for :class:`Forked`.
    """
    command = [sys.executable, "-m", "accelerate.commands.launch"]
    command += ["--config_file", str(ROOT / f"training/configs/accelerate/{launcher}.yaml")]
    command += ["--main_process_port", str(free_port())]
    command += [str(ROOT / "training" / "pretrain.py"), *map(str, (config, *overrides))]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, cwd=ROOT, env=_environment(), text=True, **pipes)


INSTRUCTIONS = "ONEDNN_MAX_CPU_ISA"  # which the engine sets in its process, for its integers


class Forked:
    """A run whose processes begin with PyTorch imported, and with what a launcher tells them.

    Takes the place of ``subprocess.Popen``. Does not end the other processes when one is lost, as
    the launcher does.

    Args:
        largest_file: Bytes beyond which no file may grow.
        module: Another command of the same kind.
        change: Called in each process before the command.
    """

    def __init__(
        self,
        *arguments,
        processes=1,
        largest_file=None,
        module="training.pretrain",
        change=None,
    ):
        self._folder = tempfile.TemporaryDirectory()
        self._texts = [Path(self._folder.name, name) for name in ("out", "err")]
        several = {"WORLD_SIZE": str(processes), "MASTER_PORT": str(free_port())}
        self._processes = []
        for rank in map(str, range(processes)):
            env = _environment()
            if processes > 1:
                env |= several | {"MASTER_ADDR": "127.0.0.1", "RANK": rank, "LOCAL_RANK": rank}
            given = (module, list(map(str, arguments)), env, self._texts, largest_file, change)
            self._processes.append(FORKS.Process(target=_run, args=given, daemon=True))
            self._processes[-1].start()
        self.pid = self._processes[0].pid

    @property
    def returncode(self):
        """That of the first process that did not end well, None while one runs."""
        codes = [process.exitcode for process in self._processes]
        return None if None in codes else next(filter(None, codes), 0)

    def poll(self):
        return self.returncode

    def communicate(self, timeout):
        """Waits for the end and returns what was written to standard output and error."""
        end = time.monotonic() + timeout
        for process in self._processes:
            process.join(max(0, end - time.monotonic()))
        if self.returncode is None:
            for process in self._processes:
                process.kill()
            raise subprocess.TimeoutExpired(
                "a run", timeout, *(t.read_bytes() for t in self._texts)
            )
        texts = tuple(text.read_text() for text in self._texts)
        self._folder.cleanup()
        return texts


def _run(module, arguments, env, texts, largest_file, change):
    """What the command does when it is run, in a process that was forked for it."""
    for path, descriptor in zip(texts, (1, 2), strict=True):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND), descriptor)
    gc.freeze()  # the modules stand still: no collection walks over them
    os.environ.clear()
    os.environ.update(env)
    os.chdir(ROOT)
    if largest_file is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))
    if "HF_ENDPOINT" in env:  # the Hub's client reads it when it is imported
        for name in [n for n in sys.modules if n.startswith(("huggingface_hub", "training."))]:
            del sys.modules[name]
    command = importlib.import_module(module)
    if change is not None:
        change()
    from training.processes.exit_reports import exit_immediately, run_process

    exit_immediately(run_process(command.main, arguments))


def signal_after(step, signal_number):
    """Lets the first process of a run send itself the signal once the step is logged."""
    from training.run.run_log import RunLog

    log_step = RunLog.log_step

    def log_and_signal(log, done, metrics):
        log_step(log, done, metrics)
        if done == step:
            os.kill(os.getpid(), signal_number)

    if os.environ.get("RANK", "0") == "0":
        RunLog.log_step = log_and_signal


def measure_for(seconds):
    """Shortens the measurement of the speed with which a network trains."""
    from training.autoconfig import speed

    speed.MEASURE_S = seconds


def complete_little():
    """Shortens the samples of a run to a token: a larger network takes seconds for them."""
    from training.run import sample_completions

    sample_completions.MAX_NEW_TOKENS = 1


def _environment():
    """Returns the environment of a run: the same whichever test ran in this process before."""
    env = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    env.pop(INSTRUCTIONS, None)
    return env


def finish(process, code=0):
    out, err = process.communicate(timeout=110)
    assert process.returncode == code, err[-2000:]
    return out, err


def trainer(process):
    """Returns the id of the process that trains, which a launcher has started."""
    children = f"/proc/{process.pid}/task/{process.pid}/children"
    return int(Path(children).read_text().split()[0])


def assert_same(run, other):
    """Compares losses and weights bit for bit."""
    assert curve(run) == curve(other)
    wanted = load_artifact(other / "model").weights
    for name, weight in load_artifact(run / "model").weights.items():
        assert torch.equal(weight, wanted[name]), name


def curve(run):
    """Returns the loss of each step; a step run twice counts once, as it was run last."""
    lines = (run / "metrics.jsonl").read_text().splitlines()
    events = [json.loads(line) for line in lines]
    return {e["step"]: e["loss"] for e in events if e["event"] == "step"}


def processes_of(run):
    """Returns how many processes trained, start by start."""
    lines = (run / "metrics.jsonl").read_text().splitlines()
    return [e["processes"] for e in map(json.loads, lines) if e["event"] == "start"]
