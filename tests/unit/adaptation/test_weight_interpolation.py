"""How much of an adaptation is kept, so that a model does not forget what it knew."""

import dataclasses
import json
from types import SimpleNamespace

import pytest
import torch

from evaluation.adaptation import blend
from evaluation.adaptation.blend import (
    AIMED_FORGOTTEN,
    MAX_MEASURED,
    SMALLEST_SHARE,
    KeptShare,
    choose_share,
)
from evaluation.bits import main as measure_bits
from evaluation.comparison.file_bits import FileBits
from parrotlet.adaptation.adaptation_stages import AdaptationStages, find_phase
from parrotlet.commands import COMMANDS
from server.adaptation.adaptation_request import AdaptationRequest
from training.adaptation import assemble
from training.artifact.adaptation.adaptation_record import ADAPTATION_FILE, AdaptationRecord
from training.artifact.adaptation.weight_interpolation import (
    interpolate_weights,
    read_share,
    write_share,
)
from training.artifact.directory import WEIGHTS_FILE, load_artifact, replace_weights
from training.artifact.extras import carry_extras
from training.foundation.atomic_files import file_sha256, write_json_atomically
from training.foundation.config_schema import to_mapping
from training.foundation.errors import ArtifactError


def weights_of(*values):
    return {"w": torch.tensor(values)}


class TestInterpolation:
    def test_nothing_and_all_of_the_change_are_exact(self):
        """If it fails, rounding changes a model of which everything should be kept."""
        base, trained = {"w": torch.randn(999)}, {"w": torch.randn(999) * 1e3}
        assert torch.equal(interpolate_weights(base, trained, 0.0)["w"], base["w"])
        assert torch.equal(interpolate_weights(base, trained, 1.0)["w"], trained["w"])

    def test_a_share_lies_between_them(self):
        found = interpolate_weights(weights_of(1.0, -2.0), weights_of(3.0, 2.0), 0.25)
        assert found["w"].tolist() == [1.5, -1.0]

    def test_less_is_kept_of_attention(self, tiny_artifact):
        """If it fails, a model forgets more of other code for what it learns."""
        base = load_artifact(tiny_artifact).weights
        found = interpolate_weights(base, {name: w + 1.0 for name, w in base.items()}, 0.5)
        kept = {name: round(float((found[name] - base[name]).mean()), 3) for name in base}
        assert {kept[name] for name in kept if "attn" in name} == {0.25}
        assert {kept[name] for name in kept if "mlp" in name or "wte" in name} == {0.5}

    def test_weights_of_another_network_are_refused(self):
        with pytest.raises(ArtifactError, match="different shapes"):
            interpolate_weights(weights_of(1.0), weights_of(1.0, 2.0), 0.5)

    @pytest.mark.parametrize("text", ["", "{}", '{"share": "all"}', '{"share": 1.5}', "[0.5]"])
    def test_a_damaged_share_is_a_sentence(self, tmp_path, text):
        (tmp_path / "blend.json").write_text(text)
        with pytest.raises(ArtifactError, match="adapt again"):
            read_share(tmp_path / "blend.json")


@dataclasses.dataclass(frozen=True)
class Model:
    """Stands in for an artifact: one weight, from 0 before to 1 after the training."""

    weights: dict


@pytest.fixture
def measured(monkeypatch):
    """Replaces the measurement: each share of the change forgets as much of ``forgotten``."""
    found = SimpleNamespace(forgotten=0.0, power=1.5, shares=[])

    def measure(artifact, documents):
        share = round(float(artifact.weights["w"]), 2)  # it is rounded to bfloat16
        found.shares.append(share)
        forgotten = found.forgotten * share**found.power
        return [FileBits(name="g", nats=1000 * (1 + forgotten), n_bytes=1000)]

    monkeypatch.setattr(blend, "measure_files", measure)
    monkeypatch.setattr(blend, "load_artifact", lambda path: Model(weights_of(float(path.name))))
    return found


class TestChoice:
    def choose(self):
        before = [FileBits(name="g", nats=1000.0, n_bytes=1000)]
        return choose_share(Model(weights_of(0.0)), Model(weights_of(1.0)), [], before).share

    def test_all_is_kept_where_little_is_forgotten(self, measured):
        measured.forgotten = 0.9 * AIMED_FORGOTTEN
        assert self.choose() == 1.0
        assert measured.shares == [1.0]

    @pytest.mark.parametrize("power", [1.0, 1.5, 2.0, 2.5])
    @pytest.mark.parametrize("fitting", [0.97, 0.7, 0.5, 0.3])
    def test_nearly_all_that_fits_is_kept(self, measured, fitting, power):
        """If it fails, a model is rejected for what it forgot, or learns less than it could."""
        measured.power = power
        measured.forgotten = AIMED_FORGOTTEN / fitting**power
        share = self.choose()
        assert 0.85 * fitting < share <= fitting
        assert share in measured.shares

    def test_few_shares_are_measured(self, measured):
        """If it fails, an adaptation takes minutes longer on a slow machine."""
        measured.power = 3.0
        measured.forgotten = 0.06
        assert self.choose() == 0.59
        assert measured.shares == [1.0, 0.59]
        for power in (0.5, 1.0, 1.5, 2.0, 9.0):
            measured.shares.clear()
            measured.power = power
            self.choose()
            assert len(measured.shares) <= MAX_MEASURED
            assert len(set(measured.shares)) == len(measured.shares)

    def test_the_smallest_is_tried_where_none_fits(self, measured):
        measured.forgotten = 1.0
        assert self.choose() == SMALLEST_SHARE
        measured.forgotten, measured.power = 0.05, 0.0
        assert self.choose() == SMALLEST_SHARE

    def test_code_that_is_predicted_better_does_not_count_as_forgotten(self, measured):
        measured.forgotten = -0.2
        assert self.choose() == 1.0

    def test_the_command_reads_what_was_measured_before(self, measured, tmp_path):
        measured.forgotten, measured.power = 0.99 * AIMED_FORGOTTEN / 0.5**3, 3.0
        row = FileBits(name="g", nats=1000.0, n_bytes=1000).to_json()
        write_json_atomically(tmp_path / "general.json", [row])
        (tmp_path / "general.jsonl").write_text(
            json.dumps({"package": "p", "path": "a.py", "text": "a = 1\n"}) + "\n"
        )
        assert self.run(tmp_path) == 0.49
        assert self.run(tmp_path) == 0.49  # killed before the stage was marked as finished

    def test_without_general_code_all_is_kept_and_nothing_measured(self, measured, tmp_path):
        (tmp_path / "general.jsonl").touch()
        write_json_atomically(tmp_path / "general.json", [])
        assert self.run(tmp_path) == 1.0
        (tmp_path / "general.json").unlink()
        assert self.run(tmp_path) == 1.0
        assert measured.shares == []

    def test_what_the_kept_share_needs_is_handed_on(self, measured, tmp_path):
        """If it fails, another share's figures are shown, or an adaptation takes longer."""
        measured.forgotten, measured.power = 0.02, 3.0
        before = [FileBits(name="g", nats=1000.0, n_bytes=1000)]
        kept = choose_share(Model(weights_of(0.0)), Model(weights_of(1.0)), [], before)
        assert kept.general == [
            FileBits(name="g", nats=1000 * (1 + 0.02 * kept.share**3), n_bytes=1000)
        ]
        measured.forgotten, measured.power = 0.05, 0.0  # not even the smallest fits
        kept = choose_share(Model(weights_of(0.0)), Model(weights_of(1.0)), [], before)
        assert kept == KeptShare(SMALLEST_SHARE)

    def run(self, folder):
        words = ["0", "1", "--before", folder, "--general", folder / "general.jsonl"]
        assert blend.main([*map(str, words), "--out", str(folder / "blend.json")]) == 0
        return read_share(folder / "blend.json")


class TestAssembly:
    @pytest.fixture
    def trained(self, tiny_artifact, tmp_path):
        """A model with other weights than its base."""
        import shutil

        shutil.copytree(tiny_artifact, tmp_path / "trained")
        weights = load_artifact(tiny_artifact).weights
        replace_weights(tmp_path / "trained", {name: w + 0.5 for name, w in weights.items()})
        record = AdaptationRecord(base=str(tiny_artifact), steps=7)
        write_json_atomically(tmp_path / ADAPTATION_FILE, to_mapping(record))
        return tmp_path / "trained"

    def assemble(self, trained, share):
        work = trained.parent
        write_share(work / "blend.json", share)
        words = [trained, "--record", work / ADAPTATION_FILE, "--blend", work / "blend.json"]
        assert assemble.main([*map(str, words), "--out", str(work / "artifact")]) == 0
        return load_artifact(work / "artifact")

    def test_it_carries_the_weights_between_and_says_so(self, tiny_artifact, trained):
        """If it fails, another model is used than the one that was chosen, or none loads."""
        found = self.assemble(trained, 0.5)
        base, after = load_artifact(tiny_artifact).weights, load_artifact(trained).weights
        for name, weight in found.weights.items():
            share = 0.25 if ".attn." in name else 0.5
            expected = torch.lerp(base[name], after[name], share).bfloat16().float()
            assert torch.equal(weight, expected), name
        record = AdaptationRecord.read(found.path / ADAPTATION_FILE)
        assert (record.trained_share, record.steps) == (0.5, 7)

    def test_adapted_again_the_change_is_counted_from_the_origin(self, tiny_artifact, trained):
        """If it fails, the share that was chosen is not what is kept."""
        record = AdaptationRecord(base=str(trained), origin=str(tiny_artifact))
        write_json_atomically(trained.parent / ADAPTATION_FILE, to_mapping(record))
        found = self.assemble(trained, 0.5)
        base, after = load_artifact(tiny_artifact).weights, load_artifact(trained).weights
        name = "transformer.wte.weight"
        expected = torch.lerp(base[name], after[name], 0.5).bfloat16().float()
        assert torch.equal(found.weights[name], expected)

    def test_general_code_needs_what_was_measured_while_choosing(
        self, tiny_artifact, trained, monkeypatch
    ):
        """If it fails, the page shows what a model forgot whose weights were never written."""
        work = trained.parent
        weights = load_artifact(tiny_artifact).weights
        generator = torch.Generator().manual_seed(0)
        moved = {n: w + 0.3 * torch.randn(w.shape, generator=generator) for n, w in weights.items()}
        replace_weights(trained, moved)
        rows = [{"package": "p", "path": "a.py", "text": "import os\n\nx = os.getcwd()\n" * 9}]
        (work / "general.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        measure_bits(self.words(tiny_artifact, work, "before"))
        monkeypatch.setattr(blend, "AIMED_FORGOTTEN", 0.2)
        words = [tiny_artifact, trained, "--before", work / "before", "--after", work / "chosen"]
        words += ["--general", work / "general.jsonl", "--out", work / "blend.json"]
        assert blend.main([*map(str, words)]) == 0
        share = read_share(work / "blend.json")
        assert SMALLEST_SHARE < share < 1
        found = self.assemble(trained, share)
        measure_bits(self.words(found.path, work, "after"))
        chosen, after = (work / name / "general.json" for name in ("chosen", "after"))
        assert chosen.read_bytes() == after.read_bytes()

    def words(self, model, work, when):
        words = ["--model", model, "--records", work / "general.jsonl"]
        return [*map(str, words), "--out", str(work / when / "general.json")]

    def test_all_of_the_change_is_the_trained_file_bit_for_bit(self, trained):
        found = self.assemble(trained, 1.0)
        assert file_sha256(found.path / WEIGHTS_FILE) == file_sha256(trained / WEIGHTS_FILE)

    def test_killed_at_any_moment_it_makes_the_same_artifact(self, trained, monkeypatch):
        """If it fails, a computer that is switched off mixes weights twice, or leaves no model."""
        expected = file_sha256(self.assemble(trained, 0.5).path / WEIGHTS_FILE)
        steps = [(assemble, "carry_extras"), (carry_extras, "add_metrics"), (assemble, "add_file")]
        for module, step in steps:
            with monkeypatch.context() as patch:
                patch.setattr(module, step, kill)
                with pytest.raises(KeyboardInterrupt):
                    self.assemble(trained, 0.5)
            found = self.assemble(trained, 0.5)
            assert file_sha256(found.path / WEIGHTS_FILE) == expected


def kill(*_):
    raise KeyboardInterrupt


def stages_of(folder):
    request = AdaptationRequest(folder=folder)
    return AdaptationStages(folder, request, folder / "base", folder / "origin")


def test_what_is_forgotten_is_counted_from_the_origin(tmp_path):
    """If it fails, what several adaptations forget adds up unseen."""
    stages = stages_of(tmp_path)
    words = {stage.name: stage.words for stage in stages.list_rest(AdaptationRecord(items=1))}
    origin = str(tmp_path / "origin")
    assert words["blend"][words["blend"].index("--after") + 1] == str(tmp_path / "after")
    assert stages.plan.words[stages.plan.words.index("--origin") + 1] == origin
    assert words["blend"][1] == origin
    before = words["before"]
    assert before[1] == str(tmp_path / "base")
    assert before[before.index("--general-model") + 1] == origin


def test_the_share_is_chosen_before_the_model_is_measured(tmp_path):
    stages = stages_of(tmp_path)
    rest = stages.list_rest(AdaptationRecord(items=1))
    names = [stage.words[0] for stage in rest]
    assert names == [
        *("corpus", "prepare", "adapt-measure", "pretrain", "adapt-blend", "adapt-assemble"),
        *("adapt-measure", "adapt-judge"),
    ]
    assert set(names) <= set(COMMANDS)
    assert all(find_phase(stage) for stage in rest)
