"""What people and programs read about the server's health."""

import json

import pytest

from server.backends.backend import BackendInfo
from server.health_report import Health, describe_size, format_rows

LOCAL = BackendInfo(
    parameters=17_300_000,
    tokens_seen=1_500_000_000,
    context_tokens=1024,
    precision="int8",
    threads=2,
    knows_its_sources=True,
    documents_cached=3,
)


def test_the_rows_of_a_local_model():
    health = Health(
        version="1",
        model="bundled",
        backend=LOCAL,
        state="idle",
        documents=2,
        server_mib=60.4,
        worker_mib=400.6,
    )
    assert health.rows() == [
        ("Version", "1"),
        ("State", "ready"),
        ("Model", "bundled"),
        ("Size", "17.3M parameters, trained on 1.5B tokens"),
        ("Context", "1024 tokens"),
        ("Precision", "int8"),
        ("Threads", "2"),
        ("Attribution", "on"),
        ("Open documents", "2"),
        ("Memory", "server 60 MiB, model 401 MiB"),
    ]


def test_the_rows_of_a_remote_server_name_its_model_and_its_address():
    remote = BackendInfo(url="http://gpu:8000", model="big", infilling="suffix")
    rows = dict(Health(version="1", model="bundled", backend=remote, state="ready").rows())
    assert rows["Model"] == "big"
    assert rows["Remote server"] == "http://gpu:8000"
    assert "`suffix`" in rows["Infilling"]
    assert "Attribution" not in rows


def test_a_server_without_a_model_says_why():
    health = Health(version="1", model="x", backend=None, state="error", reason="it is missing")
    assert dict(health.rows())["State"] == "error: it is missing"
    assert "Size" not in dict(health.rows())


def test_the_keys_are_those_that_editors_know():
    """If it fails, an extension of another version shows nothing."""
    health = Health(version="1", model="bundled", backend=LOCAL, state="idle")
    answer = json.loads(json.dumps(health.to_json()))
    assert {"version", "state", "reason", "model", "documents", "server_mib", "worker_mib"} < set(
        answer
    )
    assert answer["parameters"] == 17_300_000
    assert answer["documents_cached"] == 3
    assert answer["report"] == [list(row) for row in health.rows()]


def test_rows_are_aligned():
    assert format_rows([("A", "1"), ("Long", "2")]) == "A     1\nLong  2\n"


@pytest.mark.parametrize(
    ("number", "said"),
    [(999, "999"), (999_499, "999k"), (999_500, "1M"), (999_700_000, "1B"), (1e13, "10000B")],
)
def test_a_size_just_below_the_next_unit_is_written_in_that(number, said):
    """If it fails, people read "1e+03M parameters"."""
    assert describe_size(BackendInfo(parameters=number)) == f"{said} parameters"
