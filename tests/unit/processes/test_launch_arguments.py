"""What ``parrotlet pretrain`` asks of Accelerate: the port on which processes meet."""

import pytest
from accelerate.commands import launch as accelerate_launch
from accelerate.commands.config import config_args

from training import launch

MACHINES = "distributed_type: MULTI_GPU\nnum_machines: 2\nnum_processes: 4\nmachine_rank: 1\n"
FSDP = "distributed_type: FSDP\nnum_machines: 2\nnum_processes: 4\nfsdp_config: {fsdp_version: 2}\n"
GPUS = "distributed_type: MULTI_GPU\nnum_machines: 1\nnum_processes: 4\n"
MPI = "distributed_type: MULTI_CPU\nnum_machines: 1\nnum_processes: 4\nuse_cpu: true\n"
ADDRESS = "main_process_ip: 10.0.0.1\nmain_process_port: 29501\n"


@pytest.fixture(params=["default file", "--config_file"])
def find_port(request, tmp_path, monkeypatch):
    """Returns the port for the answers in a launcher file, which is named or Accelerate's own."""

    def find(answers, *words):
        path = tmp_path / "launcher.yaml"
        if answers:
            path.write_text(f"compute_environment: LOCAL_MACHINE\n{answers}")
        if request.param == "default file":
            monkeypatch.setattr(config_args, "default_config_file", str(path))
            monkeypatch.setattr(accelerate_launch, "default_config_file", str(path))
        else:
            words = ["--config_file", str(path), *words]
        options = launch._parser().parse_intermixed_args(["a.toml", *words])
        return launch.accelerate_arguments(options).main_process_port

    monkeypatch.setattr(launch, "_n_accelerators", lambda: 2)
    return find


@pytest.mark.parametrize(
    ("answers", "words", "port"),
    [
        (MACHINES + ADDRESS, [], 29501),
        (FSDP + ADDRESS, [], 29501),
        (MACHINES + ADDRESS, ["--main_process_port", "4000"], 4000),
        (MACHINES, [], None),  # Accelerate's default, the same on every machine
        (MPI, [], None),  # likewise: mpirun starts the processes
        (GPUS + ADDRESS, [], 29501),
        (GPUS, [], 0),
    ],
)
def test_the_port_is_the_file_s_and_on_one_machine_else_free(find_port, answers, words, port):
    """If it fails, machines that ``accelerate config`` describes wait for each other for ever."""
    assert find_port(answers, *words) == port


def test_trainings_on_one_machine_share_no_port(tmp_path, monkeypatch):
    """If it fails, the second training on a machine finds its port taken."""
    monkeypatch.setattr(config_args, "default_config_file", str(tmp_path / "none"))
    monkeypatch.setattr(accelerate_launch, "default_config_file", str(tmp_path / "none"))
    options = launch._parser().parse_intermixed_args(["a.toml", "--processes", "2"])
    assert launch.accelerate_arguments(options).main_process_port == 0
