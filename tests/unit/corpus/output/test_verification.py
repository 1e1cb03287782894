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


ODD_NAMES = [
    *("my org/my repo", "a: b", "x\ny", "  lead", "ünï cøde", "a\u2028b", "name:", "half \ud800"),
    *("tab\tname", "a\r\nb", "*", "null\0", "<b>|</b>", "trail  ", "1.0: MIT", "\x85", "\x1b[31m"),
]


def test_a_notice_with_any_names_is_complete(tmp_path):
    """If it fails, a good corpus is called wrong, and people learn to ignore what verify says."""
    rows = [
        {"content": TEXT.format(f"{n}0"), "path": "a.py", "repo_name": name, "license": "mit"}
        for n, name in enumerate([*ODD_NAMES, "plain"])
    ]
    (tmp_path / "r.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "corpus.toml").write_text(
        f"out = '{tmp_path}/out'\nlicences = ['MIT']\ndecontaminate = []\nheldout = ['plain']\n"
        f"processes = 1\nnear_duplicate_similarity = 1.0\n"
        f"[sources]\nrecords = ['{tmp_path}/r.jsonl']\n"
    )
    assert build([str(tmp_path / "corpus.toml")]) == 0
    assert verify([str(tmp_path / "out")]) == 0
    notice = tmp_path / "out/NOTICE"
    n_lines = len(ODD_NAMES) - 1  # two differ in their line ends alone
    assert len(notice.read_text().split("\n")) == n_lines + 3
    for name in ("my org/my repo", "a: b", "name:"):
        kept = notice.read_text()
        notice.write_text(kept.replace(f"{name}: MIT\n", ""))
        with pytest.raises(InvalidResultError, match="NOTICE does not name"):
            verify([str(tmp_path / "out")])
        notice.write_text(kept)


@pytest.mark.parametrize("damage", ["missing", "folder", "bytes"])
def test_a_notice_that_is_gone_or_damaged_is_named(corpus, damage):
    notice = corpus / "NOTICE"
    notice.unlink()
    if damage == "folder":
        notice.mkdir()
    elif damage == "bytes":
        notice.write_bytes(b"\xff\xfe\0")
    with pytest.raises(InvalidResultError, match=r"NOTICE (is|cannot|does not)"):
        verify([str(corpus)])
