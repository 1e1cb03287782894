"""The limit of oneDNN's compiled kernels."""

import os
from pathlib import Path

from training.processes.kernel_cache import CAPACITY, limit_kernel_cache

NAME, LIMIT = CAPACITY


def test_the_limit_is_set_unless_the_user_has_set_one(monkeypatch):
    monkeypatch.setenv(NAME, "7")
    limit_kernel_cache()
    assert os.environ[NAME] == "7"
    monkeypatch.delenv(NAME)
    limit_kernel_cache()
    assert os.environ[NAME] == LIMIT


def test_a_training_sets_it_before_anything_can_be_computed():
    """If it fails, a training takes a gigabyte more within minutes, and grows."""
    source = (Path(__file__).parents[3] / "training/pretrain.py").read_text(encoding="utf-8")
    assert source.index("    limit_kernel_cache()") < source.index("\nimport torch\n")
