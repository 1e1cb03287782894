"""Each test here runs on the CPU, in the ordinary suite, and with the mark ``gpu`` on CUDA.

The CPU's turn shows that the test itself is right; it costs little, because networks are tiny.
"""

from pathlib import Path

import pytest
import torch


def pytest_collection_modifyitems(items):
    """Lets compilers warn on GPUs, of what a machine lacks: each machine has other warnings."""
    for item in items:
        if "gpu" in item.keywords and item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.filterwarnings("ignore"))


@pytest.fixture(params=["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def device(request):
    """The device of a test; its CUDA turn is skipped where there is none."""
    if request.param == "cuda" and not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    return torch.device(request.param)


@pytest.fixture
def cuda():
    """A CUDA device, for tests that need one."""
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    return torch.device("cuda")
