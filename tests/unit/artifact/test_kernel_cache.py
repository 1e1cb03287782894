"""The limit of compiled kernels: memory does not grow with each new length of a text."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from training.artifact.network.kernel_cache import LIMIT, VARIABLES, limit_kernel_caches

ROOT = Path(__file__).resolve().parents[3]
MAX_GROWTH = 5_000_000  # bytes; without a limit three to ten times as much
IN_USE = """
import ctypes

class Mallinfo(ctypes.Structure):
    _fields_ = [(f"field_{n}", ctypes.c_size_t) for n in range(10)]

def bytes_in_use():
    function = ctypes.CDLL(None).mallinfo2
    function.restype = Mallinfo
    return function().field_7  # uordblks

def report_growth(compute, lengths=200):
    for n in range(1, lengths + 1):
        if n == lengths // 2:  # the limit is reached
            before = bytes_in_use()
        compute(n)
    print(bytes_in_use() - before)
"""
TRAINING = """
import torch
from training.artifact.network.config import GPT2Config
from training.artifact.network.gpt2 import GPT2

config = GPT2Config(vocab_size=64, n_positions=1024, n_embd=64, n_layer=1, n_head=1)
model = GPT2(config).bfloat16()

def train(n):
    model.compute_hidden(torch.zeros(1, 5 * n, dtype=torch.long)).sum().backward()

report_growth(train)
"""
SERVER = """
from server.completer import Completer
from server.settings import EngineSettings, Settings
from server.suggestion.request import CompletionRequest

settings = Settings(engine=EngineSettings(precision="bfloat16"))
completer = Completer.load(settings=settings)
text = open("server/completer.py").read()

def read(n):
    request = CompletionRequest(text=text, offset=100 * n)
    completer.read_ahead(request, lambda: False)  # another suffix, so all of it is read

report_growth(read, lengths=80)
"""


def test_the_limit_is_set_unless_the_user_has_set_one(monkeypatch):
    for name in VARIABLES:
        monkeypatch.setenv(name, "7")
    limit_kernel_caches()
    assert [os.environ[name] for name in VARIABLES] == ["7", "7"]
    for name in VARIABLES:
        monkeypatch.delenv(name)
    limit_kernel_caches()
    assert [os.environ[name] for name in VARIABLES] == [LIMIT, LIMIT]


@pytest.mark.integration
@pytest.mark.skipif(sys.platform != "linux", reason="asks glibc how much memory is in use")
@pytest.mark.parametrize("code", [TRAINING, SERVER], ids=["training", "server"])
def test_memory_does_not_grow_with_the_number_of_lengths(code):
    """If it fails, a training or a server takes a gigabyte more, and the machine swaps."""
    environment = {k: v for k, v in os.environ.items() if k not in VARIABLES}
    found = subprocess.run(
        [sys.executable, "-c", IN_USE + code],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(found.stdout) < MAX_GROWTH
