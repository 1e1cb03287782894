"""A corpus that was changed after it was built: every difference from its report is named."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from training.corpus.__main__ import main as build
from training.corpus.verify import main as verify
from training.foundation.errors import CorpusError, InvalidResultError

pytestmark = pytest.mark.integration

TEXT = "def times_{0}(value):\n    '''Multiplies.'''\n    return value * {0}\n\n" * 4


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    for package in ("one", "two"):
        (folder / package).mkdir()
        for i in range(3):
            text = TEXT.format(f"{i}{len(package)}{package}")
            (folder / package / f"m{i}.py").write_text(text)
    (folder / "corpus.toml").write_text(
        f"out = '{folder}/out'\nlicences = ['MIT']\ndecontaminate = []\nheldout = ['two']\n"
        f"processes = 1\nnear_duplicate_similarity = 1.0\n"
        f"[sources]\nfolders = ['{folder}/one', '{folder}/two']\nfolder_licence = 'MIT'\n"
    )
    assert build([str(folder / "corpus.toml")]) == 0
    return folder / "out"


@pytest.fixture
def corpus(original, tmp_path):
    """A copy of the corpus to change."""
    for path in original.rglob("*"):
        target = tmp_path / path.relative_to(original)
        if path.is_dir():
            target.mkdir()
        else:
            target.write_bytes(path.read_bytes())
    return tmp_path


def rewrite(corpus, split, change):
    file = corpus / split / "part-00000.parquet"
    table = pq.read_table(file)
    pq.write_table(pa.Table.from_pylist(change(table.to_pylist()), schema=table.schema), file)


def set_report(corpus, change):
    file = corpus / "report.json"
    values = json.loads(file.read_text())
    change(values)
    file.write_text(json.dumps(values))


def test_an_unchanged_corpus_matches(corpus, capsys):
    assert verify([str(corpus)]) == 0
    assert "heldout 3 documents, train 3 documents" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda rows: [rows[0] | {"text": "x = 1\n"}, *rows[1:]], "differ from their hash: 1 in"),
        (lambda rows: rows[1:], "train documents: 2 in the data, 3 in the report"),
        (lambda rows: [*rows, rows[0]], "train documents: 4 in the data, 3 in the report"),
        (lambda rows: [rows[0] | {"licence": "GPL-3.0-only"}, *rows[1:]], "licences: "),
        (lambda rows: [rows[0] | {"package": "other"}, *rows[1:]], "NOTICE does not name other"),
    ],
    ids=["text", "removed", "added", "licence", "package"],
)
def test_changed_documents_are_named(corpus, change, named):
    """If it fails, a corpus that somebody edited passes for the one that was licensed."""
    rewrite(corpus, "train", change)
    with pytest.raises(InvalidResultError, match="build the corpus again") as error:
        verify([str(corpus)])
    assert named in str(error.value)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda r: r["splits"]["heldout"].update(bytes=1), "heldout bytes: "),
        (lambda r: r.update(corpus_sha256="0" * 64), "corpus SHA-256: "),
        (lambda r: r["funnel"][-1].update(documents=9), "end of the funnel: 6 in the data, 9"),
        (lambda r: r.update(sizes={"1024": 5}), "sizes: 6 in the data, 5"),
        (lambda r: r["packages"][0].update(kept_files=1), "kept files: 6 in the data, 4"),
        (lambda r: r.update(drops={"too small": 2}), "drops: 0 in the data, 2"),
    ],
    ids=["bytes", "hash", "funnel", "sizes", "kept", "drops"],
)
def test_a_changed_report_is_named(corpus, change, named):
    set_report(corpus, change)
    with pytest.raises(InvalidResultError) as error:
        verify([str(corpus)])
    assert named in str(error.value)


def test_an_archive_beyond_its_limits_is_not_a_missing_file(corpus):
    set_report(corpus, lambda r: r.update(drops={"archive beyond limits": 1}))
    assert verify([str(corpus)]) == 0


def test_a_report_without_a_split_is_one_sentence(corpus):
    set_report(corpus, lambda r: r["splits"].pop("heldout"))
    with pytest.raises(CorpusError, match="lacks heldout; build the corpus again"):
        verify([str(corpus)])


def test_a_file_that_is_damaged_is_one_sentence(corpus):
    (corpus / "train" / "part-00000.parquet").write_bytes(b"PAR1 and nothing more")
    with pytest.raises(CorpusError, match=r"part-00000\.parquet is damaged"):
        verify([str(corpus)])
