"""Faults that CodeParrot's published scripts had; each stays a test here.

Two of them stand with what they test: a resume that replays data and restarts the step counter is
``test_an_interrupted_run_ends_like_the_uninterrupted`` in ``test_pretrain.py``; the rule that
dropped every short file with "latest" in it is ``test_weights_depend_on_the_kind_of_file`` in
``test_selection.py``.

Source of the list: Tunstall, von Werra and Wolf 2022, the scripts of ``codeparrot``.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from server.completer import Completer
from training.artifact.network.gpt2 import GPT2
from training.artifact.tokenizer import CodeTokenizer
from training.config import RunConfig, TokenizerConfig
from training.foundation.config_schema import load_toml, to_mapping
from training.shards.blocks import BlockReader
from training.step.init_weights import initialise
from training.train_tokenizer import train_tokenizer
from training.validate import count_token_bytes, validate

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[3]


def test_without_a_stop_string_all_is_kept(tiny_artifact, known_module):
    """CodeParrot cut at the last stop string; without one the completion was empty."""
    completer = Completer.load(tiny_artifact)
    prompt = known_module[: known_module.index("    total = 0.0")]
    settings = {"n": 1, "max_new_tokens": 24, "temperature": 0.01, "top_p": 1.0, "seed": 0}
    (whole,) = completer.generate(prompt, **settings)
    assert len(whole) > 20
    assert completer.generate(prompt, **settings, stop=["\nnowhere to be found"]) == [whole]
    first_line = whole.split("\n")[0]
    assert completer.generate(prompt, **settings, stop=["\n"]) == [first_line]


def test_what_is_kept_by_chance_is_kept_again(tmp_path):
    """CodeParrot's filters drew without a seed: no corpus could be made twice."""
    project = tmp_path / "project"
    project.mkdir()
    for number in range(60):
        body = "\n".join(f"value_{number}_{i} = {i}" for i in range(30))
        (project / f"test_{number}.py").write_text(body + "\n")
    config = tmp_path / "corpus.toml"
    config.write_text(
        f"licences = ['MIT']\ndecontaminate = []\n[sources]\nfolders = ['{project}']\n"
        "folder_licence = 'MIT'\n[balance]\ntest_weight = 0.5\n"
    )
    hashes = []
    for hash_seed, processes in (("1", 1), ("2", 2)):
        out = tmp_path / f"out{hash_seed}"
        command = [sys.executable, "-m", "training.corpus", str(config), f"out={out}"]
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        subprocess.run([*command, f"processes={processes}"], cwd=ROOT, env=environment, check=True)
        report = json.loads((out / "report.json").read_text())
        assert 10 < report["splits"]["train"]["documents"] < 50
        hashes.append(report["corpus_sha256"])
    assert hashes[0] == hashes[1]


def test_a_second_validation_sees_as_much_as_the_first(tiny_config):
    """CodeParrot trimmed its evaluation by a counter that was never set back."""
    config = load_toml(RunConfig, tiny_config)
    reader = BlockReader(config.paths.shards, "heldout")
    tokenizer = CodeTokenizer.load(config.paths.shards / "tokenizer.json")
    shape = config.model.gpt2(vocab_size=tokenizer.vocab_size, n_positions=reader.block_tokens)
    model, indices = GPT2(shape).eval(), range(min(5, len(reader)))
    initialise(model, torch.Generator().manual_seed(0))
    sizes = count_token_bytes(tokenizer)
    first, second = (
        validate(model, reader, sizes, indices, within_documents=True) for _ in range(2)
    )
    assert first == second
    assert first.tokens == len(indices) * (reader.block_tokens - 1)


def test_the_tokenizer_s_defaults_are_what_they_are_called(tiny_config):
    """CodeParrot's command line had vocabulary and sample sizes in each other's place."""
    settings = TokenizerConfig()
    assert settings.vocab_size < 100_000 < settings.sample_bytes
    assert to_mapping(RunConfig())["tokenizer"]["vocab_size"] == settings.vocab_size
    config = load_toml(RunConfig, tiny_config)
    trained = CodeTokenizer.load(config.paths.tokenizer / "tokenizer.json")
    assert trained.vocab_size == config.tokenizer.vocab_size
    text = [Path(os.__file__).read_text(encoding="utf-8")]
    assert train_tokenizer(iter(text), TokenizerConfig(vocab_size=640)).vocab_size == 640
