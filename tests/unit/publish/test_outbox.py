"""The outbox, and what sends it, without a network: the Hub is a list of commits."""

import functools
import json
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from listed_hub import TARGET, checkpoint, queue

from training.artifact.network.config import GPT2Config
from training.config import PublishConfig, RunConfig, check_repo_name
from training.foundation.config_schema import from_mapping
from training.foundation.errors import ConfigError, HubError, HubUnavailableError, PrerequisiteError
from training.foundation.folder_lock import FolderInUseError
from training.publish import publisher as publisher_module
from training.publish.outbox import Outbox
from training.publish.publishable_files import link_artifact, list_artifact_files
from training.publish.publisher import Publisher, make_branch_name
from training.publish.sender import MAX_ATTEMPTS, retry, send_all


def steps(outbox):
    return [entry.step for entry in outbox.commits()]


def test_entries_are_sent_in_order_the_tokenizer_first(outbox, hub, tmp_path):
    """If it fails, the newest commit of a branch is an old checkpoint."""
    queue(outbox, tmp_path, 100, 20)
    queue(outbox, tmp_path, 120, kind="model")
    outbox.add("tokenizer", 0, lambda path: (path / "tokenizer.json").write_text("t"))
    send_all(outbox, hub, TARGET)
    assert hub.commits == [
        ("main", "Tokenizer"),
        ("run", "Tokenizer"),
        ("run", "Step 100"),
        ("run", "Step 20"),
        ("run", "Step 120, finished"),
    ]
    assert hub.is_private
    assert hub.merged == ["run"]
    assert not outbox.commits()


def test_a_queued_commit_outlives_its_checkpoint_and_has_no_training_state(outbox, hub, tmp_path):
    """If it fails, rotation takes what was to be published, or optimiser states get out."""
    queue(outbox, tmp_path, 1)
    shutil.rmtree(tmp_path / "checkpoints")
    send_all(outbox, hub, TARGET)
    assert hub.trees["run"] == {
        "config.json": "config.json 1",
        "model.safetensors": "model.safetensors 1",
    }


def test_the_branch_of_a_finished_run_keeps_its_training_state(outbox, hub, tmp_path):
    """If it fails, a finished run cannot be trained further elsewhere, or main has its state."""
    for step in (4, 8):
        path = checkpoint(tmp_path / f"step-{step}", text=str(step))
        (path / "training_state.json").write_text(f'{{"step": {step}}}')
        (path / f"training_state-0000{step}-of-2.safetensors").write_text("another process'")
        write = functools.partial(link_artifact, path, with_state=True)
        outbox.add("checkpoint", step, write)
    queue(outbox, tmp_path, 8, kind="model")
    (outbox.commits()[-1].path / "README.md").write_text("finished")
    send_all(outbox, hub, TARGET)
    model = {"config.json", "model.safetensors", "README.md"}
    state = {name for name in hub.trees["run"] if name.startswith("training_state")}
    assert state == {
        "training_state.json",
        "training_state.safetensors",
        "training_state-00008-of-2.safetensors",
    }
    assert hub.trees["run"]["training_state.json"] == '{"step": 8}'
    assert hub.trees["run"].keys() == model | state
    assert hub.trees["main"].keys() == model


def test_a_queued_checkpoint_takes_no_extra_space(outbox, tmp_path):
    queue(outbox, tmp_path, 1)
    waiting = outbox.commits()[0].path / "model.safetensors"
    assert waiting.samefile(tmp_path / "checkpoints/checkpoint-1/model.safetensors")


def test_copies_where_links_fail(outbox, tmp_path, monkeypatch):
    """If it fails, nothing is published from a disk that knows no hard links."""
    monkeypatch.setattr("os.link", lambda *_paths: (_ for _ in ()).throw(OSError("no links")))
    queue(outbox, tmp_path, 1)
    assert (outbox.commits()[0].path / "config.json").read_text() == "config.json 1"


@pytest.mark.parametrize("killed_at", ["before", "within"])
def test_a_kill_between_commit_and_removal_sends_the_same_again(
    outbox, hub, tmp_path, monkeypatch, killed_at
):
    """If it fails, a kill at the wrong moment loses a commit, or makes half of one."""
    queue(outbox, tmp_path, 1, 2)
    with monkeypatch.context() as kill:
        name = "pathlib.Path.rename" if killed_at == "before" else "shutil.rmtree"
        kill.setattr(name, lambda *_args, **_options: (_ for _ in ()).throw(SystemExit))
        with pytest.raises(SystemExit):
            send_all(outbox, hub, TARGET)
    assert steps(outbox) == ([1, 2] if killed_at == "before" else [2])
    outbox.clean_up()
    send_all(outbox, hub, TARGET)
    assert hub.commits == [("run", "Step 1"), ("run", "Step 2")]
    assert [path.name for path in outbox.path.iterdir()] == ["queued.json"]


def test_a_dead_network_cannot_fill_the_disk(outbox, tmp_path):
    """If it fails, a week without network costs the disk, or the finished model."""
    outbox.add("tokenizer", 0, lambda path: (path / "tokenizer.json").write_text("t"))
    for step in range(1, 8):
        queue(outbox, tmp_path, step)
        outbox.drop_excess(3)
    assert steps(outbox) == [0, 5, 6, 7]
    queue(outbox, tmp_path, 7, kind="model")
    outbox.drop_excess(1)
    assert [entry.kind for entry in outbox.commits()] == ["tokenizer", "checkpoint", "model"]


def test_the_commit_that_is_being_sent_is_not_dropped(outbox, tmp_path):
    queue(outbox, tmp_path, 1, 2, 3, 4)
    assert [entry.step for entry in outbox.drop_excess(2)] == [2, 3]
    assert steps(outbox) == [1, 4]


def test_an_entry_dropped_while_it_was_sent_stops_nothing(outbox, hub, tmp_path):
    queue(outbox, tmp_path, 1, 2)
    first = outbox.commits()[0]

    def pause(_seconds):
        if first.path.is_dir():
            outbox.remove(first)

    hub.failures = [HubUnavailableError("away")]
    send_all(outbox, hub, TARGET, pause=pause)
    assert hub.commits == [("run", "Step 2")]


def test_two_processes_do_not_send_at_once(outbox):
    """If it fails, a command beside the training mixes up the order of commits."""
    with outbox.lock(), pytest.raises(FolderInUseError, match="outbox"), outbox.lock():
        pass
    with outbox.lock():
        pass


def test_patience_grows_has_an_end_and_is_never_quite_the_same():
    """If it fails, a Hub in trouble is flooded by all runs at once, or a thread never ends."""
    waits = []

    def away():
        raise HubUnavailableError("away")

    for _ in range(2):
        with pytest.raises(HubUnavailableError):
            retry(away, pause=waits.append)
    assert len(waits) == 2 * (MAX_ATTEMPTS - 1)
    longest = [min(30, 2**number) for number in range(MAX_ATTEMPTS - 1)] * 2
    assert all(most / 2 <= wait <= most for wait, most in zip(waits, longest, strict=True))
    assert waits[: MAX_ATTEMPTS - 1] != waits[MAX_ATTEMPTS - 1 :]


def test_a_refusal_is_not_tried_again(outbox, hub, tmp_path):
    queue(outbox, tmp_path, 1)
    hub.failures = [HubError("no")] * 2
    waits = []
    with pytest.raises(HubError):
        send_all(outbox, hub, TARGET, pause=waits.append)
    assert (len(hub.failures), waits, steps(outbox)) == (1, [], [1])


def test_links_that_lead_out_of_the_folder_are_refused(tmp_path):
    """If it fails, a link in a model's folder publishes any file of its owner."""
    (tmp_path / "secret").write_text("secret")
    folder = checkpoint(tmp_path / "model")
    (folder / "README.md").symlink_to(tmp_path / "secret")
    with pytest.raises(PrerequisiteError, match=r"README.md is a link to outside"):
        list_artifact_files(folder)


@pytest.mark.parametrize("repo", ["a/b", "Own-er/na_me.x-1", "1/2"])
def test_names_that_the_hub_takes(repo):
    check_repo_name(repo)


@pytest.mark.parametrize(
    "values",
    [
        *({"repo": repo} for repo in ("a", "a/b/c", "a/b--c", "../b", "a/b..c", "a/", "a/b.git")),
        {"repo": "a/b c"},
        {"repo": f"a/{'b' * 96}"},
        {"branch": "main"},
        {"branch": "a/../b"},
        {"max_waiting": 0},
        {"wait_s": -1.0},
    ],
)
def test_a_name_that_the_hub_would_refuse_is_refused_before_training(values):
    """If it fails, one hears of a mistyped name after the first checkpoint."""
    with pytest.raises(ConfigError, match=r"expected|must be"):
        from_mapping(PublishConfig, values, where="a config")


def test_tidying_while_another_process_removes_an_entry(outbox):
    """If it fails, a run that starts while an earlier one still sends publishes nothing."""
    for number in range(40):
        outbox.add("checkpoint", number, lambda path: [(path / str(n)).touch() for n in range(10)])
    with ThreadPoolExecutor() as pool:
        removal = pool.submit(lambda: [outbox.remove(entry) for entry in outbox.commits()])
        while not removal.done():
            outbox.clean_up()
        removal.result()
    outbox.clean_up()
    assert [path.name for path in outbox.path.iterdir()] == ["queued.json"]


def test_branches_of_two_runs_differ():
    first, second = make_branch_name("My run/1"), make_branch_name("My run/1")
    assert first != second
    assert first.startswith("My-run-1-20")
    assert PublishConfig(branch=first).branch == first


class TestPublisher:
    """What the training loop calls."""

    @pytest.fixture
    def start(self, tmp_path, monkeypatch, byte_tokenizer, hub):
        """Starts publishers of one run, as interruptions do; the Hub is a fake."""
        shape = GPT2Config(
            vocab_size=byte_tokenizer.vocab_size, n_positions=64, n_embd=8, n_layer=1, n_head=1
        )
        monkeypatch.setattr(publisher_module, "Hub", lambda *_a, **_k: hub)
        started = []

        def start(begun=None, **values):
            publish = {"repo": "me/model", "wait_s": 20.0, **values}
            mapping = {"name": "tiny", "publish": publish}
            config = from_mapping(RunConfig, mapping, where="here")
            object.__setattr__(config.paths, "run", tmp_path / "run")
            publisher = Publisher(config, is_main_process=True, pause=lambda _seconds: None)
            publisher.start(byte_tokenizer, shape, begun)
            started.append(publisher)
            return publisher

        yield start
        for publisher in started:
            publisher.close()
        for thread in threading.enumerate():
            if thread.name == "publisher":
                thread.join(10)

    def test_without_a_repository_nothing_happens(self, start, tmp_path, hub):
        publisher = start(repo=None)
        publisher.checkpoint(checkpoint(tmp_path / "c"), 1)
        publisher.finish(tmp_path / "c", 1)
        assert not (tmp_path / "run").exists()
        assert hub.commits == []

    def test_a_run_that_goes_on_keeps_its_branch_and_its_tokenizer(self, start, tmp_path, hub):
        """If it fails, each interruption begins another branch."""
        first = start()
        first.finish(checkpoint(tmp_path / "1"), 1)
        first.close()
        again = start()
        again.finish(checkpoint(tmp_path / "2", text="2"), 2)
        branch = json.loads((tmp_path / "run/outbox/target.json").read_text())["branch"]
        assert [commit for commit in hub.commits if commit[0] != "main"] == [
            (branch, "Step 1, finished"),
            (branch, "Step 2, finished"),
        ]
        assert ("main", "Tokenizer") in hub.commits

    @pytest.mark.parametrize("n_queued", [0, 1])
    def test_a_kill_between_saving_and_queueing_is_no_hole(self, start, tmp_path, hub, n_queued):
        """If it fails, the checkpoint that a run goes on from is missing, or stands there twice."""
        first, saved = start(), checkpoint(tmp_path / "1")
        for _ in range(n_queued):
            first.checkpoint(saved, 1)
        first.close()
        again = start(begun=(saved, 1))
        again.finish(checkpoint(tmp_path / "2", text="2"), 2)
        titles = [title for branch, title in hub.commits if branch != "main"]
        assert titles == ["Step 1", "Step 2, finished"]

    def test_what_was_queued_once_is_not_queued_again(self, start, tmp_path, hub):
        """If it fails, a finished run that goes on has its last checkpoint behind its model."""
        first, saved = start(), checkpoint(tmp_path / "1")
        first.checkpoint(saved, 1)
        first.finish(checkpoint(tmp_path / "model", text="finished"), 1)
        first.close()
        again = start(begun=(saved, 1))
        again.finish(checkpoint(tmp_path / "2", text="2"), 2)
        titles = [title for branch, title in hub.commits if branch != "main"]
        assert titles == ["Step 1", "Step 1, finished", "Step 2, finished"]

    def test_a_hub_that_comes_back_gets_what_waited(self, start, tmp_path, hub, capsys):
        """If it fails, an hour without network ends the publishing of the whole run."""
        hub.failures = [HubUnavailableError("away")] * MAX_ATTEMPTS
        publisher = start()
        publisher.checkpoint(checkpoint(tmp_path / "1", text="1"), 1)
        publisher.finish(checkpoint(tmp_path / "2", text="2"), 2)
        publisher.close()
        assert [title for _, title in hub.commits] == ["Tokenizer", "Step 1", "Step 2, finished"]
        assert "send with" not in capsys.readouterr().err

    def test_a_refusal_is_said_once(self, start, tmp_path, hub, capsys):
        """If it fails, a log is full of one sentence, or a wrong token goes unnoticed."""
        hub.failures = [HubError("log in")] * 9
        publisher = start()
        for step in (1, 2):
            publisher.checkpoint(checkpoint(tmp_path / str(step)), step)
        publisher.finish(checkpoint(tmp_path / "3"), 3)
        publisher.close()
        err = capsys.readouterr().err
        assert err.count("log in") == 1
        assert "4 commits are queued" in err
        assert len(hub.failures) == 8

    @pytest.mark.parametrize("error", [OSError("disk full"), RuntimeError("a bug")])
    def test_nothing_that_fails_reaches_the_training(
        self, start, tmp_path, monkeypatch, error, capsys
    ):
        """If it fails, a full disk or a bug in publishing costs a night's training."""
        publisher = start(wait_s=0.0)
        monkeypatch.setattr(Outbox, "add", lambda *_: (_ for _ in ()).throw(error))
        publisher.checkpoint(checkpoint(tmp_path / "1"), 1)
        publisher.finish(tmp_path / "1", 1)
        assert capsys.readouterr().err.count(f"{error}; training continues") == 2

    def test_a_step_is_queued_once(self, start, tmp_path, hub):
        """The loop saves its last step twice, with other figures; the second comes as the model."""
        publisher = start()
        for text in ("1", "2"):
            publisher.checkpoint(checkpoint(tmp_path / text, text=text), 5)
        publisher.finish(tmp_path / "2", 5)
        titles = [title for _, title in hub.commits]
        assert titles == ["Tokenizer", "Step 5", "Step 5, finished"]
