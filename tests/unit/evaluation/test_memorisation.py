"""How often a model repeats its training text: a scripted model, a real index and tokenizer."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evaluation.accuracy import memorisation
from evaluation.repetition import main as repetition
from training.artifact.directory import TOKENIZER_FILE
from training.artifact.tokenizer import CodeTokenizer
from training.artifact.verbatim import GRAM, VERBATIM_FILE, VerbatimIndex, gram_hashes
from training.foundation.errors import ConfigError, PrerequisiteError

HEAD = "".join(f"value_{i} = {i}\n" for i in range(40))
SECRET = "".join(f"total_{i} = measure({i}, '{i * 7}')\n" for i in range(40))


class Scripted:
    """Continues everything with one text."""

    text = ""

    def generate(self, *_, **__):
        return [self.text]


@pytest.fixture
def corpus(tmp_path):
    folder = tmp_path / "corpus" / "train"
    folder.mkdir(parents=True)
    rows = [{"package": "p", "path": f"{n}.py", "text": HEAD + SECRET} for n in range(3)]
    rows.append({"package": "p", "path": "short.py", "text": "x = 1\n"})
    pq.write_table(pa.Table.from_pylist(rows), folder / "0.parquet")
    return tmp_path / "corpus"


@pytest.fixture
def index(tiny_artifact, tmp_path):
    """An index of the documents' second half."""
    ids = np.asarray(CodeTokenizer.load(tiny_artifact / TOKENIZER_FILE).encode(SECRET))
    hashes = gram_hashes(ids)[::GRAM]
    table = [{"package": "p", "path": "0.py", "licence": "MIT"}]
    path = tmp_path / VERBATIM_FILE
    path.write_bytes(
        VerbatimIndex.build(hashes, np.zeros(len(hashes), dtype=np.int64), table).to_bytes()
    )
    return path


@pytest.mark.parametrize(("text", "n_found"), [(SECRET, 3), ("pass\n" * 40, 0), ("", 0)])
def test_only_repeated_training_text_counts(
    tiny_artifact, corpus, index, monkeypatch, capsys, text, n_found
):
    """If it fails, a model is said to repeat text that it did not, or not to."""
    monkeypatch.setattr(Scripted, "text", text)
    monkeypatch.setattr(memorisation, "Completer", type("C", (), {"load": lambda _: Scripted()}))
    starts = [HEAD[: HEAD.index("\n", 450) + 1]]
    monkeypatch.setattr(memorisation, "_choose_prefixes", lambda *_: starts * 3)
    arguments = ["--model", tiny_artifact, "--index", index, "--corpus", corpus, "--n", "3"]
    assert repetition([str(word) for word in arguments]) == 0
    assert f"{index}: {n_found} of 3 continuations repeat" in capsys.readouterr().out


def test_prefixes_end_with_a_line_and_come_from_long_documents(corpus):
    found = list(memorisation._choose_prefixes(corpus, 9, 0))
    assert len(found) == 3
    for prefix in found:
        assert (HEAD + SECRET).startswith(prefix)
        assert prefix.endswith("\n")
        assert len(prefix) > 400
    assert list(memorisation._choose_prefixes(corpus, 2, 0)) == found[:2]


def test_what_cannot_be_measured_is_one_sentence(tiny_artifact, index, tmp_path):
    """If it fails, a corpus without long documents ends in a division by zero."""
    short = tmp_path / "short" / "train"
    short.mkdir(parents=True)
    rows = [{"package": "p", "path": "a.py", "text": "x = 1\n"}]
    pq.write_table(pa.Table.from_pylist(rows), short / "0.parquet")
    arguments = ["--model", str(tiny_artifact), "--index", str(index), "--corpus"]
    with pytest.raises(ConfigError, match="has 400 characters"):
        repetition([*arguments, str(short.parent)])
    with pytest.raises(PrerequisiteError, match="no training documents"):
        repetition([*arguments, str(tmp_path)])
