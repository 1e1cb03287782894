"""Training by its launchers: the last line of the output, and the exit code."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from training_run import ROOT, processes_of

from training.foundation.parallel.cores import count_cores

pytestmark = pytest.mark.e2e

# Faults: settings, the exit code, and words of the sentence that is printed.
FAULTS = {
    "config": (["pretrain.stepz=3"], 2, ["stepz", "'steps'"]),
    "prerequisite": (["paths.shards=/nowhere"], 3, ["/nowhere", "shards.json"]),
    "result": (["pretrain.steps=1", "pretrain.loss_below=0.5"], 4, ["0.5", "loss_below"]),
}


def start(config, *words):
    """Starts the launcher in a process group of its own, as a shell does."""
    command = [sys.executable, "-m", "training.launch", str(config), *map(str, words)]
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, cwd=ROOT, env=environment, start_new_session=True, **pipes)


def end(process):
    _, err = process.communicate(timeout=300)
    return process.returncode, err


@pytest.mark.parametrize(
    ("fault", "processes"), [("config", 1), ("prerequisite", 2), ("result", 2)]
)
@pytest.mark.timeout(400)
def test_an_error_is_the_last_line_and_has_its_exit_code(tiny_config, tmp_path, fault, processes):
    """If it fails, users read a launcher's traceback, and scripts cannot see what went wrong.

    A single process replaces its launcher, so that all faults end alike. Several report theirs to
    the launcher, before they train or afterwards.
    """
    settings, exit_code, words = FAULTS[fault]
    run = f"paths.run={tmp_path / 'run'}"
    code, err = end(start(tiny_config, "--processes", processes, run, *settings))
    assert code == exit_code, err
    assert "Traceback" not in err
    errors = [line for line in err.splitlines() if line.startswith("error: ")]
    assert errors == [err.splitlines()[-1]], "one sentence, and nothing after it"
    assert all(word in errors[0] for word in words)


def test_cores_that_have_nothing_to_do_are_named(tiny_config, tmp_path):
    """If it fails, nobody learns why a training takes twice as long as it could."""
    run = f"paths.run={tmp_path / 'run'}"
    _, err = end(start(tiny_config, "--processes", 1, run, *FAULTS["prerequisite"][0]))
    hints = [line for line in err.splitlines() if line.startswith("hint: training computes")]
    assert len(hints) == (count_cores() > 1), err


@pytest.mark.parametrize(("processes", "to_group"), [(1, True), (2, True), (2, False)])
@pytest.mark.timeout(400)
def test_ctrl_c_saves_and_ends_with_130(tiny_config, tmp_path, processes, to_group):
    """A terminal sends SIGINT to the whole group, a supervisor to the launcher alone.

    A single process has replaced its launcher, so that it is the whole group.
    """
    run = tmp_path / "run"
    process = start(
        tiny_config, "--processes", processes, f"paths.run={run}", "pretrain.steps=100000"
    )
    wait_for(run / "checkpoints" / "step-00000004", process)
    (os.killpg if to_group else os.kill)(process.pid, signal.SIGINT)
    code, err = end(process)
    assert code == 130, err
    assert "Traceback" not in err
    assert err.splitlines()[-1].startswith("interrupted: ")
    assert processes_of(run) == [processes]


@pytest.mark.timeout(400)
def test_a_killed_process_is_reported(tiny_config, tmp_path):
    """If it fails, a process that ran out of memory ends a training without a word."""
    run = tmp_path / "run"
    process = start(tiny_config, "--processes", 2, f"paths.run={run}", "pretrain.steps=100000")
    wait_for(run / "checkpoints" / "step-00000004", process)
    children = f"/proc/{process.pid}/task/{process.pid}/children"
    trainers = [int(word) for word in Path(children).read_text().split()]
    os.kill(trainers[0], signal.SIGKILL)
    code, err = end(process)
    assert code == 1, err
    assert "signal 9" in err.splitlines()[-1]


@pytest.mark.timeout(600)
def test_a_folder_is_used_by_one_run(tiny_config, tmp_path):
    """If it fails, two runs overwrite each other's checkpoints, and both believe they trained."""
    run = f"paths.run={tmp_path / 'run'}"
    first = start(tiny_config, run, "pretrain.steps=100000")
    wait_for(tmp_path / "run" / "checkpoints" / "step-00000004", first)
    first.send_signal(signal.SIGSTOP)  # it need not train on to have the folder
    try:
        code, err = end(start(tiny_config, "--processes", 2, run))
        assert code == 3, err
        assert f"process {first.pid} on" in err.splitlines()[-1]
        assert "in use" in err.splitlines()[-1]
    finally:
        first.kill()
        first.communicate()
    code, err = end(start(tiny_config, run, "pretrain.steps=4"))
    assert code == 0, err


@pytest.mark.parametrize("script", [["-m", "training.launch"], ["training/pretrain.py"]])
def test_help_names_the_arguments(script):
    found = subprocess.run(
        [sys.executable, *script, "--help"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for word in ("CONFIG.toml", "key=value", "example"):
        assert word in found.stdout


@pytest.mark.timeout(400)
def test_launcher_configs_are_applied_or_refused(tiny_config, tmp_path):
    """If it fails, Accelerate's configuration has no effect, or a wrong one ends in a traceback."""
    process = start(tiny_config, "--config_file", tmp_path / "none.yaml")
    code, err = end(process)
    assert (code, "none.yaml" in err.splitlines()[-1]) == (2, True)
    run, launchers = tmp_path / "run", ROOT / "training" / "configs" / "accelerate"
    code, err = end(start(tiny_config, "--config_file", launchers / "gpu.yaml", f"paths.run={run}"))
    assert code == 3, err
    assert err.splitlines()[-1].startswith("error: the launcher asks for GPU 0, but PyTorch finds")
    launcher = launchers / "cpu-processes.yaml"
    settings = [f"paths.run={run}", "pretrain.stop_after_steps=1"]
    code, err = end(start(tiny_config, "--config_file", launcher, *settings))
    assert code == 0, err
    assert processes_of(run) == [2]


def wait_for(path, process):
    ends = time.monotonic() + 300
    while not path.exists():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < ends
        time.sleep(0.05)
