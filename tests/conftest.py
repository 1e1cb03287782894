"""Fixtures that several kinds of tests share: a tokenizer of bytes, a tiny trained artifact."""

import os
import shutil
from pathlib import Path

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
# Two tests run at once, and threads that wait for one another on cores that others use stand still.
os.environ.setdefault("OMP_NUM_THREADS", "1")

try:
    import fcntl
except ImportError:  # on Windows, where tests run one after another
    fcntl = None

import pytest
import tiny_model
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from training.artifact.special_tokens import SPECIAL_TOKENS
from training.artifact.tokenizer import CodeTokenizer, byte_alphabet
from training.foundation.foreign_text import replace_surrogates_within

pytest_plugins = ["suite_speed"]


@pytest.fixture(scope="session", autouse=True)
def _separate_caches(tmp_path_factory):
    """Servers under test keep the indexes of their workspaces apart from the user's."""
    caches = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PIP_CACHE_DIR", os.environ.get("PIP_CACHE_DIR", str(Path(caches, "pip"))))
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("caches")))
        yield


@pytest.hookimpl(wrapper=True)
def pytest_report_to_serializable():
    """Reports travel between processes as UTF-8, and what tests log may hold half a surrogate."""
    report = yield
    return replace_surrogates_within(report)


@pytest.fixture(scope="session")
def build_once(tmp_path_factory):
    """Builds a folder for all workers of the session: the first does it, others wait for it."""
    base = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent

    def build(name, make):
        folder, done = base / name, base / f"{name}.done"
        with (base / f"{name}.lock").open("w") as lock:
            if fcntl:
                fcntl.flock(lock, fcntl.LOCK_EX)
            if not done.exists():
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir()
                make(folder)
                done.touch()
        return folder

    return build


@pytest.fixture(scope="session")
def byte_tokenizer():
    """One token a byte behind the special tokens: the natural fake of a vocabulary."""
    vocab = {token: i for i, token in enumerate(SPECIAL_TOKENS)}
    for character in byte_alphabet().values():
        vocab[character] = len(vocab)
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(list(SPECIAL_TOKENS))
    return CodeTokenizer(tokenizer)


@pytest.fixture(scope="session")
def known_module():
    """The text that the tiny artifact knows by heart."""
    return tiny_model.KNOWN_MODULE


@pytest.fixture(scope="session")
def tiny_artifact(build_once):
    """The directory of a model that has learned ``known_module``, saved by the real code."""
    build = lambda folder: tiny_model.build_tiny_artifact(folder / "tiny")  # noqa: E731
    return build_once("tiny-artifact", build) / "tiny"


TINY_CORPUS = """
out = '{folder}/corpus'
heldout = ['cpython-stdlib-sqlite3']
licences = ['PSF-2.0']
decontaminate = []
[sources]
stdlib = ['sqlite3', 'asyncio', 'collections', 'concurrent']
"""
TINY_RUN = """
name = 'tiny'
[paths]
corpus = '{folder}/corpus'
tokenizer = '{folder}/tokenizer'
shards = '{folder}/shards'
run = '{folder}/run'
[tokenizer]
vocab_size = 512
[shards]
block_tokens = 64
processes = 2
[model]
n_embd = 32
n_layer = 2
n_head = 2
[optim]
warmup_steps = 2
[pretrain]
steps = 12
batch_blocks = 8
micro_batch_blocks = 8
validate_every_steps = 6
validation_blocks = 8
save_every_steps = 4
tracker = 'none'
"""


@pytest.fixture(scope="session")
def tiny_config(build_once):
    """A run's config whose corpus, tokenizer and shards were made by the real stages."""
    return build_once("tiny-run", _prepare_tiny_run) / "run.toml"


def _prepare_tiny_run(folder):
    from training.corpus.__main__ import main as make_corpus
    from training.prepare import main as prepare
    from training.train_tokenizer import main as train_tokenizer

    corpus, run = folder / "corpus.toml", folder / "run.toml"
    corpus.write_text(TINY_CORPUS.format(folder=folder))
    run.write_text(TINY_RUN.format(folder=folder))
    assert make_corpus([str(corpus)]) == 0
    assert train_tokenizer([str(run)]) == 0
    assert prepare([str(run)]) == 0
