"""Files and folders that strangers made: links, pipes, devices, bombs, damage, odd text."""

import gzip
import json
import os
import random
import zlib

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evaluation.accuracy.items import MAX_ITEM_CHARS, cut_items, read_items
from evaluation.comparison.prompt_sets import load_prompts
from evaluation.judge.verdict import MAX_PROGRAM_CHARS
from evaluation.passk.config import CorpusOverlap
from evaluation.passk.passk_page import redraw_page
from evaluation.passk.sample_files import read_sample_file
from evaluation.problems.problem import Problem
from evaluation.problems.problem_sources import load_problems
from evaluation.replay.typing_tasks import read_python_files
from evaluation.runs import corpus_documents, input_files
from evaluation.runs.corpus_documents import CorpusDocument, read_documents
from evaluation.runs.journal import Journal, read_journal
from training.foundation.errors import ConfigError, CorpusError, ParrotletError

PROBLEMS = {
    f"HumanEval/{n}": Problem(task_id=f"HumanEval/{n}", prompt="", entry_point="f", test="")
    for n in range(3)
}
SECRET = "print('secret')\n"
READERS = {  # of files that a user names
    "--samples": lambda path: read_sample_file(path, PROBLEMS),
    "--problems": lambda path: load_problems(str(path)),
    "--items": lambda path: read_items(path, ("mid",)),
    "--prompts": lambda path: load_prompts(str(path)),
    "--overlap": CorpusOverlap.read,
}


@pytest.fixture
def evalplus(tmp_path):
    """A folder as EvalPlus writes it, and a file outside of it."""
    folder = tmp_path / "samples" / "HumanEval_0"
    folder.mkdir(parents=True)
    (folder / "0.py").write_text("x = 0\n")
    (tmp_path / "secret.py").write_text(SECRET)
    return tmp_path / "samples"


def make_strange_file(path, kind):
    """Makes what is no regular file."""
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "loop":
        path.symlink_to(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to(kind)


@pytest.mark.parametrize("option", READERS)
@pytest.mark.parametrize("kind", ["pipe", "loop", "folder", "/dev/zero", "/dev/tty", "/nowhere"])
def test_what_is_no_regular_file_is_one_sentence(tmp_path, option, kind):
    """If it fails, a pipe hangs the command, and a device fills the memory."""
    path = tmp_path / "file.jsonl"
    make_strange_file(path, kind)
    with pytest.raises(ParrotletError) as caught:
        READERS[option](path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("name", ["1.py", "folder"])
def test_a_link_out_of_an_evalplus_folder_is_refused(evalplus, name):
    """If it fails, a folder from somebody else publishes the user's files in the report."""
    if name == "folder":
        (evalplus / "HumanEval_1").symlink_to(evalplus.parent)
    else:
        (evalplus / "HumanEval_0" / name).symlink_to(evalplus.parent / "secret.py")
    with pytest.raises(ConfigError, match="is a link to a file outside of"):
        read_sample_file(evalplus, PROBLEMS)


@pytest.mark.parametrize("kind", ["pipe", "loop", "folder", "/dev/zero", "/proc/self/environ"])
def test_only_regular_files_of_an_evalplus_folder_are_read(evalplus, kind):
    make_strange_file(evalplus / "HumanEval_0" / "1.py", kind)
    with pytest.raises(ConfigError):
        read_sample_file(evalplus, PROBLEMS)


def test_links_within_an_evalplus_folder_are_followed(evalplus, monkeypatch):
    (evalplus / "HumanEval_0" / "1.py").symlink_to("0.py")
    (evalplus.parent / "link").symlink_to(evalplus)
    found = read_sample_file(evalplus.parent / "link", PROBLEMS)
    assert [sample.text for sample in found] == ["x = 0\n"] * 2
    monkeypatch.setattr("evaluation.passk.sample_files.MAX_FILE_BYTES", 10)  # of all together
    with pytest.raises(ConfigError, match="is larger than"):
        read_sample_file(evalplus, PROBLEMS)


def test_files_to_type_lie_in_their_folder(tmp_path):
    """If it fails, replay shows another file of the user in its report."""
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "a.py").write_text("x = 1\n")
    (folder / "large.py").write_text("#" * 300_000)
    for name, kind in {"b": tmp_path / "secret.py", "c": "/dev/zero"}.items():
        (folder / f"{name}.py").symlink_to(kind)
    os.mkfifo(folder / "d.py")
    (tmp_path / "secret.py").write_text(SECRET)
    assert list(read_python_files(folder)) == [
        CorpusDocument(package="", path="a.py", text="x = 1\n")
    ]


@pytest.mark.parametrize("name", ["summary.json", "results.jsonl", "samples.jsonl"])
def test_a_page_is_drawn_from_the_runs_own_files(tmp_path, name):
    """If it fails, a run folder from somebody else shows other files of the user."""
    (tmp_path / "elsewhere").write_text("{}\n")
    out = tmp_path / "run"
    out.mkdir()
    (out / name).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigError):
        redraw_page(out)


def test_journals_are_never_written_through_a_link(tmp_path):
    """If it fails, resuming in somebody's run folder appends to, or cuts, a file of the user."""
    target = tmp_path / "target"
    target.write_text("text without a line feed")
    for kind in (target, "/nowhere", "/dev/null"):
        path = tmp_path / "run" / "verdicts.jsonl"
        path.parent.mkdir(exist_ok=True)
        path.unlink(missing_ok=True)
        path.symlink_to(kind)
        with pytest.raises(ConfigError, match="is a link, which is not written to"):
            Journal(path)
    assert target.read_text() == "text without a line feed"
    path.unlink()
    path.symlink_to(target)
    with pytest.raises(ConfigError, match="outside of"):
        list(read_journal(path))


def test_a_full_disk_tears_no_line(tmp_path, monkeypatch):
    """If it fails, a run that ended for lack of space cannot be resumed."""
    path = tmp_path / "j.jsonl"
    with Journal(path) as journal:
        journal.append({"a": 1})
        write = journal._file.write
        calls = []

        class Full:
            def __getattr__(self, name):
                return getattr(file, name)

            def write(self, data):
                calls.append(data)
                if len(calls) > 1:
                    raise OSError(28, "No space left on device")
                return write(data[:4])

        file = journal._file
        monkeypatch.setattr(journal, "_file", Full())
        with pytest.raises(OSError, match="No space"):
            journal.append({"b": 2})
        assert len(calls) == 2
        monkeypatch.setattr(journal, "_file", file)
        journal.append({"c": 3})
    assert list(read_journal(path)) == [{"a": 1}, {"c": 3}]


def broken_gzip(kind):
    blanks = bytes(random.Random(0).choices(b" \t\n", k=40_000))  # no record is read before
    data = bytearray(gzip.compress(blanks))
    if kind == "deflate":
        data[1000:1060] = b"\xff" * 60
    elif kind == "checksum":
        data[-5] ^= 1
    elif kind == "truncated":
        del data[-20:]
    elif kind == "zlib":
        return zlib.compress(b"{}\n")
    elif kind == "plain":
        return b"{}\n"
    return bytes(data)


@pytest.mark.parametrize("option", READERS)
@pytest.mark.parametrize("kind", ["deflate", "checksum", "truncated", "zlib", "plain"])
def test_a_damaged_archive_is_one_sentence(tmp_path, option, kind):
    path = tmp_path / "file.jsonl.gz"
    path.write_bytes(broken_gzip(kind))
    with pytest.raises(ConfigError, match=f"file.jsonl.gz .*correct {option}"):
        READERS[option](path)


@pytest.mark.parametrize("option", ["--samples", "--problems", "--items"])
def test_a_small_file_cannot_become_a_large_one(tmp_path, option, monkeypatch):
    """If it fails, a kilobyte takes a gigabyte, or minutes."""
    monkeypatch.setattr(input_files, "MAX_LINE_BYTES", 1 << 16)
    monkeypatch.setattr(input_files, "MAX_LINES", 1000)
    monkeypatch.setattr(input_files, "MAX_FILE_BYTES", 1 << 18)
    path = tmp_path / "file.jsonl.gz"
    for data, sentence in (
        (b" " * (1 << 17), "a line of over"),
        (b"\n" * 2000, "over 1000 lines"),
        ((b" " * 65_000 + b"\n") * 5, "when unpacked"),
    ):
        path.write_bytes(gzip.compress(data))
        with pytest.raises(ConfigError, match=sentence):
            READERS[option](path)


ODD_LINES = [
    b"\xff",
    b'{"task_id": "\xff"}',
    b"[" * 100_000,
    b'{"a": ' * 5000,
    b"9" * 5000,
    b"-" + b"9" * 400,
    b"NaN",
    b"1e999",
    b"{}",
    b"[]",
    b'"x"',
    b"null",
    json.dumps({"task_id": "HumanEval/0"}).encode("utf-16"),
    *(
        json.dumps({"task_id": task_id, "completion": completion, "id": task_id}).encode()
        for task_id, completion in [
            ("HumanEval/0", None),
            ("HumanEval/0", ["x"]),
            ("HumanEval/0", 10**400),
            (10**300, "x"),
            (True, "x"),
            (float("nan"), "x"),
            (["HumanEval/0"], "x"),
            ("\ud800" * 1000, "x"),
            ("HumanEval/0" + "0" * 10_000, "x"),
            ("HumanEval/0", "x" * (MAX_PROGRAM_CHARS + 1)),
        ]
    ),
]


@pytest.mark.parametrize("option", ["--samples", "--problems", "--items"])
def test_odd_records_are_one_short_sentence(tmp_path, option):
    path = tmp_path / "f.jsonl"
    for line in ODD_LINES:
        path.write_bytes(line + b"\n")
        with pytest.raises(ConfigError) as caught:
            READERS[option](path)
        sentence = str(caught.value)
        sentence.encode()
        assert sentence.startswith(f"{path}, line 1: ")
        assert len(sentence) < 300 + len(str(path))


def test_an_item_longer_than_a_file_is_refused(tmp_path):
    """If it fails, one line of an items file takes minutes."""
    path = tmp_path / "f.jsonl"
    item = {"id": "a", "kind": "mid", "prefix": "x" * MAX_ITEM_CHARS, "suffix": "", "target": "y"}
    path.write_text(json.dumps(item))
    with pytest.raises(ConfigError, match="line 1: the item has"):
        read_items(path, ("mid",))


def test_half_a_surrogate_is_replaced_where_it_comes_in(tmp_path):
    """If it fails, a command ends in UnicodeEncodeError, after all its work perhaps."""
    path = tmp_path / "f.jsonl"
    path.write_text(json.dumps({"task_id": "HumanEval/0", "completion": "'\ud83d'"}))
    assert read_sample_file(path, PROBLEMS)[0].text == "'\ufffd'"
    item = {"id": "\ud800", "kind": "mid", "prefix": "\ud800", "suffix": "", "target": "\udfff"}
    path.write_text(json.dumps(item))
    (found,) = read_items(path, ("mid",))
    assert (found.id, found.prefix, found.target) == ("\ufffd", "\ufffd", "\ufffd")


def test_files_from_windows_are_read(tmp_path):
    """A byte order mark, and carriage returns."""
    path = tmp_path / "f.jsonl"
    line = json.dumps({"task_id": "HumanEval/0", "completion": "x"}).encode()
    path.write_bytes(b"\xef\xbb\xbf" + line + b"\r\n\r\n" + line)
    assert len(read_sample_file(path, PROBLEMS)) == 2


def write_corpus(folder, rows, split="heldout"):
    (folder / split).mkdir(parents=True, exist_ok=True)
    table = rows if isinstance(rows, pa.Table) else pa.Table.from_pylist(rows)
    pq.write_table(table, folder / split / "0.parquet")
    return folder


ROW = {"package": "p", "path": "a.py", "text": "value = 12345678\n"}


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ([{**ROW, "text": None}], "'text' is None"),
        ([{**ROW, "text": 5}], "'text' is 5, expected str"),
        ([{**ROW, "package": ["p"]}], "'package' is"),
        ([{"package": "p", "path": "a.py"}], "it has no column 'text'"),
        (
            pa.table(
                {
                    "package": ["p"],
                    "path": ["a"],
                    "text": pa.array([b"\xff"]).view(pa.binary()).view(pa.string()),
                }
            ),
            "is damaged",
        ),
    ],
)
def test_a_corpus_with_other_values_is_one_sentence(tmp_path, rows, sentence):
    corpus = write_corpus(tmp_path, rows)
    with pytest.raises(CorpusError, match=sentence):
        list(read_documents(corpus, "heldout"))


def test_a_damaged_corpus_is_one_sentence(tmp_path):
    corpus = write_corpus(tmp_path, [ROW] * 100)
    path = corpus / "heldout" / "0.parquet"
    whole = path.read_bytes()
    for data in (b"", b"x", whole[:-10], whole[:4] + b"\xff" * 60 + whole[64:]):
        path.write_bytes(data)
        with pytest.raises(CorpusError, match="is damaged"):
            list(read_documents(corpus, "heldout"))
    path.unlink()
    path.symlink_to("/dev/zero")
    with pytest.raises(ConfigError, match="outside of"):
        list(read_documents(corpus, "heldout"))


def test_a_corpus_that_repeats_one_text_for_ever_is_refused(tmp_path, monkeypatch):
    """A column of one repeated value takes a kilobyte a gigabyte."""
    monkeypatch.setattr(corpus_documents, "MAX_CORPUS_CHARS", 1 << 20)
    corpus = write_corpus(tmp_path, [{**ROW, "text": "#" * 10_000}] * 1000)
    with pytest.raises(CorpusError, match="name a smaller corpus"):
        list(read_documents(corpus, "heldout"))


def test_versions_of_one_file_are_different_items(tmp_path):
    """If it fails, the completion of one is scored by the text of the other."""
    rows = [{**ROW, "text": f"value = {n}{n}{n}{n}\n"} for n in range(3)]
    items = cut_items(
        list(read_documents(write_corpus(tmp_path, rows), "heldout")), ("mid", "start"), n=5, seed=0
    )
    assert len(items) == 6
    assert len({item.id for item in items}) == 6
    assert "mid/p/a.py" in {item.id for item in items}  # the first keeps the name it had
