"""What a step does on GPUs, as far as a CPU can run it: batched Muon, the loss, compiled layers."""

import shutil
from types import SimpleNamespace

import pytest
import torch
from torch.nn import functional

from training.artifact.network.config import GPT2Config
from training.artifact.network.flex_attention import find_code_obstacle
from training.artifact.network.gpt2 import GPT2
from training.config import PretrainConfig
from training.foundation.errors import ConfigError
from training.step.hardware import peak_flops
from training.step.hardware.batched_muon import BatchedMuon
from training.step.hardware.compilation import compile_layers
from training.step.hardware.peak_flops import find_peak_flops, look_up_card
from training.step.loss import IGNORED, compute_whole_chunk
from training.step.model import select_dtype
from training.step.parallel import ReplicatedLoss
from training.validate import select_device

SHAPES = [(16, 48), (16, 48), (64, 16), (16, 48), (64, 16), (16, 16)]
TINY = GPT2Config(vocab_size=64, n_positions=32, n_embd=32, n_layer=2, n_head=2)
CPU = torch.device("cpu")


def run_muon(kind):
    chance = torch.Generator().manual_seed(0)
    matrices = [torch.randn(shape, generator=chance) for shape in SHAPES]
    settings = {"weight_decay": 0.1, "momentum": 0.9, "adjust_lr_fn": "match_rms_adamw"}
    optimizer = kind([{"params": matrices}], lr=0.1, **settings)
    for _ in range(3):
        for matrix in matrices:
            matrix.grad = torch.randn(matrix.shape, generator=chance)
        optimizer.step()
    return matrices, [optimizer.state[m]["momentum_buffer"] for m in matrices]


def test_batched_muon_steps_like_torch_s(monkeypatch):
    """If it fails, a run on a GPU learns at another rate than the same run on a CPU."""
    wanted = run_muon(torch.optim.Muon)
    for chunk in (1 << 28, 2 * 16 * 48):  # all of a shape at once, or two
        monkeypatch.setattr("training.step.hardware.batched_muon._WIDEST_CHUNK", chunk)
        found = run_muon(BatchedMuon)
        torch.testing.assert_close(found[0], wanted[0], atol=5e-3, rtol=2e-2)  # bfloat16's digits
        torch.testing.assert_close(found[1], wanted[1])


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.bfloat16, 0.05), (torch.float16, 0.01)]
)
def test_the_loss_of_gpus_equals_cross_entropy(dtype, tolerance):
    """If it fails, training on a GPU minimises something else than it prints."""
    chance = torch.Generator().manual_seed(0)
    hidden = (torch.randn(40, 16, generator=chance) / 4).requires_grad_()
    weight = torch.randn(50, 16, generator=chance, requires_grad=True)
    targets = torch.randint(0, 50, (40,), generator=chance)
    targets[7] = IGNORED
    plain = functional.cross_entropy(hidden @ weight.t(), targets, reduction="sum")
    wanted_hidden, wanted_weight = torch.autograd.grad(plain, (hidden, weight))
    grad_weight = torch.zeros(50, 16)
    with torch.no_grad():
        losses, grad_hidden = compute_whole_chunk(
            hidden.to(dtype), weight.to(dtype), targets, grad_weight, 50
        )
    assert float(losses.sum()) == pytest.approx(plain.item(), rel=tolerance)
    assert losses[7] == 0.0
    near = {"atol": 10 * tolerance, "rtol": tolerance}
    torch.testing.assert_close(grad_hidden.float(), wanted_hidden, **near)
    torch.testing.assert_close(grad_weight, wanted_weight, **near)


def test_float16_knows_the_loss_of_a_rare_token():
    """If it fails, the first losses of a large vocabulary are printed too low."""
    hidden, weight = torch.zeros(1, 2, dtype=torch.float16), torch.zeros(1 << 16, 2).half()
    grad_weight = torch.zeros(1 << 16, 2)
    losses, _ = compute_whole_chunk(hidden, weight, torch.tensor([9]), grad_weight, 1 << 16)
    assert float(losses) == pytest.approx(11.09, abs=0.05)  # ln 65536


def test_what_prevents_compiling_is_told_and_trains_without(monkeypatch, capsys):
    monkeypatch.setattr(shutil, "which", lambda _: None)
    monkeypatch.delenv("CXX", raising=False)
    assert not compile_layers(GPT2(TINY), PretrainConfig(compile="on"), CPU)
    assert "there is no C++ compiler" in capsys.readouterr().err

    def fail(*_, **__):
        raise RuntimeError("\nfatal error: Python.h: no such file\n")

    monkeypatch.setattr(shutil, "which", lambda name: name)
    monkeypatch.setattr(torch, "compile", fail)
    find_code_obstacle.cache_clear()
    assert not compile_layers(GPT2(TINY), PretrainConfig(compile="on"), CPU)
    assert "(pretrain.compile): fatal error: Python.h" in capsys.readouterr().err
    find_code_obstacle.cache_clear()
    assert not compile_layers(GPT2(TINY), PretrainConfig(), CPU)
    assert not compile_layers(GPT2(TINY), PretrainConfig(compile="off"), torch.device("cuda"))
    assert not capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "card"),
    [
        ("NVIDIA H100 80GB HBM3", "H100"),
        ("NVIDIA H100 PCIe", "H100 PCIe"),
        ("NVIDIA H200", "H200"),
        ("NVIDIA A100-SXM4-80GB", "A100"),
        ("NVIDIA A10G", "A10G"),
        ("NVIDIA L40S", "L40S"),
        ("Tesla T4", "T4"),
        ("NVIDIA GeForce RTX 4090", "RTX 4090"),
    ],
)
def test_cards_have_the_peak_of_their_data_sheet(name, card):
    """If it fails, the utilisation that is printed is of another card."""
    found = look_up_card(name)
    assert (found.source, found.flops_per_s) == (card, peak_flops.CARDS[card] * 1e12)


def test_other_devices_are_measured(monkeypatch):
    assert look_up_card("NVIDIA H100 80GB HBM3 MIG 1g.10gb") is None
    assert look_up_card("NVIDIA GeForce GTX 1080") is None
    monkeypatch.setattr(peak_flops, "WIDTHS", (64,))
    found = find_peak_flops(torch.float32, CPU)
    assert found.source == "measured"
    assert found.flops_per_s > 0


def test_a_device_that_is_not_there_is_refused(monkeypatch):
    monkeypatch.setattr("torch.accelerator.is_available", lambda: False)
    assert select_device("auto") == select_device("cpu") == CPU
    with pytest.raises(ConfigError, match="--device is cuda"):
        select_device("cuda")


@pytest.mark.parametrize("n_processes", [1, 2, 3, 8])
@pytest.mark.parametrize("n_items", [0, 1, 7, 8])
def test_work_is_shared_evenly_and_comes_back_in_order(n_processes, n_items):
    """If it fails, blocks are measured twice or by none, or a process waits for another forever."""
    items = list(range(100, 100 + n_items))
    shares = []

    def work(share):
        shares.append(len(share))
        return torch.tensor(share, dtype=torch.float64)

    def run(index, gathered):
        process = SimpleNamespace(num_processes=n_processes, process_index=index, gather=gathered)
        return ReplicatedLoss(None, None, process).share_work(items, work)

    parts = []
    for index in range(n_processes):
        run(index, lambda part: parts.append(part) or part)
    assert len(set(shares)) <= 1
    assert run(0, lambda _: torch.cat(parts)) == items


@pytest.mark.parametrize(("major", "dtype"), [(7, torch.float16), (8, torch.bfloat16)])
def test_cards_that_only_emulate_bfloat16_train_in_float16(monkeypatch, major, dtype):
    """If it fails, a T4 or V100 trains many times slower than it could."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    properties = SimpleNamespace(major=major, minor=0)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: properties)
    monkeypatch.setattr(torch.cuda, "_check_bf16_tensor_supported", lambda _: True)
    assert select_dtype("auto", torch.device("cuda")) == dtype
