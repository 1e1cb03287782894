"""What an Accelerate launcher asks for: merged into the config, or refused in one sentence."""

import dataclasses
from types import SimpleNamespace

import pytest
import torch

from training.config import PretrainConfig, RunConfig
from training.foundation.errors import ConfigError, PrerequisiteError
from training.processes.devices import check_devices
from training.processes.launcher_settings import merge_launcher_settings, read_launcher_settings


def merge(environment, processes=1, device="cpu", **settings):
    config = RunConfig(pretrain=PretrainConfig(**settings))
    accelerator = SimpleNamespace(num_processes=processes, device=torch.device(device))
    return merge_launcher_settings(
        config, read_launcher_settings(environment), accelerator
    ).pretrain


def dynamo(backend, **options):
    names = {f"ACCELERATE_DYNAMO_{name}": value for name, value in options.items()}
    return {"ACCELERATE_DYNAMO_BACKEND": backend, **names}


def test_a_launcher_without_answers_changes_nothing():
    """If it fails, ``accelerate launch`` without ``accelerate config`` trains something else."""
    nothing = {
        "ACCELERATE_MIXED_PRECISION": "no",
        "ACCELERATE_USE_CPU": "False",
        **dynamo("NO", MODE="default", USE_FULLGRAPH="False", USE_DYNAMIC="False"),
    }
    for environment in ({}, nothing):
        assert merge(environment, batch_blocks=12) == PretrainConfig(batch_blocks=12)


@pytest.mark.parametrize(("word", "dtype"), [("fp16", "float16"), ("bf16", "bfloat16")])
def test_mixed_precision_is_the_config_s_dtype(word, dtype):
    """If it fails, an answer to ``accelerate config`` is ignored, or scales gradients twice."""
    environment = {"ACCELERATE_MIXED_PRECISION": word}
    assert merge(environment).dtype == merge(environment, dtype=dtype).dtype == dtype
    with pytest.raises(ConfigError, match=r"set pretrain\.dtype=auto to follow the launcher"):
        merge(environment, dtype="float32")
    assert merge({"ACCELERATE_MIXED_PRECISION": "no"}, dtype=dtype).dtype == dtype


def test_accumulated_passes_divide_the_batch():
    environment = {"ACCELERATE_GRADIENT_ACCUMULATION_STEPS": "4"}
    assert merge(environment, processes=2, batch_blocks=16).micro_batch_blocks == 2
    with pytest.raises(ConfigError, match="4 accumulated passes of 3 processes"):
        merge(environment, processes=3, batch_blocks=16)


def test_dynamo_compiles_the_layers():
    found = merge(dynamo("INDUCTOR", MODE="max-autotune", USE_REGIONAL_COMPILATION="True"))
    assert (found.compile, found.compile_backend, found.compile_mode) == (
        *("on", "inductor"),
        "max-autotune",
    )
    with pytest.raises(ConfigError, match=r"pretrain\.compile is 'off'"):
        merge(dynamo("INDUCTOR"), compile="off")


@pytest.mark.parametrize(
    ("strategy", "version", "reshards"),
    [("FULL_SHARD", "1", True), ("SHARD_GRAD_OP", "1", False), ("FULL_SHARD", "2", False)],
)
def test_fsdp_shards_the_model(strategy, version, reshards):
    found = merge(
        {
            "ACCELERATE_USE_FSDP": "true",
            "FSDP_VERSION": version,
            "FSDP_SHARDING_STRATEGY": strategy,
            "FSDP_RESHARD_AFTER_FORWARD": "false",
            "FSDP_ACTIVATION_CHECKPOINTING": "true",
        }
    )
    assert found == dataclasses.replace(
        PretrainConfig(),
        shard_model=True,
        reshard_after_forward=reshards,
        gradient_checkpointing=True,
    )


@pytest.mark.parametrize(
    ("environment", "word"),
    [
        ({"ACCELERATE_USE_DEEPSPEED": "true"}, "DeepSpeed"),
        ({"ACCELERATE_USE_MEGATRON_LM": "true"}, "Megatron-LM"),
        ({"ACCELERATE_USE_PARALLELISM_CONFIG": "true"}, "sequence parallelism"),
        ({"ACCELERATE_MIXED_PRECISION": "fp8"}, "mixed_precision fp8"),
        ({"ACCELERATE_USE_FSDP": "true", "FSDP_OFFLOAD_PARAMS": "true"}, "offload_params"),
        ({"ACCELERATE_USE_FSDP": "true", "FSDP_SHARDING_STRATEGY": "HYBRID_SHARD"}, "HYBRID_SHARD"),
        ({"ACCELERATE_GRADIENT_ACCUMULATION_STEPS": "auto"}, "accumulation_steps 'auto'"),
        (dynamo("INDUCTOR", USE_FULLGRAPH="True"), "use_fullgraph"),
    ],
)
def test_what_cannot_be_honoured_is_refused_and_told_what_can(environment, word):
    """If it fails, a setting that somebody answered has no effect, or ends in a traceback."""
    with pytest.raises(ConfigError) as found:
        merge(environment)
    assert word in str(found.value)
    assert "one process, several (MULTI_GPU) or FSDP" in str(found.value)


def test_other_backends_and_devices_are_refused():
    with pytest.raises(ConfigError, match="expected one of inductor, eager"):
        merge(dynamo("TENSORRT"))
    with pytest.raises(ConfigError, match="a TPU"):
        merge({}, device="xla")


@pytest.mark.parametrize(
    ("environment", "n_devices"),
    [
        ({}, 0),
        ({}, 1),
        ({"ACCELERATE_USE_CPU": "True", "WORLD_SIZE": "8", "RANK": "0"}, 1),
        ({"LOCAL_WORLD_SIZE": "8", "WORLD_SIZE": "16"}, 8),
        ({"LOCAL_WORLD_SIZE": "2", "CUDA_VISIBLE_DEVICES": ""}, 0),
        ({"LOCAL_WORLD_SIZE": "2", "CUDA_VISIBLE_DEVICES": "-1,-1"}, 0),  # cpu-processes.yaml
    ],
)
def test_processes_that_have_their_devices_train(environment, n_devices):
    check_devices(environment, n_devices)


@pytest.mark.parametrize(
    ("environment", "n_devices", "words"),
    [
        ({"CUDA_VISIBLE_DEVICES": "0"}, 0, "cpu.yaml"),  # gpu.yaml
        ({"LOCAL_WORLD_SIZE": "8"}, 0, "cpu-processes.yaml"),  # gpus.yaml
        ({"LOCAL_WORLD_SIZE": "8"}, 2, "finds 2 GPUs; set num_processes"),
        ({"ACCELERATE_USE_CPU": "True", "MASTER_ADDR": "127.0.0.1"}, 0, "without mpirun"),
    ],
)
def test_processes_without_their_devices_are_refused(environment, n_devices, words):
    """If it fails, who asks for GPUs trains on a CPU for a week without knowing it."""
    with pytest.raises(PrerequisiteError) as found:
        check_devices(environment, n_devices)
    assert words in str(found.value)
