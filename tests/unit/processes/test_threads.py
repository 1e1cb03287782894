"""Whether a training says that cores have nothing to do."""

import pytest

from training.processes import threads
from training.processes.threads import describe_idle_cores, hint_at_idle_cores


@pytest.mark.parametrize(
    ("environment", "n_cores", "expected"),
    [
        ({"OMP_NUM_THREADS": "1"}, 8, "OMP_NUM_THREADS=8"),
        ({"OMP_NUM_THREADS": "1", "LOCAL_WORLD_SIZE": "2"}, 8, "OMP_NUM_THREADS=4"),
        ({"OMP_NUM_THREADS": "1", "WORLD_SIZE": "2"}, 8, "OMP_NUM_THREADS=4"),
        ({"OMP_NUM_THREADS": "1", "LOCAL_WORLD_SIZE": "2", "WORLD_SIZE": "4"}, 2, None),
        ({"OMP_NUM_THREADS": "1"}, 1, None),
        ({"OMP_NUM_THREADS": "2"}, 8, None),  # somebody chose it
        ({}, 8, None),  # PyTorch takes all
    ],
)
def test_cores_that_one_thread_leaves_are_told(environment, n_cores, expected):
    """If it fails, a first training takes twice as long as it could, or a hint is wrong."""
    hint = describe_idle_cores(environment, n_cores)
    assert (expected in hint) if expected else hint is None


@pytest.mark.parametrize(("rank", "lines"), [("0", 1), ("1", 0)])
def test_one_process_of_several_says_so(rank, lines, monkeypatch, capsys):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    monkeypatch.setenv("LOCAL_RANK", rank)
    monkeypatch.setattr(threads, "count_cores", lambda: 4)
    hint_at_idle_cores()
    assert len(capsys.readouterr().err.splitlines()) == lines
