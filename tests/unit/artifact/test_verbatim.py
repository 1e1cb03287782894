"""Whose text a suggestion repeats."""

import contextlib
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from evaluation.accuracy.memorisation import split_at_copies
from server.backends.local_model import LocalModel
from server.completer import Completer
from server.memory.token_memory import TokenMemory
from server.settings import Settings, SuggestionSettings
from server.suggestion.explanation import ATTRIBUTED
from server.suggestion.request import CompletionRequest
from server.workspace.sources.token_index import EncodedFile, build_token_index
from training.artifact.directory import add_file, load_artifact
from training.artifact.verbatim import (
    GRAM,
    LEAST_TOKENS,
    VERBATIM_FILE,
    VerbatimIndex,
    gram_hashes,
)
from training.autoconfig import starting_point
from training.foundation.errors import ArtifactError, HubError
from training.index_verbatim import find_shared, join_earlier, split_stretches

TABLE = [
    {"package": f"p{i}", "path": f"p{i}/m.py", "licence": "MIT" if i else ""} for i in range(40)
]


def indexed(texts):
    hashes = [gram_hashes(text)[::GRAM] for text in texts]
    owners = np.repeat(np.arange(len(texts)), [len(h) for h in hashes])
    return VerbatimIndex.build(np.concatenate(hashes), owners, TABLE)


@pytest.fixture(scope="module")
def texts():
    chance = np.random.default_rng(1)
    return [chance.integers(16, 16384, 5000) for _ in range(40)]


@pytest.fixture(scope="module")
def index(texts):
    return indexed(texts)


def test_every_repetition_of_so_many_tokens_is_found_wherever_it_begins(texts, index):
    """If it fails, somebody's function is suggested without a word of whose it is."""
    chance = np.random.default_rng(2)
    for start in range(300):
        owner = start % 40
        repeated = texts[owner][start : start + LEAST_TOKENS]
        own = chance.integers(16, 16384, 40)
        found = index.find_reference([*own[: start % 30], *repeated, *own[:7]])
        assert found is not None
        assert (found.package, found.path) == (f"p{owner}", f"p{owner}/m.py")
        assert 2 * GRAM <= found.n_tokens <= LEAST_TOKENS


def test_nothing_is_found_in_what_repeats_little_or_nothing(texts, index):
    """If it fails, users are told of sources of what is their own."""
    chance = np.random.default_rng(3)
    for number in range(300):
        assert index.find_reference(chance.integers(16, 16384, 150).tolist()) is None
        one = texts[number % 40][number : number + GRAM + 5]
        two = texts[(number + 1) % 40][number : number + GRAM + 5]
        assert index.find_reference([*one, *two]) is None  # a bit of each is nobody's
    assert index.find_reference([]) is None
    assert index.find_reference(texts[0][:39].tolist()) is None


def test_a_hash_is_of_the_gram_alone(texts):
    hashes = gram_hashes(texts[0])
    assert len(hashes) == 5000 - GRAM + 1
    assert gram_hashes(texts[0][100:200]).tolist() == hashes[100:181].tolist()
    assert len(np.unique(hashes)) == len(hashes)
    assert len(gram_hashes(texts[0][:5])) == 0


def test_text_in_many_documents_is_kept_within_bounds(texts):
    common = texts[0][:200]
    index = indexed([common] * 40)
    assert len(index) == 40 * 10
    assert index.find_reference(common.tolist()) is not None


def test_a_joined_index_finds_what_either_finds(texts, index):
    """If it fails, a model that continues from another names no source for what that one read."""
    first, second = indexed(texts[:25]), indexed(texts[20:])  # the second numbers its own documents
    joined = first.join(second)
    assert len(joined) == len(index) + 5 * len(range(0, 5000 - GRAM + 1, GRAM))
    for number, text in enumerate(texts):
        found = joined.find_reference(text[100 : 100 + LEAST_TOKENS].tolist())
        assert found is not None
        of_either = (number,) if number < 20 else (number, number - 20)
        assert found.package in {f"p{owner}" for owner in of_either}
    again = joined.join(first)
    assert again.to_bytes() == joined.to_bytes()


def test_the_index_of_a_model_of_the_hub_is_joined(
    tiny_artifact, texts, index, tmp_path, monkeypatch, capsys
):
    """If it fails, a model that started from the Hub names no source for what that one read."""
    earlier = shutil.copytree(tiny_artifact, tmp_path / ("a" * 40))
    add_file(earlier, VERBATIM_FILE, index.to_bytes())
    (earlier / "model.safetensors").unlink()  # not needed

    def fetch(name, patterns):
        if VERBATIM_FILE not in patterns or name.repo != "jane/model":
            raise HubError(f"the Hub answers 404 for {name}")
        return earlier

    monkeypatch.setattr(starting_point, "fetch_hub_files", fetch)
    own = indexed(texts[:1])
    joined = join_earlier(own, tiny_artifact, Path(f"jane/model@{earlier.name}"))
    assert capsys.readouterr().err == ""
    assert joined.find_reference(texts[30][: 2 * LEAST_TOKENS].tolist()).package == "p30"
    assert join_earlier(own, tiny_artifact, Path(f"jo/model@{earlier.name}")) is own
    assert "(the Hub answers 404 for jo/model@" in capsys.readouterr().err
    assert join_earlier(own, tiny_artifact, Path("jane/model")) is own, "a folder that is gone"
    assert "no model directory jane/model" in capsys.readouterr().err


def test_it_survives_the_way_through_a_file_and_damage_is_named(tmp_path, texts, index):
    file = tmp_path / VERBATIM_FILE
    file.write_bytes(index.to_bytes())
    read = VerbatimIndex.read(file)
    assert read.find_reference(texts[3][50:130].tolist()) == index.find_reference(
        texts[3][50:130].tolist()
    )
    content = file.read_bytes()
    chance = np.random.default_rng(4)
    for number in range(60):
        damaged = bytearray(content)
        if number % 2:
            damaged = damaged[: chance.integers(len(damaged))]
        else:
            at = chance.integers(400)
            damaged[at] ^= 255
        file.write_bytes(damaged)
        with contextlib.suppress(ArtifactError):  # and nothing else
            VerbatimIndex.read(file).find_reference(texts[0][:100].tolist())
    file.write_bytes(content[:1000])
    with pytest.raises(ArtifactError, match=VERBATIM_FILE):
        VerbatimIndex.read(file)


def test_runs_are_of_one_document_without_sentinels():
    ids = np.array([3] + [20] * 30 + [5] + [20] * 10 + [20] * 25 + [0])
    owners = np.array([1] * 42 + [2] * 26)
    assert list(split_stretches(ids, owners)) == [(1, 31), (42, 67)]


def test_a_suggestion_that_repeats_the_corpus_is_marked_or_blocked(tiny_artifact, known_module):
    """If it fails, the policy says one thing and the editor shows another, or the user's own code
    is taken for somebody else's."""
    artifact = load_artifact(tiny_artifact)
    ids = np.array(artifact.tokenizer.encode(known_module))
    index = VerbatimIndex.build(
        np.concatenate([gram_hashes(ids[shift:])[::GRAM] for shift in range(GRAM)]),
        np.zeros(sum(len(gram_hashes(ids[s:])[::GRAM]) for s in range(GRAM)), dtype=np.int64),
        [{"package": "shapes", "path": "shapes.py", "licence": "MIT"}],
    )
    behind = "class Circle:\n"
    prefix = known_module[: known_module.index(behind) + len(behind)]
    results = {}
    for policy in ("allow", "mark", "block"):
        suggesting = SuggestionSettings(
            eagerness="always", attribution=policy, max_block_tokens=200, max_block_lines=30
        )
        settings = Settings(suggestion=suggesting)
        writer = LocalModel(artifact, settings.engine)
        writer._verbatim = index
        request = CompletionRequest(text=prefix, offset=len(prefix), document="a")
        results[policy] = Completer(writer, settings).complete(request)
    assert len(results["allow"].suggestion.text) > LEAST_TOKENS
    assert results["allow"].suggestion.source is None
    assert results["mark"].suggestion.text == results["allow"].suggestion.text
    assert results["mark"].suggestion.source.path == "shapes.py"
    assert "shapes.py in shapes (MIT)" in results["mark"].suggestion.source.sentence
    assert results["block"].suggestion.text == ""
    assert results["block"].reason == ATTRIBUTED
    mine = Completer(writer, settings)  # which blocks
    mine.memory = remember(artifact.tokenizer, f"{known_module}\n")
    assert mine.complete(request).suggestion.text == results["allow"].suggestion.text
    mine.memory = remember(artifact.tokenizer, "import os\n")
    assert mine.complete(replace(request, document="b")).reason == ATTRIBUTED
    twice = f"{known_module}\n\n{prefix}"  # the document has it already
    mine.memory = None
    request = CompletionRequest(text=twice, offset=len(twice), document="c")
    assert mine.complete(request).reason != ATTRIBUTED


def remember(tokenizer, text):
    files = [EncodedFile.encode("/w/own.py", text, tokenizer)]
    return TokenMemory([build_token_index(files, tokenizer).without(())])


def test_a_text_that_goes_in_a_circle_is_no_evidence(texts, index):
    """If it fails, "0, 0, 0, 0" is said to be somebody's, by one chance hit counted often."""
    for text in texts:
        assert index.find_reference([*text[:GRAM]] * 8) is None


def test_what_stands_in_several_documents_is_counted_by_documents():
    """If it fails, the bundled index keeps what nobody repeats, or drops what everybody does."""
    chance = np.random.default_rng(5)
    hashes = chance.integers(0, 40, 600).astype(np.uint64) << np.uint64(58)
    documents = chance.integers(0, 5, 600).astype(np.int32)
    held_by = {h: set(documents[hashes == h].tolist()) for h in hashes.tolist()}
    for least in (2, 4, 5):
        expected = [len(held_by[h]) >= least for h in hashes.tolist()]
        assert find_shared(hashes, documents, least).tolist() == expected
    assert 0 < sum(expected) < 600


def test_what_is_copied_from_before_is_not_remembered():
    """If it fails, a model that copies its user's text is said to repeat its training."""
    before, new = list(range(100, 200)), list(range(1000, 1080))
    written = [*new[:40], *before[10:50], *new[40:]]
    stretches = list(split_at_copies(before, written))
    assert [(s[0], s[-1]) for s in stretches] == [(1000, before[28]), (before[31], 1079)]
    assert list(split_at_copies(before, before[:60])) == []
    assert list(split_at_copies([], new)) == [new]
