"""The wait before a suggestion is computed."""

from server.worker.debounce import Debounce


def after(*durations_ms):
    debounce = Debounce()
    for ms in durations_ms:
        debounce.record(ms)
    return debounce


def test_waiting_pays_only_where_suggestions_are_slow():
    """If it fails, a fast machine waits for nothing, or a slow one computes each key in vain."""
    assert after().wait_s(longest_ms=150) == 0
    assert after(*[20] * 20).wait_s(longest_ms=150) == 0
    assert 0.09 < after(*[200] * 30).wait_s(longest_ms=150) < 0.11
    assert after(*[2000] * 30).wait_s(longest_ms=150) == 0.15
    assert after(*[2000] * 30).wait_s(longest_ms=0) == 0


def test_the_time_since_the_last_keystroke_counts():
    debounce = after(*[2000] * 30)
    assert 0.09 < debounce.wait_s(longest_ms=150, quiet_s=0.05) < 0.11
    assert debounce.wait_s(longest_ms=150, quiet_s=9) == 0


def test_it_adapts_to_a_machine_that_has_become_fast():
    assert after(*[2000] * 30, *[10] * 60).wait_s(longest_ms=150) == 0
