"""Counts of what was shown and accepted: added up, bounded, and never in the way."""

import json

import pytest

from server.usage_statistics import FILE_NAME, UsageStatistics, read_summary
from server.user_folders import find_data_folder


def test_events_of_several_editors_are_added_up(tmp_path):
    first, second = UsageStatistics(tmp_path / "a"), UsageStatistics(tmp_path / "a")
    for number in range(20):
        (first if number % 2 else second).record_shown(n_chars=10, ms=float(number))
    first.record_accepted(n_chars=12, part="whole")
    second.record_accepted(n_chars=4, part="line")
    first.record_rejected()
    found = read_summary(tmp_path / "a")
    assert (found.shown, found.accepted, found.rejected) == (20, 2, 1)
    assert found.characters_saved == 14
    assert found.latency_p50_ms == 9.5
    rows = dict(found.rows())
    assert rows["Accepted in full"] == "1 (5%)"
    assert rows["Accepted in part"] == "0 by word, 1 by line"
    assert rows["Latency"] == "10 ms median, 18 ms 95th percentile"


@pytest.mark.parametrize(
    "line",
    [
        '{"event": "accepted", "characters": "x", "how": "whole"}',
        '{"event": "accepted", "characters": 3, "how": "half"}',
        '{"event": "accepted"}',
        '{"event": "other"}',
        '{"event": "shown", "ms": null}',
        '{"event": "shown"',
        "[1]",
        "null",
        "\x00",
        "",
    ],
)
def test_a_line_that_is_torn_or_of_another_version_counts_for_nothing(tmp_path, line):
    """If it fails, one bad line ends the statistics, or makes them wrong."""
    (tmp_path / FILE_NAME).write_text(f'{line}\n{{"event": "rejected"}}\n')
    found = read_summary(tmp_path)
    assert (found.shown, found.accepted, found.rejected) == (0, 0, 1)


def test_the_keys_are_those_that_editors_know():
    """If it fails, an extension of another version shows empty statistics."""
    assert list(read_summary(None).to_json()) == [
        "shown",
        "accepted",
        "rejected",
        "accepted_by",
        "characters_saved",
        "latency_p50_ms",
        "latency_p95_ms",
    ]


def test_no_percentile_is_beyond_what_was_measured(tmp_path):
    """If it fails, the second suggestion of a new user seems to take twice as long as it did."""
    statistics = UsageStatistics(tmp_path)
    for ms in (20.0, 400.0):
        statistics.record_shown(n_chars=10, ms=ms)
    found = read_summary(tmp_path)
    assert found.latency_p50_ms == 210.0
    assert 210 < found.latency_p95_ms < 400


def test_no_statistics_are_zeros(tmp_path):
    found = read_summary(tmp_path)
    assert found.shown == 0
    assert "Latency" not in dict(found.rows())
    UsageStatistics(None).record_shown(n_chars=1, ms=1.0)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_cannot_be_written_is_one_warning(tmp_path, caplog):
    (tmp_path / "file").write_text("")
    statistics = UsageStatistics(tmp_path / "file")
    statistics.record_rejected()
    statistics.record_rejected()
    assert len(caplog.records) == 1
    assert str(tmp_path / "file") in caplog.text


def test_the_file_stays_small(tmp_path, monkeypatch):
    monkeypatch.setattr("server.usage_statistics._MAX_BYTES", 2000)
    statistics = UsageStatistics(tmp_path)
    for number in range(300):
        statistics.record_accepted(n_chars=number, part="word")
    path = tmp_path / FILE_NAME
    assert path.stat().st_size < 2200
    assert json.loads(path.read_text().splitlines()[-1])["characters"] == 299


def test_the_folder_is_the_systems_own(monkeypatch, tmp_path):
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert find_data_folder() == tmp_path / "parrotlet"


def test_a_user_without_a_home_has_no_statistics_and_no_error(monkeypatch):
    """If it fails, a container with an arbitrary user id has no ghost text."""

    def no_home():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.delenv("LOCALAPPDATA", raising=False)
    monkeypatch.setattr("pathlib.Path.home", no_home)
    assert find_data_folder() is None
    assert read_summary(find_data_folder()).shown == 0
    UsageStatistics(find_data_folder()).record_shown(n_chars=1, ms=1.0)
