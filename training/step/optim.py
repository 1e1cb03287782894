"""The optimisers: which parameters each one updates, and the learning-rate schedule.

Matrices of the layers go to Muon (or AdamW), token vectors to AdamW with decay, position vectors to
AdamW at their own rate and decay, biases and gains to AdamW without decay. When the network is in
bfloat16 the optimisers work on fp32 master copies. The learning rate is a pure function of the
step, so that resuming needs no scheduler state.

Source: Jordan et al. 2024, "Muon: An optimizer for hidden layers in neural networks" (through
``torch.optim.Muon``); Loshchilov and Hutter 2019, AdamW, arXiv:1711.05101; the schedules are
warm-up-stable-decay, Hu et al. 2024, arXiv:2404.06395, and the cosine to zero of Loshchilov and
Hutter 2017, arXiv:1608.03983.
"""

import math

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor

from training.config import OptimConfig
from training.foundation.errors import ConfigError
from training.step.hardware.batched_muon import BatchedMuon
from training.step.parallel import local_part, local_rows, sharded_like
from training.step.state_shards import StateReader

_MUON_STATE, _ADAMW_STATE = {"momentum_buffer"}, {"step", "exp_avg", "exp_avg_sq"}
GROUPS = ("matrices", "embeddings", "positions", "vectors")


def schedule_factor(step: int, steps: int, config: OptimConfig) -> float:
    """Returns the share of the peak learning rate at ``step`` (from 0) of ``steps``."""
    warm = min(1.0, (step + 1) / config.warmup_steps) if config.warmup_steps else 1.0
    if config.schedule == "cosine":
        done = (step - config.warmup_steps) / max(1, steps - config.warmup_steps)
        return warm if done < 0 else 0.5 + 0.5 * math.cos(math.pi * min(1.0, done))
    decay_steps = max(1, round(steps * config.decay_share))
    left = min(1.0, (steps - step) / decay_steps)
    return min(warm, left)


def select_group(name: str, parameter: Tensor) -> str:
    """Returns the one of ``GROUPS`` that a parameter belongs to."""
    if parameter.ndim < 2:  # noqa: PLR2004 - a matrix has two
        return "vectors"
    if name.endswith("wpe.weight"):
        return "positions"
    return "embeddings" if name.endswith("wte.weight") else "matrices"


def _select_muon(matrices: list[Tensor]) -> type[torch.optim.Muon]:
    """Returns torch's Muon, or on a GPU one that takes equal shapes together."""
    on_gpu = all(m.device.type == "cuda" and not isinstance(m, DTensor) for m in matrices)
    return BatchedMuon if on_gpu else torch.optim.Muon


class MasterOptimizer:
    """Muon and AdamW over fp32 masters of a network's parameters.

    After ``backward``: :meth:`take_gradients`, :meth:`clip_gradients`, then :meth:`step`.
    """

    def __init__(self, model: nn.Module, config: OptimConfig) -> None:
        self._parameters = dict(model.named_parameters())
        self._config = config
        self._masters = {
            name: p if p.dtype == torch.float32 else p.detach().float().requires_grad_()
            for name, p in self._parameters.items()
        }
        groups: dict[str, list[Tensor]] = {name: [] for name in GROUPS}
        for name, master in self._masters.items():
            groups[select_group(name, master)].append(master)
        rate, decay = config.learning_rate, config.weight_decay
        adamw_groups = [
            {"params": groups["embeddings"], "weight_decay": decay, "peak": rate},
            {
                "params": groups["positions"],
                "weight_decay": config.position_decay,
                "peak": config.position_rate,
            },
            {"params": groups["vectors"], "weight_decay": 0.0, "peak": rate},
        ]
        self._optimizers: list[torch.optim.Optimizer] = []
        if config.matrices == "muon":
            muon_group = {"params": groups["matrices"], "peak": config.matrix_learning_rate}
            muon = _select_muon(groups["matrices"])(
                [muon_group],
                weight_decay=decay,
                momentum=config.momentum,
                adjust_lr_fn="match_rms_adamw",  # the same for [in, out] and [out, in]
            )
            self._optimizers.append(muon)
        else:
            adamw_groups.append({"params": groups["matrices"], "weight_decay": decay, "peak": rate})
        betas = (config.beta1, config.beta2)
        self._optimizers.append(torch.optim.AdamW(adamw_groups, betas=betas, fused=True))

    def take_gradients(self, loss_scale: float = 1.0) -> None:
        """Moves the network's gradients to the masters, and divides them by the loss scale."""
        for name, parameter in self._parameters.items():
            master = self._masters[name]
            if master is not parameter:
                master.grad = None if parameter.grad is None else parameter.grad.float()
                parameter.grad = None
            if loss_scale != 1.0 and master.grad is not None:
                master.grad /= loss_scale

    def clip_gradients(self) -> float:
        """Scales the gradients down to the configured norm; returns their norm before that."""
        norm = nn.utils.clip_grad_norm_(self._masters.values(), self._config.clip_norm)
        return float(norm.full_tensor() if isinstance(norm, DTensor) else norm)

    def zero_grad(self) -> None:
        """Drops the gradients."""
        for optimizer in self._optimizers:
            optimizer.zero_grad(set_to_none=True)

    def step(self, factor: float) -> None:
        """Updates the masters at ``factor`` of the peak learning rates, then the network."""
        for optimizer in self._optimizers:
            for group in optimizer.param_groups:
                group["lr"] = group["peak"] * factor
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        with torch.no_grad():
            for name, parameter in self._parameters.items():
                if self._masters[name] is not parameter:
                    parameter.copy_(self._masters[name])

    def state(self) -> dict[str, Tensor]:
        """Returns this process's rows of masters and moments, ready for safetensors."""
        tensors = {f"master/{name}": local_part(m.detach()) for name, m in self._masters.items()}
        for optimizer in self._optimizers:
            for name, master in self._masters.items():
                for key, value in optimizer.state.get(master, {}).items():
                    tensors[f"{key}/{name}"] = local_part(torch.as_tensor(value))
        return tensors

    def load_state(self, tensors: StateReader) -> None:
        """Restores what :meth:`state` returned, and the network from it.

        Raises:
            ConfigError: The tensors belong to another network or optimiser.
        """
        kinds: dict[str, list[str]] = {}
        for key in sorted(tensors.keys()):
            kind, _, name = key.partition("/")
            kinds.setdefault(name, []).append(kind)
        self._check_state(tensors, kinds)
        for name, master in self._masters.items():
            rows = local_rows(master)
            with torch.no_grad():
                local_part(master).copy_(tensors.read(f"master/{name}", rows))
                self._parameters[name].copy_(master)
            state = {}
            for kind in kinds[name]:
                part = tensors.read(f"{kind}/{name}", rows).to(local_part(master).device)
                state[kind] = sharded_like(part, master) if part.ndim else part
            del state["master"]
            self._optimizer_of(master).state[master] = state

    def _check_state(self, tensors: StateReader, kinds: dict[str, list[str]]) -> None:
        """Refuses the state of another network or optimiser before anything is changed."""
        advice = "restore the settings with which the run started, or choose another paths.run"
        if kinds.keys() != self._masters.keys():
            raise ConfigError(
                f"the checkpoint has a network of {len(kinds)} parameters, the config one of"
                f" {len(self._masters)}; {advice}"
            )
        for name, master in self._masters.items():
            found, expected = tensors.shape(f"master/{name}"), tuple(master.shape)
            if found != expected:
                raise ConfigError(
                    f"the checkpoint's {name} has the shape {found}, the config's {expected};"
                    f" {advice}"
                )
            is_muon = isinstance(self._optimizer_of(master), torch.optim.Muon)
            moments = {"master", *(_MUON_STATE if is_muon else _ADAMW_STATE)}
            if set(kinds[name]) not in ({"master"}, moments):
                raise ConfigError(
                    f"the checkpoint was made with another optimiser than optim.matrices ="
                    f" {self._config.matrices!r}; {advice}"
                )

    def _optimizer_of(self, master: Tensor) -> torch.optim.Optimizer:
        for optimizer in self._optimizers:
            for group in optimizer.param_groups:
                if any(parameter is master for parameter in group["params"]):
                    return optimizer
        raise AssertionError("every master belongs to a group")
