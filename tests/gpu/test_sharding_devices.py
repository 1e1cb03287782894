"""FSDP on one device: the sharded network's loss, gradients and steps are the whole one's."""

from types import SimpleNamespace

import pytest
import torch
from device_network import EXACT, compute_gradients, distance, make_batch, make_network
from torch import distributed
from torch._C._distributed_c10d import HashStore

from training.config import OptimConfig
from training.step.objective import LossModule
from training.step.optim import MasterOptimizer
from training.step.parallel import ShardedLoss, wants_sharding


@pytest.fixture
def group(device):
    """A group of one process."""
    backend = "nccl" if device.type == "cuda" else "gloo"
    store = HashStore()
    distributed.init_process_group(backend, store=store, rank=0, world_size=1)
    yield
    distributed.destroy_process_group()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.usefixtures("group")
@pytest.mark.parametrize("reshards", [True, False])
def test_a_sharded_step_is_the_whole_network_s(device, reshards):
    """If it fails, the largest models, which are sharded, train wrong."""
    process = SimpleNamespace(
        device=device, num_processes=1, process_index=0, is_main_process=True, distributed_type="NO"
    )
    assert wants_sharding(SimpleNamespace(shard_model=True), process)
    whole = make_network(device)
    wanted_loss, wanted = compute_gradients(whole, make_batch(device))
    network = make_network(device)
    parallel = ShardedLoss(LossModule(network, EXACT), process, reshards=reshards)
    optimizer = MasterOptimizer(network, OptimConfig(matrices="adamw"))
    with parallel.accumulate(is_last=True):
        loss, _ = parallel(*make_batch(device))
        loss.backward()
    assert float(loss.detach()) == pytest.approx(wanted_loss, rel=1e-5)
    found = {n: p.grad.full_tensor().cpu() for n, p in network.named_parameters()}
    assert distance(found, wanted) < 1e-3
    optimizer.take_gradients()
    optimizer.clip_gradients()
    optimizer.step(1.0)
    assert step_whole(whole, make_batch(device)) == pytest.approx(
        {n: float(w.norm()) for n, w in parallel.gather_weights().items()}, rel=1e-3
    )


def step_whole(network, batch):
    optimizer = MasterOptimizer(network, OptimConfig(matrices="adamw"))
    loss, _ = LossModule(network, EXACT)(*batch)
    loss.backward()
    optimizer.take_gradients()
    optimizer.clip_gradients()
    optimizer.step(1.0)
    return {n: float(w.norm()) for n, w in network.state_dict().items()}


def test_a_process_that_was_started_alone_holds_all_weights():
    """If it fails, ``xl.toml`` on one GPU ends in a traceback about missing addresses."""
    assert not torch.distributed.is_initialized()
    process = SimpleNamespace(distributed_type="NO")
    assert not wants_sharding(SimpleNamespace(shard_model=True), process)
