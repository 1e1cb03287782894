"""From one's own code to a model: small corpora that name nothing to hold out, bundled weights."""

import json
import re
import shutil

import pytest
from training_run import Forked, complete_little, curve, finish

from training.artifact.bundled import BUNDLED_MODEL
from training.artifact.directory import load_artifact
from training.corpus.__main__ import main as make_corpus
from training.foundation.errors import ConfigError, CorpusError, PrerequisiteError
from training.prepare import main as prepare
from training.train_tokenizer import main as train_tokenizer

pytestmark = pytest.mark.integration

CORPUS = """
out = '{folder}/corpus'
licences = ['PSF-2.0']
decontaminate = []
processes = 1
[sources]
stdlib = {parts}
"""


def write_configs(folder, tiny_config, parts):
    """Writes a corpus' config that names nothing to hold out, and a tiny run's."""
    corpus, run = folder / "corpus.toml", folder / "run.toml"
    corpus.write_text(CORPUS.format(folder=folder, parts=parts))
    text = re.sub(
        r"'[^']*/(corpus|tokenizer|shards|run)'", rf"'{folder}/\1'", tiny_config.read_text()
    )
    run.write_text(text.replace("processes = 2", "processes = 1"))
    return corpus, run


@pytest.mark.parametrize(
    ("parts", "by"),
    [(["json"], "document"), (["json", "concurrent", "asyncio"], "package")],
    ids=["one package", "three packages"],
)
def test_a_corpus_that_names_nothing_goes_all_the_way(tmp_path, tiny_config, parts, by, capsys):
    """If it fails, who trains on their own code meets an error after the tokenizer."""
    corpus, run = write_configs(tmp_path, tiny_config, parts)
    assert make_corpus([str(corpus)]) == 0
    assert "held out, never trained on" in capsys.readouterr().err
    assert json.loads((tmp_path / "corpus" / "report.json").read_text())["heldout"]["by"] == by
    assert train_tokenizer([str(run)]) == 0
    assert prepare([str(run)]) == 0
    finish(Forked(run, "pretrain.steps=2"))
    assert load_artifact(tmp_path / "run" / "model").manifest.evaluation["validation_loss"] > 0


def test_a_corpus_too_small_for_a_block_is_a_sentence_at_prepare(tmp_path, tiny_config):
    corpus, run = write_configs(tmp_path, tiny_config, ["json"])
    make_corpus([str(corpus)])
    train_tokenizer([str(run)])
    with pytest.raises(CorpusError, match="do not fill a block of 65536"):
        prepare([str(run), "shards.block_tokens=65536"])


def test_a_missing_tokenizer_names_the_command_that_trains_it(tmp_path, tiny_config):
    _, run = write_configs(tmp_path, tiny_config, ["json"])
    with pytest.raises(PrerequisiteError, match="parrotlet tokenizer"):
        prepare([str(run)])


@pytest.fixture(scope="module")
def two_packages(tiny_config, tmp_path_factory):
    folder = tmp_path_factory.mktemp("two-packages")
    corpus, _ = write_configs(folder, tiny_config, ["json", "concurrent"])
    assert make_corpus([str(corpus)]) == 0
    return folder / "corpus"


class TestBundledWeights:
    """Training on from a model keeps its tokenizer, or is refused."""

    SHAPE = (
        "pretrain.start_from=bundled",
        "shards.block_tokens=1024",
        "model.n_embd=384",
        "model.n_layer=6",
        "model.n_head=6",
    )

    @pytest.fixture
    def run(self, two_packages, tiny_config, tmp_path):
        _, run = write_configs(tmp_path, tiny_config, parts=[])
        run.write_text(re.sub("corpus = .*", f"corpus = '{two_packages}'", run.read_text()))
        return run

    @pytest.mark.timeout(180)
    def test_they_go_on_with_their_own_tokenizer(self, run, tmp_path, capsys):
        """If it fails, the README's lines for one's own code end in a ruined model."""
        assert train_tokenizer([str(run), *self.SHAPE]) == 0
        assert "nothing to train" in capsys.readouterr().out
        assert prepare([str(run), *self.SHAPE]) == 0
        steps = ("pretrain.steps=1", "pretrain.batch_blocks=1", "pretrain.micro_batch_blocks=1")
        finish(Forked(run, *self.SHAPE, *steps, change=complete_little))
        assert curve(tmp_path / "run")[1] < 4, "the weights and the tokens fit each other"
        model = load_artifact(tmp_path / "run" / "model")
        assert model.manifest.training.config["pretrain"]["start_from"] == "bundled"
        assert model.tokenizer.sha256 == load_artifact(BUNDLED_MODEL).tokenizer.sha256

    def test_another_tokenizer_of_the_same_size_is_refused(self, run, tmp_path):
        """If it fails, every token means another text than the weights know, without a word."""
        foreign = tmp_path / "foreign"
        foreign.mkdir()
        text = (BUNDLED_MODEL / "tokenizer.json").read_text()
        tokenizer = json.loads(text)
        vocabulary = tokenizer["model"]["vocab"]
        first, second = [t for t, i in vocabulary.items() if i in {5000, 5001}]
        vocabulary[first], vocabulary[second] = vocabulary[second], vocabulary[first]
        (foreign / "tokenizer.json").write_text(json.dumps(tokenizer))
        shape = self.SHAPE[1:]
        assert prepare([str(run), *shape, f"paths.tokenizer={foreign}"]) == 0
        _, err = finish(Forked(run, *self.SHAPE), code=2)
        assert "prepared with another tokenizer than bundled has" in err
        assert "pretrain.start_from=bundled" in err

    def test_another_context_is_refused_at_prepare(self, run):
        with pytest.raises(ConfigError, match="context of 1024 tokens"):
            prepare([str(run), "pretrain.start_from=bundled"])

    def test_the_model_is_never_overwritten_by_a_tokenizer_or_shards(self, run, tmp_path):
        """If it fails, one wrong path deletes a trained model, or any folder at all."""
        model = tmp_path / "model"
        shutil.copytree(BUNDLED_MODEL, model)
        for command, key in ((train_tokenizer, "tokenizer"), (prepare, "shards")):
            settings = [f"paths.{key}={model}"]
            if command is prepare:
                settings += ["paths.tokenizer=bundled"]
            with pytest.raises(ConfigError, match=f"paths.{key} is"):
                command([str(run), *settings])
        assert load_artifact(model)
