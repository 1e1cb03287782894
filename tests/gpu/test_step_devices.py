"""One training step on a device against exact arithmetic, within stated tolerances."""

import dataclasses
from types import SimpleNamespace

import pytest
import torch
from device_network import (
    CONFIG,
    CPU,
    EXACT,
    RandomBlocks,
    compute_exactly,
    compute_gradients,
    distance,
    make_batch,
    make_network,
)

from training.config import OptimConfig
from training.run.sample_completions import _generate
from training.step.batches import BatchLoader
from training.step.distillation import Teacher
from training.step.hardware.compilation import compile_layers, use_uncompiled
from training.step.hardware.peak_flops import find_peak_flops
from training.step.optim import MasterOptimizer
from training.validate import measure_blocks

# Of the loss, and of all gradients together: rounding of sums; the digits of the dtype.
TOLERANCES = {
    torch.float32: (1e-5, 1e-3),
    torch.bfloat16: (5e-3, 0.05),
    torch.float16: (2e-3, 0.02),
}


@pytest.fixture(scope="module")
def exact():
    """The loss and the gradients of the first batch."""
    return compute_exactly(make_batch())


@pytest.mark.parametrize("dtype", TOLERANCES, ids=str)
def test_loss_and_gradients_are_exact_within_the_dtype(device, dtype, exact):
    """If it fails, a GPU trains another model than a CPU from the same data."""
    network = make_network(device, dtype)
    loss, gradients = compute_gradients(network, make_batch(device))
    of_loss, of_gradients = TOLERANCES[dtype]
    assert loss == pytest.approx(exact[0], rel=of_loss)
    assert distance(gradients, exact[1]) < of_gradients


@pytest.mark.parametrize("dtype", TOLERANCES, ids=str)
def test_a_teacher_is_followed_as_on_the_cpu(device, dtype):
    """If it fails, an adaptation on a GPU forgets more than one on a CPU."""
    found, wanted = (compute_distilled(*at) for at in ((device, dtype), (CPU, torch.float32)))
    of_loss, of_gradients = TOLERANCES[dtype]
    assert found[0] == pytest.approx(wanted[0], rel=of_loss)
    assert distance(found[1], wanted[1]) < of_gradients


def compute_distilled(device, dtype):
    """Returns the loss and the gradients if a part of each kind of row has a teacher."""
    network, teacher = make_network(device, dtype), make_network(device, dtype)
    with torch.no_grad():
        for parameter in teacher.parameters():
            parameter.mul_(1.5)
    is_distilled = torch.zeros(4, CONFIG.n_positions, dtype=torch.bool, device=device)
    is_distilled[0], is_distilled[1, 60:], is_distilled[3, 10:199] = True, True, True
    batch = (*make_batch(device), is_distilled)
    return compute_gradients(network, batch, Teacher(model=teacher, weight=2.0))


@pytest.mark.filterwarnings("ignore")  # of the compiler, about itself
@pytest.mark.parametrize("checkpoints", [False, True], ids=["kept", "recomputed"])
def test_compiled_layers_are_exact_too(device, exact, checkpoints):
    """On a CPU without the code generator, which takes a minute there."""
    torch._dynamo.reset()
    network = make_network(device)
    network.transformer.gradient_checkpointing = checkpoints
    backend = "inductor" if device.type == "cuda" else "aot_eager"
    settings = dataclasses.replace(EXACT, compile="on", compile_backend=backend)
    assert compile_layers(network, settings, device)
    for seed in (1, 0):  # other documents first: they must not be compiled in
        loss, gradients = compute_gradients(network, make_batch(device, seed))
    assert loss == pytest.approx(exact[0], rel=1e-5)
    assert distance(gradients, exact[1]) < 1e-3


@pytest.mark.filterwarnings("ignore")
def test_other_documents_and_samples_compile_nothing_anew(device):
    """If it fails, a run on a GPU compiles for minutes, batch after batch, and then gives up."""
    torch._dynamo.reset()
    network = make_network(device)
    settings = dataclasses.replace(EXACT, compile="on", compile_backend="aot_eager")
    assert compile_layers(network, settings, device)
    compute_gradients(network, make_batch(device))
    ids, firsts, is_fim = make_batch(device, seed=1)
    others = (ids, firsts.flip(0), is_fim)
    with torch.compiler.set_stance("fail_on_recompile"):
        compute_gradients(network, others)
        with use_uncompiled(), torch.no_grad():
            network(ids[:, :7])
    assert list(network.state_dict()) == list(make_network().state_dict())


@pytest.mark.parametrize("matrices", ["muon", "adamw"])
def test_optimisers_take_the_cpu_s_steps(device, matrices):
    """If it fails, the learning rates that were found on one device are wrong on another.

    Muon's bfloat16 products round otherwise on each device, by up to two percent of a step.
    """
    config = OptimConfig(matrices=matrices)
    found, wanted = (run_steps(where, config) for where in (device, CPU))
    start = {n: p.detach() for n, p in make_network().named_parameters()}
    moved = {name: weight - start[name] for name, weight in wanted.items()}
    assert distance({n: w - start[n] for n, w in found.items()}, moved) < 0.02


def run_steps(device, config):
    network = make_network(device)
    optimizer = MasterOptimizer(network, config)
    for seed in range(3):
        chance = torch.Generator().manual_seed(seed)
        for parameter in network.parameters():
            parameter.grad = torch.randn(parameter.shape, generator=chance).to(device)
        optimizer.take_gradients()
        optimizer.clip_gradients()
        optimizer.step(1.0)
    return {n: p.detach().cpu() for n, p in network.named_parameters()}


def test_validation_is_the_cpu_s_whatever_the_batch(device):
    """If it fails, losses of runs on different devices cannot be compared."""
    reader, indices = RandomBlocks(11), list(range(11))
    wanted = measure_blocks(make_network(), reader, indices, within_documents=True)
    found = measure_blocks(make_network(device), reader, indices, within_documents=True)
    torch.testing.assert_close(found.cpu(), wanted, rtol=1e-5, atol=1e-3)


def test_samples_are_the_cpu_s(device):
    """Greedy continuations in float32; the engine's own samples are another test's."""
    prompt = list(range(30))
    assert _generate(make_network(device), prompt, 0) == _generate(make_network(), prompt, 0)


def test_batches_arrive_as_they_were_read(device):
    """If it fails, a batch is overwritten while it travels, which no loss would show."""
    process = {"num_processes": 1, "process_index": 0}
    readers = [
        BatchLoader(RandomBlocks(9), EXACT, SimpleNamespace(device=where, **process), reads_ahead=r)
        for where, r in ((device, True), (CPU, False))
    ]
    for step in (1, 2, 3):
        found, wanted = (reader.load(step) for reader in readers)
        for batch, plain in zip(found, wanted, strict=True):
            assert all(part.device.type == device.type for part in batch)
            assert all(torch.equal(a.cpu(), b) for a, b in zip(batch, plain, strict=True))
    readers[0].close()


@pytest.mark.gpu
def test_the_peak_is_no_lower_than_what_is_measured(cuda, monkeypatch):
    """If it fails, the table lists another card's peak, and MFU says more than is true."""
    peak = find_peak_flops(torch.bfloat16, cuda)
    monkeypatch.setattr("training.step.hardware.peak_flops.CARDS", {})
    measured = find_peak_flops(torch.bfloat16, cuda)
    assert measured.source == "measured"
    assert measured.flops_per_s <= 1.1 * peak.flops_per_s
    assert peak.flops_per_s < 3 * measured.flops_per_s


def test_the_network_s_size_is_what_the_tests_say():
    assert CONFIG.n_embd // CONFIG.n_head >= 16, "else GPUs would not take their own kernel"
