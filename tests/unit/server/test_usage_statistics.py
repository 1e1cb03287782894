"""Counts of what was shown and taken: added up, bounded, and never in the way."""

import json

from server.usage_statistics import FILE_NAME, Statistics, default_folder, statistics_rows, summary


def test_what_happens_is_added_up(tmp_path):
    first, second = Statistics(tmp_path / "a"), Statistics(tmp_path / "a")  # two editors
    for number in range(20):
        (first if number % 2 else second).shown(n_chars=10, ms=float(number))
    first.accepted(n_chars=12, how="whole")
    second.accepted(n_chars=4, how="line")
    first.rejected()
    with (tmp_path / "a" / FILE_NAME).open("a") as file:
        file.write('{"event": "accepted", "characters": "x", "how": "whole"}\n')
        file.write('{"event": "accepted", "characters": 3, "how": "half"}\n')
        file.write('{"event": "other"}\n[1]\n{"event": "shown"\n')
    found = summary(tmp_path / "a")
    assert (found["shown"], found["accepted"], found["rejected"]) == (20, 2, 1)
    assert found["characters_saved"] == 14
    assert found["latency_p50_ms"] == 9.5
    rows = dict(statistics_rows(found))
    assert rows["Accepted in full"] == "1 (5%)"
    assert rows["Accepted in part"] == "0 by word, 1 by line"
    assert rows["Latency"] == "10 ms median, 19 ms 95th percentile"


def test_nothing_is_no_error(tmp_path):
    found = summary(tmp_path)
    assert found["shown"] == 0
    assert "Latency" not in dict(statistics_rows(found))
    Statistics(None).shown(n_chars=1, ms=1.0)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_cannot_be_written_stops_nothing(tmp_path, caplog):
    (tmp_path / "file").write_text("")
    statistics = Statistics(tmp_path / "file")
    statistics.rejected()
    statistics.rejected()
    assert len(caplog.records) == 1
    assert str(tmp_path / "file") in caplog.text


def test_it_stays_small(tmp_path, monkeypatch):
    monkeypatch.setattr("server.usage_statistics._MOST_BYTES", 2000)
    statistics = Statistics(tmp_path)
    for number in range(300):
        statistics.accepted(n_chars=number, how="word")
    path = tmp_path / FILE_NAME
    assert path.stat().st_size < 2200
    assert json.loads(path.read_text().splitlines()[-1])["characters"] == 299


def test_it_stands_where_this_system_keeps_such_files(monkeypatch, tmp_path):
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert default_folder() == tmp_path / "parrotlet"


def test_a_user_without_a_home_has_no_statistics_and_no_error(monkeypatch):
    """If it fails, a container with an arbitrary user id has no ghost text."""

    def no_home():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.delenv("LOCALAPPDATA", raising=False)
    monkeypatch.setattr("pathlib.Path.home", no_home)
    assert default_folder() is None
    assert summary(default_folder())["shown"] == 0
    Statistics(default_folder()).shown(n_chars=1, ms=1.0)
