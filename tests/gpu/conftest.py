"""Each test here runs on the CPU, in the ordinary suite, and with the mark ``gpu`` on CUDA.

The CPU's turn shows that the test itself is right; it costs little, because networks are tiny.
"""

import pytest
import torch


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
