"""Stages of a pipeline: run once, paused, ended in long pauses, failed in a sentence."""

import os
import time

import psutil
import pytest

from parrotlet.pipeline import stage_runner
from parrotlet.pipeline.conditions import (
    ON_BATTERY,
    SHORT_OF_MEMORY,
    WHILE_TYPING,
    Conditions,
)
from parrotlet.pipeline.stage import Stage
from parrotlet.pipeline.stage_runner import (
    CancelledError,
    Pause,
    StageFailedError,
    StageRunner,
)
from server.power_supply import Battery


class ProcessDouble:
    """Ends after some polls with an exit code."""

    started = []  # noqa: RUF012 - replaced for each test
    code, n_polls, line = 0, 2, ""

    def __init__(self, words, log, folder=""):
        self.words, self.folder, self.calls, self.left = words, folder, [], self.n_polls
        self.pid = os.getpid()
        self.is_ended = False
        self.started.append(self)

    def poll(self):
        if self.is_ended:
            return -15
        self.left -= "stop" not in self.calls[-1:]
        return self.code if self.left < 0 else None

    def stop(self):
        self.calls.append("stop")

    def wake(self):
        self.calls.append("wake")

    def end(self):
        self.is_ended = True

    def measure_memory(self):
        return 7

    def read_last_line(self):
        return self.line


@pytest.fixture(autouse=True)
def processes(monkeypatch):
    monkeypatch.setattr(ProcessDouble, "started", [])
    monkeypatch.setattr(stage_runner, "StageProcess", ProcessDouble)
    monkeypatch.setattr(stage_runner, "_TICK_S", 0.001)
    monkeypatch.setattr(stage_runner, "end_process", lambda _: None)
    return ProcessDouble.started


STAGES = [
    Stage(name="first", words=("corpus", "a"), weight_s=1),
    Stage(name="second", words=("prepare", "b"), weight_s=3, measure=lambda: 0.5),
]


def runner(work, pauses=(), progress=None):
    waiting = list(pauses)

    def find_pause(_is_running):
        pause = waiting.pop(0) if waiting else None
        if isinstance(pause, Exception):
            raise pause
        return pause

    return StageRunner(work, STAGES, find_pause, (progress if progress is not None else []).append)


def test_finished_stages_are_not_run_again(tmp_path, processes):
    """If it fails, whoever resumes pays for everything twice."""
    runner(tmp_path).run(STAGES[0])
    runner(tmp_path).run_all()
    assert [process.words[0] for process in processes] == ["corpus", "prepare"]


def test_progress_counts_stages_by_their_weight(tmp_path):
    progress = []
    runner(tmp_path, progress=progress).run_all()
    shares = [one.done for one in progress]
    assert shares == sorted(shares)
    assert progress[0].done == 0.0
    assert progress[-1].done == pytest.approx((1 + 0.5 * 3) / 4)


def test_a_short_pause_stops_the_process_and_wakes_it(tmp_path, processes):
    pause = Pause(WHILE_TYPING)
    progress = []
    runner(tmp_path, [None, pause, pause, None], progress).run(STAGES[0])
    (process,) = processes
    assert process.calls[:3] == ["stop", "stop", "wake"]
    assert {one.pause for one in progress} == {None, pause}


def test_a_long_pause_gives_the_memory_back(tmp_path, processes, monkeypatch):
    """If it fails, a paused adaptation holds a gigabyte for the whole day."""
    monkeypatch.setattr(stage_runner, "_LONG_PAUSE_S", 0.0)
    runner(tmp_path, [None, *[Pause(ON_BATTERY)] * 5, None]).run(STAGES[0])
    assert len(processes) == 2
    assert processes[0].is_ended
    assert not processes[1].is_ended


def test_where_memory_is_short_it_is_given_back_at_once(tmp_path, processes):
    runner(tmp_path, [None, Pause(SHORT_OF_MEMORY, frees_memory=True)]).run(STAGES[0])
    assert processes[0].is_ended
    assert len(processes) == 2


def test_cancelling_ends_the_process(tmp_path, processes):
    with pytest.raises(CancelledError):
        runner(tmp_path, [None, CancelledError()]).run(STAGES[0])
    assert processes[0].is_ended


def test_a_failure_is_the_commands_own_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr(ProcessDouble, "code", 3)
    monkeypatch.setattr(ProcessDouble, "line", "error: the disk is full; free some")
    with pytest.raises(StageFailedError, match=r"^parrotlet corpus: the disk is full; free some$"):
        runner(tmp_path).run(STAGES[0])
    monkeypatch.setattr(ProcessDouble, "line", "")
    with pytest.raises(StageFailedError, match=r"it printed nothing \(exit code 3\)"):
        runner(tmp_path).run(STAGES[0])


def test_what_may_fail_for_its_input_does_not_end_the_pipeline(tmp_path, monkeypatch):
    monkeypatch.setattr(ProcessDouble, "code", 2)
    optional = Stage(name="third", words=("calibrate",), may_fail=True)
    found = runner(tmp_path)
    found.run(optional)
    assert found.is_finished("third")


def test_a_command_that_only_queues_jobs_is_not_finished(tmp_path):
    """If it fails, a training on a cluster goes on without its corpus."""
    queued = Stage(name="q", words=("cluster",), produces=str(tmp_path / "report.json"))
    found = runner(tmp_path)
    with pytest.raises(StageFailedError, match="run the same command again"):
        found.run(queued)
    assert not found.is_finished("q")
    (tmp_path / "report.json").touch()
    found.run(queued)
    assert found.is_finished("q")


class TestConditions:
    @pytest.fixture(autouse=True)
    def memory(self, monkeypatch):
        free = type("Memory", (), {"available": 8 << 30})
        monkeypatch.setattr(psutil, "virtual_memory", lambda: free)
        monkeypatch.setattr(Battery, "is_discharging", lambda _: False)
        return free

    def look(self, file, **wants):
        found = Conditions(file, **{"needs_power": True, "needs_quiet": True, **wants})
        pauses = [found.find_pause(is_running=running) for running in (False, True)]
        return [None if pause is None else pause.reason for pause in pauses]

    def test_a_machine_with_nothing_else_to_do_is_used(self, tmp_path):
        assert self.look(tmp_path / "typing") == [None, None]

    def test_it_waits_while_the_user_types(self, tmp_path):
        file = tmp_path / "typing"
        file.touch()
        assert self.look(file) == [WHILE_TYPING] * 2
        assert self.look(file, needs_quiet=False) == [None, None]
        long_ago = time.time() - 60
        os.utime(file, (long_ago, long_ago))
        assert self.look(file) == [None, None]
        future = time.time() + 3600  # the clock was set back
        os.utime(file, (future, future))
        assert self.look(file) == [None, None]

    def test_it_waits_for_power(self, tmp_path, monkeypatch):
        monkeypatch.setattr(Battery, "is_discharging", lambda _: True)
        assert self.look(tmp_path / "typing") == [ON_BATTERY] * 2
        assert self.look(tmp_path / "typing", needs_power=False) == [None, None]

    def test_it_waits_for_memory_and_needs_more_to_begin(self, tmp_path, memory):
        memory.available = 1 << 30
        assert self.look(tmp_path / "typing") == [SHORT_OF_MEMORY, None]
        memory.available = 100 << 20
        assert self.look(tmp_path / "typing") == [SHORT_OF_MEMORY] * 2
