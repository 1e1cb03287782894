"""When the workspace is indexed: after changes, one run at a time, never without a change."""

import threading
from pathlib import Path

import pytest

from server.worker.process import indexing
from server.worker.process.indexing import IndexedFolders, IndexFound, Indexing

FOLDERS = IndexedFolders(roots=(Path("/w"),))


class Runs:
    """Runs without a process."""

    def __init__(self, monkeypatch):
        self.n_started, self.folders = 0, []
        self.may_end, self.has_ended = threading.Event(), threading.Semaphore(0)
        self.may_end.set()
        monkeypatch.setattr(indexing, "_SETTLE_S", 0.0)
        monkeypatch.setattr(indexing, "_MIN_PAUSE_S", 0.0)
        monkeypatch.setattr(indexing, "_PAUSE_FACTOR", 0.0)
        monkeypatch.setattr(Indexing, "_start_process", lambda _: object())
        monkeypatch.setattr(Indexing, "_finish", lambda *_: self.finish())
        self.indexing = Indexing(self.end)

    def finish(self):
        self.n_started += 1
        self.may_end.wait(30)
        return IndexFound(folder=f"/c/{self.n_started}", processor_s=1.0)

    def end(self, folder):
        self.folders.append(folder)
        self.has_ended.release()


@pytest.fixture
def runs(monkeypatch):
    runs = Runs(monkeypatch)
    yield runs
    runs.may_end.set()
    runs.indexing.close()


def test_it_begins_once_folders_and_tokenizer_are_known(runs):
    runs.indexing.note_change()
    runs.indexing.use_folders(FOLDERS)
    assert runs.indexing._thread is None
    runs.indexing.use_tokenizer("/m/tokenizer.json")
    assert runs.has_ended.acquire(timeout=30)
    assert runs.folders == ["/c/1"]


def test_changes_during_a_run_are_one_more_run(runs):
    """If it fails, a checkout of a thousand files indexes the workspace a thousand times."""
    runs.may_end.clear()
    runs.indexing.use_folders(FOLDERS)
    runs.indexing.use_tokenizer("/m/tokenizer.json")
    while not runs.n_started:
        threading.Event().wait(0.001)
    for _ in range(1000):
        runs.indexing.note_change()
    runs.may_end.set()
    assert runs.has_ended.acquire(timeout=30)
    assert runs.has_ended.acquire(timeout=30)
    assert not runs.has_ended.acquire(timeout=0.2)
    assert runs.n_started == 2


@pytest.mark.parametrize(
    ("folders", "is_dropped"),
    [
        (IndexedFolders(), True),
        (IndexedFolders(roots=(Path("/v"),)), True),
        (IndexedFolders(roots=FOLDERS.roots, private_globs=("*.py",)), True),
        (IndexedFolders(roots=(*FOLDERS.roots, Path("/v"))), False),
    ],
)
def test_an_index_with_unwanted_files_is_dropped_at_once(runs, monkeypatch, folders, is_dropped):
    """If it fails, a file that became private is suggested from until all is indexed again."""
    runs.indexing.use_folders(FOLDERS)
    runs.indexing.use_tokenizer("/m/tokenizer.json")
    assert runs.has_ended.acquire(timeout=30)
    monkeypatch.setattr(indexing, "_SETTLE_S", 60.0)
    runs.indexing.use_folders(folders)
    assert runs.folders == ["/c/1", ""] if is_dropped else ["/c/1"]


def test_an_index_of_former_folders_is_not_used(runs):
    """If it fails, a file that becomes private while it is indexed is suggested from."""
    runs.may_end.clear()
    runs.indexing.use_folders(FOLDERS)
    runs.indexing.use_tokenizer("/m/tokenizer.json")
    while not runs.n_started:
        threading.Event().wait(0.001)
    runs.indexing.use_folders(IndexedFolders(roots=FOLDERS.roots, private_globs=("a.py",)))
    runs.may_end.set()
    assert runs.has_ended.acquire(timeout=30)  # at once, for what the former index has
    assert runs.has_ended.acquire(timeout=30)
    assert runs.folders == ["", "/c/2"]


def test_other_folders_do_not_wait_for_a_pause(runs, monkeypatch):
    """If it fails, who makes a file private waits for minutes until the others are known again."""
    monkeypatch.setattr(indexing, "_MIN_PAUSE_S", 600.0)
    runs.indexing.use_folders(FOLDERS)
    runs.indexing.use_tokenizer("/m/tokenizer.json")
    assert runs.has_ended.acquire(timeout=30)
    runs.indexing.note_change()
    assert not runs.has_ended.acquire(timeout=0.2)
    runs.indexing.use_folders(IndexedFolders(roots=(*FOLDERS.roots, Path("/v"))))
    assert runs.has_ended.acquire(timeout=30)


def test_a_model_that_was_loaded_again_is_indexed_for(runs):
    """If it fails, a model that was trained again in its folder knows no file of the workspace."""
    runs.indexing.use_folders(FOLDERS)
    for _ in range(2):
        runs.indexing.use_tokenizer("/m/tokenizer.json")
        assert runs.has_ended.acquire(timeout=30)
    assert runs.folders == ["/c/1", "/c/2"]


def test_after_each_failure_the_pause_is_longer(runs, monkeypatch):
    """If it fails, each save on a full disk has the whole workspace indexed in vain."""
    monkeypatch.setattr(indexing, "_MIN_PAUSE_S", 10.0)
    monkeypatch.setattr(Indexing, "_finish", lambda *_: fail())
    condition, pauses, has_failed = runs.indexing._change, [], threading.Semaphore(0)
    wait_for = condition.wait_for

    def fail():
        has_failed.release()
        if len(pauses) == 2 * 5:  # the fifth run is the first that succeeds
            return IndexFound(folder="/c/5", processor_s=0.0)
        return None

    def note_timeout(predicate, timeout=None):
        if timeout is None:
            return wait_for(predicate)
        pauses.append(timeout)
        return predicate()

    monkeypatch.setattr(condition, "wait_for", note_timeout)
    runs.indexing.use_folders(FOLDERS)
    runs.indexing.use_tokenizer("/m/tokenizer.json")
    for _ in range(5):
        assert has_failed.acquire(timeout=30)
        runs.indexing.note_change()
    assert has_failed.acquire(timeout=30)
    assert pauses[::2] == [0.0, 10.0, 20.0, 40.0, 80.0, 10.0]  # without those for settling


def test_a_model_without_a_memory_ends_it(runs):
    runs.indexing.use_folders(FOLDERS)
    runs.indexing.use_tokenizer("/m/tokenizer.json")
    assert runs.has_ended.acquire(timeout=30)
    runs.indexing.use_tokenizer("")
    runs.indexing.note_change()
    assert not runs.has_ended.acquire(timeout=0.2)
