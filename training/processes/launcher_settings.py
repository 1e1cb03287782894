"""What Accelerate's launcher has been asked for, and how it becomes part of the run's config.

``accelerate config`` asks for precision, compilation, sharding and devices; ``accelerate launch``
hands the answers to every process in its environment. Whatever training can do as asked is merged
into the config here, so that a run has one definition of everything. The rest is refused in one
sentence, before Accelerate fails on it or silently does something else. The Accelerator itself gets
neutral settings: it scales, casts and compiles nothing a second time.

Precedence: a launcher's fp16 or bf16 replaces ``pretrain.dtype = "auto"`` and must not contradict
any other value; "no", which is also what a launcher says when nobody was asked, leaves the choice
to ``pretrain.dtype``. The launcher's number of accumulated passes replaces
``pretrain.micro_batch_blocks``. Clipping is ``optim.clip_norm``; Accelerate's launcher sets it only
for engines that are refused here.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from training.config import CompileBackend, CompileMode, PretrainConfig, RunConfig
from training.foundation.errors import ConfigError

SUPPORTED = "one process, several (MULTI_GPU) or FSDP, with mixed_precision no, fp16 or bf16"
_ENGINES = {
    "ACCELERATE_USE_DEEPSPEED": "DeepSpeed",
    "ACCELERATE_USE_MEGATRON_LM": "Megatron-LM",
    "ACCELERATE_USE_PARALLELISM_CONFIG": "tensor, context or sequence parallelism",
}
_DTYPES: dict[str, Literal["float16", "bfloat16"]] = {"fp16": "float16", "bf16": "bfloat16"}
_STRATEGIES = {"FULL_SHARD": True, "1": True, "SHARD_GRAD_OP": False, "2": False}
_TRUE = {"1", "true", "yes", "on", "y", "t"}


@dataclass(frozen=True, kw_only=True)
class LauncherSettings:
    """What a launcher asks for; None where it leaves the decision to the config.

    Attributes:
        dtype: Of the mixed precision.
        passes: Forward and backward passes of each process in a step (gradient accumulation).
        compile_backend: Of ``torch.compile``.
        compile_mode: Its mode.
        shards_model: Whether FSDP was asked for.
        reshards: Whether FSDP drops a layer's weights between its forward and backward pass.
        checkpoints_activations: Whether FSDP recomputes activations.
    """

    dtype: Literal["float16", "bfloat16"] | None = None
    passes: int | None = None
    compile_backend: str | None = None
    compile_mode: str | None = None
    shards_model: bool = False
    reshards: bool = True
    checkpoints_activations: bool = False


def refuse_launcher(what: str) -> ConfigError:
    """Returns the error for a request that training cannot follow."""
    return ConfigError(
        f"the launcher asks for {what}, which training does not support; run 'accelerate config'"
        f" again, or use a file in training/configs/accelerate, for: {SUPPORTED}"
    )


def read_launcher_settings(environment: Mapping[str, str]) -> LauncherSettings:
    """Returns what the launcher has put into a process's environment.

    Raises:
        ConfigError: It asks for something that training cannot do.
    """
    for name, engine in _ENGINES.items():
        if _is_true(environment, name):
            raise refuse_launcher(engine)
    precision = environment.get("ACCELERATE_MIXED_PRECISION", "no").lower()
    if precision not in {"no", *_DTYPES}:
        raise refuse_launcher(f"mixed_precision {precision}")
    backend, mode = _read_compilation(environment)
    return dataclasses.replace(
        _read_sharding(environment),
        dtype=_DTYPES.get(precision),
        passes=_read_passes(environment),
        compile_backend=backend,
        compile_mode=mode,
    )


def _is_true(environment: Mapping[str, str], name: str) -> bool:
    return environment.get(name, "").lower() in _TRUE


def _read_passes(environment: Mapping[str, str]) -> int | None:
    word = environment.get("ACCELERATE_GRADIENT_ACCUMULATION_STEPS", "1")
    if not word.isdecimal() or int(word) < 1:
        raise refuse_launcher(f"gradient_accumulation_steps {word!r}, which is not a number")
    return int(word) if int(word) > 1 else None


def _read_compilation(environment: Mapping[str, str]) -> tuple[str | None, str | None]:
    prefix = "ACCELERATE_DYNAMO_"
    backend = environment.get(f"{prefix}BACKEND", "no").lower()
    if backend == "no":
        return None, None
    mode = environment.get(f"{prefix}MODE", "default")
    for found, known in ((backend, get_args(CompileBackend)), (mode, get_args(CompileMode))):
        if found not in known:
            raise ConfigError(
                f"the launcher asks for torch dynamo with {found}, expected one of"
                f" {', '.join(known)}; run 'accelerate config' again"
            )
    for flag in ("USE_FULLGRAPH", "USE_DYNAMIC"):  # layer by layer, in one shape, is what it does
        if _is_true(environment, prefix + flag):
            raise refuse_launcher(f"torch dynamo with {flag.lower()}")
    return backend, mode


def _read_sharding(environment: Mapping[str, str]) -> LauncherSettings:
    if not _is_true(environment, "ACCELERATE_USE_FSDP"):
        return LauncherSettings()
    if _is_true(environment, "FSDP_OFFLOAD_PARAMS"):
        raise refuse_launcher("FSDP's offload_params")
    if _is_true(environment, "FSDP_ACTIVATION_CHECKPOINTING_OFFLOAD"):
        raise refuse_launcher("FSDP's activation_checkpointing_offload")
    strategy = environment.get("FSDP_SHARDING_STRATEGY", "FULL_SHARD").upper()
    # Version 2 knows a flag in place of strategies; of version 1 it repeats the strategy.
    flag = environment.get("FSDP_RESHARD_AFTER_FORWARD", "true").lower()
    if environment.get("FSDP_VERSION", "1") == "2":
        reshards = flag != "false"
    elif strategy in _STRATEGIES:
        reshards = _STRATEGIES[strategy]
    else:
        raise refuse_launcher(f"FSDP's sharding strategy {strategy}")
    return LauncherSettings(
        shards_model=True,
        reshards=reshards,
        checkpoints_activations=_is_true(environment, "FSDP_ACTIVATION_CHECKPOINTING"),
    )


def merge_launcher_settings(
    config: RunConfig, asked: LauncherSettings, accelerator: Any
) -> RunConfig:
    """Returns the config with what the launcher asks for.

    Args:
        config: Of the run.
        asked: The launcher's settings.
        accelerator: Accelerate's, of this process.

    Raises:
        ConfigError: Launcher and config contradict each other, or the device is not supported.
    """
    if accelerator.device.type == "xla":
        raise refuse_launcher("a TPU")
    settings = config.pretrain
    changes: dict[str, Any] = {}
    if asked.dtype is not None:
        _check_dtype(settings, asked.dtype)
        changes["dtype"] = asked.dtype
    if asked.passes is not None:
        changes["micro_batch_blocks"] = _divide_batch(
            settings, accelerator.num_processes, asked.passes
        )
    if asked.compile_backend is not None:
        if settings.compile == "off":
            raise ConfigError(
                f"the launcher asks for the dynamo backend {asked.compile_backend}, but"
                " pretrain.compile is 'off'; set it to 'auto', or the launcher's backend to no"
            )
        changes |= {
            "compile": "on",
            "compile_backend": asked.compile_backend,
            "compile_mode": asked.compile_mode,
        }
    if asked.shards_model:
        changes |= {"shard_model": True, "reshard_after_forward": asked.reshards}
    if asked.checkpoints_activations:
        changes["gradient_checkpointing"] = True
    return dataclasses.replace(config, pretrain=dataclasses.replace(settings, **changes))


def _check_dtype(settings: PretrainConfig, asked: str) -> None:
    if settings.dtype not in {"auto", asked}:
        raise ConfigError(
            f"the launcher asks for mixed precision in {asked}, but pretrain.dtype is"
            f" {settings.dtype!r}; set pretrain.dtype=auto to follow the launcher, or"
            " mixed_precision in the launcher to no to follow the config"
        )


def _divide_batch(settings: PretrainConfig, n_processes: int, passes: int) -> int:
    size, rest = divmod(settings.batch_blocks, n_processes * passes)
    if rest or size == 0:
        raise ConfigError(
            f"the launcher asks for {passes} accumulated passes of {n_processes} processes, into"
            f" which pretrain.batch_blocks ({settings.batch_blocks}) does not divide; choose a"
            " multiple"
        )
    return size
