"""Trains the tokenizer: ``python -m training.train_tokenizer CONFIG.toml [key=value ...]``.

``inspect`` in place of the config inspects tokenizers (:mod:`training.vocabulary.inspect_command`).

A byte-level BPE on GPT-2's pipeline, trained on a sample of the corpus' training documents, with
the special tokens at the first ids. Writes ``tokenizer.json`` and ``tokenizer-report.json``, with a
page of it (``.html``); the figures of the report (:mod:`training.vocabulary.vocabulary_fit`) are
measured on held-out documents, which the tokenizer has not seen.

Source: Radford et al. 2019 (byte-level BPE and the splitting pattern of GPT-2).
"""

import random
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from training.foundation.extras import require_extra

if __name__ == "__main__":
    require_extra("train")  # before the imports that need it

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from training.artifact.special_tokens import SPECIAL_TOKENS
from training.artifact.tokenizer import CodeTokenizer
from training.command_line import config_parser, parse_config
from training.config import RunConfig, TokenizerConfig
from training.corpus.output.published_corpus import fetch_corpus
from training.corpus_reader import list_row_groups, read_corpus_hash, read_documents
from training.foundation.atomic_files import (
    FolderContents,
    check_replaceable,
    write_directory_atomically,
    write_text_atomically,
)
from training.foundation.errors import ConfigError, run_main
from training.foundation.folder_lock import folder_lock
from training.foundation.progress import progress_bar
from training.vocabulary.compared_vocabulary import load_compared
from training.vocabulary.inspect_command import INSPECT, inspect_tokenizers
from training.vocabulary.vocabulary_fit import measure_vocabulary
from training.vocabulary.vocabulary_page import render_vocabulary_page
from training.vocabulary.vocabulary_report import (
    ComparedVocabulary,
    VocabularyReport,
    write_vocabulary_report,
)

TOKENIZER_FILE = "tokenizer.json"
REPORT_FILE = "tokenizer-report.json"
PAGE_FILE = "tokenizer-report.html"
TOKENIZER_FOLDER = FolderContents(
    mark=REPORT_FILE, files=frozenset({TOKENIZER_FILE, REPORT_FILE, PAGE_FILE})
)
REPORT_BYTES = 4_000_000  # of held-out text, enough for three digits
_PURPOSE = """\
Train a byte-level BPE tokenizer on a corpus.

Writes tokenizer.json and tokenizer-report.html, which shows how well it fits the held-out
documents, to paths.tokenizer. With pretrain.start_from there is nothing to train: the model
that training starts from brings its tokenizer.

'inspect' in place of the config shows what tokenizers do to a text; see 'inspect --help'."""
_EXAMPLE = """\
{prog} training/configs/debug.toml
{prog} training/configs/default.toml tokenizer.vocab_size=8192
{prog} training/configs/default.toml 'tokenizer.compare_with=["gpt2", "t5-base"]'
{prog} inspect 'print(1)' --compare-with gpt2"""


def main(argv: Sequence[str]) -> int:
    """Trains, measures and writes the tokenizer; or inspects tokenizers."""
    if argv and argv[0] == INSPECT:
        return inspect_tokenizers(argv[1:])
    parser = config_parser(
        "training.train_tokenizer", _PURPOSE, example=_EXAMPLE, described="training/config.py"
    )
    config, _ = parse_config(RunConfig, parser, argv)
    if config.pretrain.start_from is not None:
        sys.stdout.write(
            f"nothing to train: {config.pretrain.start_from} (pretrain.start_from) brings its"
            " tokenizer; continue with: parrotlet prepare\n"
        )
        return 0
    check_replaceable(config.paths.tokenizer, TOKENIZER_FOLDER, key="paths.tokenizer")
    for name in config.tokenizer.compared_names:
        load_compared(name)  # refused before minutes of work, not after
    config = fetch_corpus(config)
    with folder_lock(config.paths.tokenizer, beside=True):
        _make(config)
    return 0


def _make(config: RunConfig) -> None:
    started = time.monotonic()
    texts = sample_texts(config.paths.corpus, "train", config.tokenizer.sample_bytes, config)
    tokenizer = train_tokenizer(texts, config.tokenizer)
    fit = measure_vocabulary(tokenizer, heldout_texts(config))
    report = VocabularyReport(
        fit=fit,
        compared=_measure_compared(config),
        corpus_sha256=read_corpus_hash(config.paths.corpus),
        seconds=round(time.monotonic() - started, 1),
    )
    folder = config.paths.tokenizer
    with write_directory_atomically(folder, TOKENIZER_FOLDER, key="paths.tokenizer") as aside:
        tokenizer.save(aside / TOKENIZER_FILE)
        write_vocabulary_report(aside / REPORT_FILE, report)
        write_text_atomically(aside / PAGE_FILE, render_vocabulary_page(report))
    sys.stdout.write(
        f"{config.paths.tokenizer / TOKENIZER_FILE}: {tokenizer.vocab_size} tokens,"
        f" {fit.bytes_per_token:.3f} bytes per token on held-out documents\n"
    )


def train_tokenizer(texts: Iterator[str], config: TokenizerConfig) -> CodeTokenizer:
    """Learns ``config.vocab_size`` tokens, the special ones first."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=config.vocab_size,
        min_frequency=config.min_frequency,
        special_tokens=list(SPECIAL_TOKENS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        max_token_length=config.max_token_chars,
        show_progress=sys.stderr.isatty(),
    )
    tokenizer.train_from_iterator(texts, trainer)
    trained = CodeTokenizer(tokenizer)
    if trained.vocab_size != config.vocab_size:
        raise ConfigError(
            f"the corpus yields only {trained.vocab_size} tokens, expected {config.vocab_size};"
            " add text or lower tokenizer.vocab_size"
        )
    return trained


def sample_texts(corpus: Path, split: str, max_bytes: int, config: RunConfig) -> Iterator[str]:
    """Yields a seeded sample of whole documents, ``max_bytes`` of text at the most or little over.

    Every package gives its share: a document is taken with the same chance wherever it stands.
    """
    groups = list_row_groups(corpus, split)
    share = min(1.0, max_bytes / max(1, sum(g.n_bytes for g in groups)))
    chance = random.Random(config.tokenizer.seed)
    with progress_bar(len(groups), f"reading {split}", "group") as bar:
        for group in groups:
            for document in read_documents(group, ["text"]):
                if chance.random() < share:
                    yield document.text
            bar.update()


def _measure_compared(config: RunConfig) -> tuple[ComparedVocabulary, ...]:
    """Measures the vocabularies to compare with on the same held-out sample."""
    return tuple(
        ComparedVocabulary(
            path=name, fit=measure_vocabulary(load_compared(name), heldout_texts(config))
        )
        for name in config.tokenizer.compared_names
    )


def heldout_texts(config: RunConfig) -> Iterator[str]:
    """Yields the sample of the held-out packages that reports are measured on."""
    return sample_texts(config.paths.corpus, "heldout", REPORT_BYTES, config)


if __name__ == "__main__":
    sys.exit(run_main(main))
