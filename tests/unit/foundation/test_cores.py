"""A container's limit on processor time counts, in either version of control groups."""

import os

import pytest

from training.foundation.parallel import cores
from training.foundation.parallel.cores import count_cores, read_quota

V2 = "0::/work/container\n"
V1 = "9:name=systemd:/\n4:memory:/docker/f00\n2:cpu,cpuacct:/docker/f00\n0::/\n"


@pytest.fixture
def groups(tmp_path):
    def write(own, files):
        for name, text in files.items():
            file = tmp_path / "groups" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        (tmp_path / "own").write_text(own)
        return tmp_path / "groups", tmp_path / "own"

    return write


@pytest.mark.parametrize(
    ("own", "files", "quota"),
    [
        (V2, {"work/container/cpu.max": "150000 100000\n"}, 1.5),
        (V2, {"work/container/cpu.max": "max 100000\n"}, None),
        (V2, {"work/cpu.max": "200000 100000\n", "work/container/cpu.max": "max 100000\n"}, 2.0),
        (V2, {"work/cpu.max": "50000 100000\n", "work/container/cpu.max": "200000 100000\n"}, 0.5),
        ("0::/\n", {"cpu.max": "200000 100000\n"}, 2.0),  # as a container sees its own group
        ("0::/../..\n", {"cpu.max": "200000 100000\n"}, 2.0),
        (V2, {"work/container/cpu.max": "nonsense"}, None),
        (V2, {"work/container/cpu.max": "1 0"}, None),
        (V2, {}, None),
        ("", {"cpu.max": "200000 100000\n"}, None),
        (
            V1,
            {
                "cpu,cpuacct/cpu.cfs_quota_us": "300000\n",
                "cpu,cpuacct/cpu.cfs_period_us": "100000\n",
            },
            3.0,
        ),
        (
            V1,
            {
                "cpu,cpuacct/docker/f00/cpu.cfs_quota_us": "-1\n",
                "cpu,cpuacct/docker/f00/cpu.cfs_period_us": "100000\n",
                "memory/docker/f00/cpu.cfs_quota_us": "100\n",
            },
            None,
        ),
    ],
)
def test_the_narrowest_group_counts(groups, own, files, quota):
    assert read_quota(*groups(own, files)) == quota


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="Linux says it")
@pytest.mark.parametrize(("quota", "found"), [(None, 64), (2.0, 2), (1.5, 2), (0.1, 1), (99.0, 64)])
def test_threads_are_not_more_than_a_container_may_use(monkeypatch, quota, found):
    """If it fails, a server in a small container on a large machine waits for itself."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)))
    monkeypatch.setattr(cores, "read_quota", lambda *_: quota)
    assert count_cores() == found


def test_other_systems_count_their_processors(monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert count_cores() == 1
