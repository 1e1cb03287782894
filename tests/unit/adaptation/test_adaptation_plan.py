"""What an adaptation learns from, what it is measured on, and for how long it trains."""

import dataclasses
import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from doubles.repository_maker import make_repository
from packaging.utils import canonicalize_name

from training.adaptation.__main__ import read_previous
from training.adaptation.adaptation_plan import (
    MIN_CHANGED_SHARE,
    TOO_LITTLE,
    UNCHANGED,
    PlanInputs,
    make_plan,
)
from training.adaptation.configs import write_configs
from training.adaptation.general_code import REPLAY_FILE, UNREAD_FILE, read_sample, take_bytes
from training.adaptation.heldout_files import choose_heldout
from training.adaptation.repository_files import FileFacts, read_workspace
from training.adaptation.schedule import (
    DISTILLED_COST,
    FEWEST_STEPS,
    LEARNING_RATE,
    MATRIX_LEARNING_RATE,
    MAX_EPOCHS,
    MICRO_BATCH_TOKENS,
    REPLAY_SHARE,
    TrainingSpeed,
    choose_batch,
    choose_schedule,
    divide_batch,
)
from training.artifact.adaptation.adaptation_record import ADAPTATION_FILE, AdaptationRecord
from training.config import ModelConfig, PretrainConfig, RunConfig
from training.corpus.fetching.lock_file import read_lock
from training.foundation.atomic_files import write_json_atomically
from training.foundation.config_schema import load_toml, to_mapping
from training.step.batches import count_micro_batches

SIZES = {f"a/{number}.py": 1000 + number for number in range(200)}
SPEED = TrainingSpeed(tokens_per_s=1000.0)
CODE = "def double(value):\n    return value + value\n\n" * 8


def schedule(*, tokens_per_s=6000.0, update_s=0.0, **values):
    known = {"seconds": 800.0, "own_bytes": 5_000_000, "most_replay_bytes": 4_000_000}
    fixed = {"block_tokens": 1024, "n_embd": 384}
    speed = TrainingSpeed(tokens_per_s=tokens_per_s, update_s=update_s)
    return choose_schedule(**{**known, **fixed, "speed": speed, **values})


class TestHeldoutFiles:
    def test_the_newest_and_some_by_their_path_are_held_out(self):
        newest = [["a/7.py"], ["a/9.py", "a/10.py", "gone.py"]]
        found = choose_heldout(SIZES, newest, share=0.2)
        assert {"a/7.py", "a/9.py"} <= {*found.newest, *found.by_hash}
        share = sum(SIZES[p] for p in (*found.newest, *found.by_hash)) / sum(SIZES.values())
        assert 0.1 < share < 0.22
        assert not set(found.newest) & set(found.by_hash)

    def test_what_is_held_out_by_path_stays_so_when_the_repository_grows(self):
        """If it fails, a file is measured on that an earlier adaptation has learned from."""
        before = choose_heldout(SIZES, [], share=0.2)
        grown = {**SIZES, **{f"b/{number}.py": 1000 for number in range(20)}}
        learned = [path for path in SIZES if path not in before.by_hash]
        after = choose_heldout(grown, [["a/3.py", "b/3.py"]], share=0.2, learned=learned)
        assert not set(learned) & {*after.by_hash, *after.newest}
        assert set(before.by_hash) & set(after.by_hash)

    def test_a_commit_that_reformats_everything_says_nothing_about_what_is_new(self):
        found = choose_heldout(SIZES, [list(SIZES), ["a/5.py"]], share=0.2)
        assert found.newest in {("a/5.py",), ()}  # it may be held out by its path already

    def test_a_large_file_that_is_not_chosen_does_not_end_the_choice(self):
        """If it fails, a second adaptation is measured on no file that has changed since."""
        new = {f"b/{number}.py": 1000 for number in range(60)}
        sizes = {**SIZES, "large.py": 90_000, **new}
        newest = [["large.py"], ["a/3.py"], *([path] for path in new)]
        found = choose_heldout(sizes, newest, share=0.1, learned=[*SIZES, "large.py"])
        assert len(found.newest) > 10
        assert {*found.newest, *found.by_hash} < {*new}

    def test_with_one_commit_all_are_chosen_by_path(self):
        found = choose_heldout(SIZES, [], share=0.2)
        assert found.newest == ()
        assert sum(SIZES[p] for p in found.by_hash) >= 0.2 * sum(SIZES.values())


class TestSchedule:
    def test_more_time_is_more_steps_up_to_a_few_passes(self):
        steps = [schedule(seconds=60.0 * minutes).steps for minutes in (1, 5, 20, 60)]
        assert steps == sorted(steps)
        assert steps[0] < steps[1]
        assert schedule(seconds=24_000.0).epochs == pytest.approx(MAX_EPOCHS, rel=0.02)

    def test_a_slow_machine_reads_less_of_a_large_repository(self):
        """If it fails, a large repository is never finished in the time that was allowed."""
        slow, fast = schedule(tokens_per_s=500.0), schedule(tokens_per_s=50_000.0)
        assert slow.own_bytes < fast.own_bytes <= 5_000_000
        assert slow.steps * slow.batch_blocks * 1024 <= 800 * 500

    @pytest.mark.parametrize("seconds", [40.0, 120.0, 800.0])
    def test_the_updates_time_is_reckoned_with(self, seconds):
        """If it fails, an adaptation takes longer than it was allowed to, a short one most."""
        found = schedule(seconds=seconds, tokens_per_s=3000.0, update_s=0.3, most_replay_bytes=0)
        step_s = found.batch_blocks * 1024 / 3000.0 + 0.3
        assert found.steps * step_s == pytest.approx(seconds, abs=step_s)

    def test_the_teacher_s_time_is_reckoned_with(self):
        """If it fails, an adaptation takes longer than it was allowed to."""
        with_teacher, without = (schedule(most_replay_bytes=n, seconds=200.0) for n in (10**9, 0))
        tokens = [found.steps * found.batch_blocks for found in (with_teacher, without)]
        cost = 1 + REPLAY_SHARE * (DISTILLED_COST - 1)
        assert tokens[1] / tokens[0] == pytest.approx(cost, rel=0.05)
        assert without.own_bytes > with_teacher.own_bytes

    def test_general_code_has_its_share_as_far_as_there_is_enough(self):
        assert schedule(own_bytes=1_000_000).replay_share == pytest.approx(REPLAY_SHARE, rel=0.01)
        assert schedule(most_replay_bytes=0).replay_share == 0

    def test_little_code_is_read_in_small_steps_at_lower_rates(self):
        small = schedule(own_bytes=60_000)
        assert small.steps >= FEWEST_STEPS
        assert small.batch_blocks < schedule().batch_blocks
        assert small.matrix_learning_rate < MATRIX_LEARNING_RATE
        assert small.learning_rate < LEARNING_RATE

    def test_any_inputs_give_a_training_that_can_run(self):
        for seconds in (0.5, 80_000.0):
            for own in (1, 10**9):
                for speed in (1.0, 1e7):
                    found = schedule(seconds=seconds, own_bytes=own, tokens_per_s=speed)
                    assert found.steps >= 1
                    assert found.batch_blocks >= 1
                    assert found.warmup_steps >= 1
                    assert 0 < found.matrix_learning_rate <= MATRIX_LEARNING_RATE


class TestGeneralCode:
    @pytest.mark.parametrize(("file", "n_documents"), [(REPLAY_FILE, 400), (UNREAD_FILE, 60)])
    def test_it_is_permissive_code_of_many_packages_and_of_no_heldout_one(self, file, n_documents):
        """If it fails, adapted models have seen the packages that they are measured on."""
        documents = read_sample(file)
        assert len(documents) >= n_documents
        heldout = {"wagtail", "scikit-image", "nltk", "keystone", "cirq-core"}
        assert not heldout & {document.package for document in documents}
        assert all(document.licence for document in documents)
        assert len({document.package for document in documents}) > 50

    def test_what_measures_forgetting_is_of_packages_that_no_corpus_trains_on(self):
        """If it fails, forgetting is overstated, and less of an adaptation kept than could be."""
        configs = REPLAY_FILE.parents[1] / "configs"
        locks = [configs / name for name in ("python-corpus.lock", "corpus-wide.lock")]
        read = {str(canonicalize_name(pin.name)) for lock in locks for pin in read_lock(lock)}
        unread = {str(canonicalize_name(d.package)) for d in read_sample(UNREAD_FILE)}
        assert len(read) > 500
        assert not read & unread

    def test_as_many_documents_are_taken_as_bytes_are_wanted(self):
        documents = read_sample(REPLAY_FILE)
        few = take_bytes(documents, 50_000)
        assert few == documents[: len(few)]
        assert 50_000 <= sum(d.n_bytes for d in few) < 100_000
        assert take_bytes(documents, 0) == []
        assert take_bytes(documents, 10**9) == documents

    @pytest.mark.parametrize("file", [REPLAY_FILE, UNREAD_FILE])
    def test_its_packages_are_named_with_their_licences(self, file):
        notice = file.with_name(file.name.replace(".jsonl.gz", ".NOTICE")).read_text()
        for document in read_sample(file):
            assert f"{document.package} {document.version}: {document.licence}" in notice

    @pytest.mark.parametrize("own", ["a.py", "replay/a.py"])
    def test_no_file_of_the_repository_is_taken_for_it(self, tmp_path, own):
        """If it fails, the code in a folder "replay" is not learned, but unlearned."""
        plan = SimpleNamespace(
            schedule=schedule(), measured_bytes=1000, record=AdaptationRecord(origin="/model")
        )
        workspace = SimpleNamespace(
            files={own: FileFacts(n_bytes=1, sha256="1")}, repository=None, folder=tmp_path
        )
        network = ModelConfig(n_embd=64, n_layer=1, n_head=1)
        manifest = SimpleNamespace(training=SimpleNamespace(config={}))
        artifact = SimpleNamespace(
            path=tmp_path, config=network, context_tokens=64, manifest=manifest
        )
        write_configs(tmp_path, plan, workspace, artifact, ())
        prefix = load_toml(RunConfig, tmp_path / "run.toml").distil.path_prefix
        records = (tmp_path / "replay.jsonl").read_text(encoding="utf-8").splitlines()
        assert all(json.loads(record)["path"].startswith(prefix) for record in records)
        assert not own.startswith(prefix)
        assert prefix.startswith("replay/" if own == "a.py" else "general-")


class TestWorkspace:
    def test_the_commit_is_read_without_private_and_vendored_files(self, tmp_path):
        """If it fails, a private file of the repository is learned from."""
        repository = make_repository(
            tmp_path / "project",
            {"a.py": CODE, "secrets.py": CODE, "mine.py": CODE, "vendor/x.py": CODE},
            {"b/c.py": CODE + "x = 1\n"},
            {"b/d.py": CODE + "y = 1\n"},
        )
        (repository / "untracked.py").write_text(CODE)
        found = read_workspace(repository, ("mine.py",))
        assert set(found.files) == {"a.py", "b/c.py", "b/d.py"}
        assert found.changes == (("b/d.py",), ("b/c.py",))
        assert len(found.root_commit) == 40
        assert found.root_commit != found.commit
        part = read_workspace(repository / "b", ())
        assert part.subfolder == "b"
        assert set(part.files) == {"b/c.py", "b/d.py"}
        assert part.root_commit == found.root_commit

    def test_a_folder_whose_name_begins_with_a_dot_is_read(self, tmp_path):
        """If it fails, whoever adapts to a folder of their dotfiles is told that it is empty."""
        code = {".config/qtile/config.py": CODE, "config/other.py": CODE}
        repository = make_repository(tmp_path / "dotfiles", code)
        for name in (".config", ".config/qtile"):
            part = read_workspace(repository / name, ())
            assert part.subfolder == name
            assert set(part.files) == {".config/qtile/config.py"}
        assert read_workspace(repository, ()).subfolder == ""

    def test_a_folder_without_git_is_read_as_it_is(self, tmp_path):
        (tmp_path / "a.py").write_text(CODE)
        (tmp_path / ".gitignore").write_text("b.py\n")
        (tmp_path / "b.py").write_text(CODE)
        found = read_workspace(tmp_path, ())
        assert set(found.files) == {"a.py"}
        assert (found.commit, found.root_commit, found.changes) == ("", "", ())

    def test_a_folder_of_clones_is_read_with_them(self, tmp_path):
        """If it fails, whoever keeps several repositories in a workspace cannot adapt to it."""
        for name in ("one/a.py", "two/b.py"):
            (tmp_path / name).parent.mkdir()
            (tmp_path / name).write_text(CODE)
            (tmp_path / name).with_name(".git").mkdir()
        assert set(read_workspace(tmp_path, ()).files) == {"one/a.py", "two/b.py"}


@pytest.fixture
def inputs(tiny_artifact):
    from training.artifact.directory import load_artifact

    files = {path: FileFacts(n_bytes=n, sha256=path) for path, n in SIZES.items()}
    workspace = SimpleNamespace(
        folder=Path("/w"), root_commit="a", commit="b", subfolder="", files=files, changes=()
    )
    return PlanInputs(
        workspace=workspace,
        artifact=load_artifact(tiny_artifact),
        origin=tiny_artifact,
        previous=None,
        minutes=5.0,
        heldout_share=0.15,
    )


class TestPlan:
    def test_no_file_is_both_learned_and_measured_on(self, inputs):
        record = make_plan(inputs, SPEED).record
        assert not set(record.files) & set(record.heldout)
        assert set(record.files) | set(record.heldout) == set(SIZES)
        assert record.steps > 0

    def test_a_short_time_measures_on_less(self, inputs):
        """If it fails, a short adaptation measures for longer than it trains."""
        short, long = (
            make_plan(dataclasses.replace(inputs, minutes=minutes), SPEED)
            for minutes in (3.0, 20.0)
        )
        assert short.record.bits_files < long.record.bits_files
        assert short.record.measuring_s < long.record.measuring_s
        assert 0 < short.measured_bytes < long.measured_bytes

    def test_too_few_files_are_declined_in_a_sentence(self, inputs):
        few = SimpleNamespace(**{**vars(inputs.workspace), "files": {"a.py": FileFacts(
            n_bytes=900, sha256="1")}})  # fmt: skip
        plan = make_plan(dataclasses.replace(inputs, workspace=few), SPEED)
        assert plan.record.verdict == TOO_LITTLE
        assert plan.schedule is None
        assert "1 Python files" in plan.record.sentence

    def test_what_is_too_little_is_not_shown_as_enough(self, inputs):
        """If it fails, users read that 24 kB are too little, and that 24 kB are needed."""
        files = {f"{n}.py": FileFacts(n_bytes=2396, sha256=str(n)) for n in range(10)}
        workspace = SimpleNamespace(**{**vars(inputs.workspace), "files": files})
        few = dataclasses.replace(inputs, workspace=workspace)
        assert "with 23 kB to learn" in make_plan(few, SPEED).record.sentence
        files["large.py"] = FileFacts(n_bytes=777_000, sha256="large")
        previous = AdaptationRecord(files={"large.py": "large"})  # 2.99% are new
        sentence = make_plan(dataclasses.replace(few, previous=previous), SPEED).record.sentence
        assert "2.9% of the code" in sentence

    def test_a_repository_that_has_not_moved_on_is_not_worth_another_adaptation(self, inputs):
        """If it fails, each call trains for twenty minutes to learn the same again."""
        first = make_plan(inputs, SPEED).record
        again = dataclasses.replace(inputs, previous=first)
        assert make_plan(again, SPEED).record.verdict == UNCHANGED
        wanted = dataclasses.replace(again, is_wanted_again=True)
        assert make_plan(wanted, SPEED).record.verdict == ""
        n_changed = round(1.5 * MIN_CHANGED_SHARE * len(SIZES))
        learned = sorted(first.files)[:n_changed]
        files = {
            path: FileFacts(n_bytes=n, sha256="new" if path in learned else path)
            for path, n in SIZES.items()
        }
        moved = SimpleNamespace(**{**vars(inputs.workspace), "files": files})
        renewed = make_plan(dataclasses.replace(again, workspace=moved), SPEED).record
        assert renewed.verdict == ""
        assert renewed.is_renewed
        assert not set(first.files) & set(renewed.heldout)
        assert renewed.origin_sha256 == first.origin_sha256

    def test_what_was_learned_under_another_path_is_not_measured_on(self, inputs):
        """If it fails, a renamed folder is measured on with files that the model knows by heart."""
        first = make_plan(inputs, SPEED).record
        moved = {f"src/{path}": FileFacts(n_bytes=n, sha256=path) for path, n in SIZES.items()} | {
            f"new/{n}.py": FileFacts(n_bytes=1000, sha256=f"new {n}") for n in range(20)
        }
        workspace = SimpleNamespace(**{**vars(inputs.workspace), "files": moved})
        again = dataclasses.replace(inputs, workspace=workspace, previous=first)
        record = make_plan(again, SPEED).record
        assert record.verdict == ""
        assert record.heldout
        assert not {moved[path].sha256 for path in record.heldout} & {*first.files.values()}
        only_moved = {path: facts for path, facts in moved.items() if path.startswith("src/")}
        workspace.files = {
            path: facts
            for path, facts in only_moved.items()
            if facts.sha256 in first.files.values()
        }
        assert make_plan(again, SPEED).record.verdict == UNCHANGED

    @pytest.mark.parametrize("root", ["a", "", "b"])
    def test_a_model_that_is_adapted_again_says_what_it_has_learned(self, inputs, tmp_path, root):
        """If it fails, a folder that has become a repository is measured on what was learned."""
        record = AdaptationRecord(root_commit=root, files={"a.py": "1"})
        write_json_atomically(tmp_path / ADAPTATION_FILE, to_mapping(record))
        adapted = SimpleNamespace(path=tmp_path)
        workspace = inputs.workspace
        assert read_previous(adapted, inputs.origin, workspace) == record
        found = read_previous(adapted, tmp_path, workspace)  # the settings' own model
        assert found == (record if root == "a" else None)
        assert read_previous(inputs.artifact, inputs.origin, workspace) is None


@pytest.mark.parametrize("block_tokens", [16, 512, 768, 900, 1000, 1024, 4096])
@pytest.mark.parametrize("tokens", [1_000, 100_000, 10_000_000])
def test_the_batch_of_any_context_length_divides_into_passes(block_tokens, tokens):
    """If it fails, models whose context is no power of two cannot be adapted."""
    batch = choose_batch(tokens, block_tokens)
    micro = divide_batch(batch, block_tokens)
    assert count_micro_batches(PretrainConfig(batch_blocks=batch, micro_batch_blocks=micro), 1)
    assert micro * block_tokens <= max(MICRO_BATCH_TOKENS, block_tokens)


def test_configs_of_any_path_are_read_as_they_were_written():
    """If it fails, a repository in a folder with an odd name cannot be adapted to."""
    import tomllib

    from training.foundation.config_schema import render_toml

    values = {
        "a": 'it\'s "odd" \\ \x7f \u2028 Ωδή 🦜',
        "t": {"n": 1, "l": ["x", "y"], "u": {"f": 0.5}},
    }
    assert tomllib.loads(render_toml(values)) == values
