"""The chapter's recipe as it comes, at a size that trains in seconds: corpus to completion."""

import pytest
import torch
from training_run import Forked, assert_same, curve, finish

from server.completer import Completer
from training.artifact.directory import load_artifact
from training.config import RunConfig
from training.foundation.config_schema import load_toml
from training.prepare import main as prepare
from training.train_tokenizer import main as train_tokenizer
from training.validate import main as validate

pytestmark = pytest.mark.integration
RECIPE = "training/configs/codeparrot-small.toml"
SMALL = (
    "tokenizer.vocab_size=389",  # not whole tiles
    "shards.block_tokens=64",
    "model.n_embd=32",
    "model.n_layer=2",
    "model.n_head=2",
    "optim.warmup_steps=2",
    "pretrain.steps=6",
    "pretrain.batch_blocks=8",
    "pretrain.micro_batch_blocks=4",
    "pretrain.validate_every_steps=3",
    "pretrain.validation_blocks=8",
    "pretrain.save_every_steps=3",
    "pretrain.dtype=float32",
    "pretrain.tracker=none",
)


@pytest.fixture(scope="module")
def arguments(tiny_config, tmp_path_factory):
    """The recipe with its own tokenizer and shards, prepared by the real commands."""
    folder = tmp_path_factory.mktemp("recipe")
    corpus = load_toml(RunConfig, tiny_config).paths.corpus
    paths = [f"paths.corpus={corpus}", f"paths.tokenizer={folder / 't'}"]
    arguments = [RECIPE, *SMALL, *paths, f"paths.shards={folder / 's'}"]
    assert train_tokenizer(arguments) == 0
    assert prepare(arguments) == 0
    return arguments


def test_the_recipe_trains_resumes_and_completes(arguments, tmp_path, capsys):
    """Dropout, attention across documents, a vocabulary of any size: none may cost exactness."""
    transformers = pytest.importorskip("transformers")
    whole, run = tmp_path / "whole", tmp_path / "run"
    finish(Forked(*arguments, f"paths.run={whole}"))
    finish(Forked(*arguments, f"paths.run={run}", "pretrain.stop_after_steps=3"))
    assert len(curve(run)) == 3
    finish(Forked(*arguments, f"paths.run={run}"))
    assert_same(run, whole)
    artifact = load_artifact(run / "model")
    assert artifact.config.vocab_size == artifact.tokenizer.vocab_size == 389
    assert artifact.fim is None
    assert "without infilling" in (run / "model/README.md").read_text()
    completer = Completer.load(run / "model")
    texts = completer.generate(
        "def f(", "", n=2, max_new_tokens=8, temperature=2.0, top_p=1.0, seed=1
    )
    assert len(texts) == 2
    shards = next(a.partition("=")[2] for a in arguments if a.startswith("paths.shards="))
    command = [str(run / "model"), "--shards", shards, "--across-documents", "--blocks", "8"]
    assert validate(command) == 0
    assert "perplexity" in capsys.readouterr().out
    theirs = transformers.AutoModelForCausalLM.from_pretrained(run / "model").float()
    ids = torch.randint(0, 389, (1, 20))
    with torch.no_grad():
        torch.testing.assert_close(theirs(ids).logits, artifact.model()(ids), atol=1e-3, rtol=1e-3)
