"""How fast a training would be here if nothing else ran."""

import os
import subprocess
import sys
import time

import pytest

from training.adaptation.training_speed import measure_training_speed, watch_processor
from training.artifact.directory import load_artifact

SPINNING = "while True: pass"
WORK_S = 0.5


def work():
    """Computes for some time of the processor."""
    started = time.process_time()
    while time.process_time() - started < WORK_S:
        pass


@pytest.fixture
def one_core():
    """Confines this process to one core, and what it starts."""
    before = os.sched_getaffinity(0)
    core = min(before)
    os.sched_setaffinity(0, {core})
    yield core
    os.sched_setaffinity(0, before)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says how long a thread has waited")
def test_a_busy_core_is_told_from_a_slow_one(one_core):
    """If it fails, an adaptation that starts during a build trains for a fraction of its time."""
    others = [subprocess.Popen([sys.executable, "-c", SPINNING]) for _ in range(2)]
    try:
        time.sleep(0.2)
        started = time.perf_counter()
        with watch_processor() as processor:
            work()
        elapsed_s = time.perf_counter() - started
    finally:
        for other in others:
            other.kill()
            other.wait()
    assert processor.share < 0.7  # a third, and less if other tests run
    assert processor.share == pytest.approx(WORK_S / elapsed_s, rel=0.3)


def test_time_asleep_is_no_time_of_waiting_for_a_core():
    started = time.perf_counter()
    with watch_processor() as processor:
        time.sleep(2 * WORK_S)
        work()
    awake_s = time.perf_counter() - started - 2 * WORK_S
    assert processor.share > 0.7 * WORK_S / awake_s


def test_passes_and_updates_are_measured_apart(tiny_artifact):
    """If it fails, small steps are planned too fast, and an adaptation takes too long."""
    speed = measure_training_speed(load_artifact(tiny_artifact))
    assert speed.update_s > 0
    small, large = (speed.count_tokens(1.0, batch_tokens=n) for n in (64, 65536))
    assert 0 < small < large < speed.tokens_per_s
