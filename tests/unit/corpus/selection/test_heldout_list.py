"""A held-out set by a list of documents, or the last file, as the chapter holds it out."""

import hashlib
import json

import pytest

from training.corpus.__main__ import main
from training.corpus.readers.records.record_files import SLICE_BYTES
from training.corpus_reader import list_row_groups, read_documents
from training.foundation.errors import CorpusError

STDLIB = ("sources.records=[]", "sources.stdlib=['wsgiref']", "licences=['PSF-2.0']")


def program(number):
    return "".join(
        f"def function_{number}_{n}(value_{n}):\n    return value_{n} + {number}\n\n"
        for n in range(6)
    )


@pytest.fixture
def build(tmp_path):
    """Builds a corpus of three files of records, and returns who is in which split."""
    for file in range(3):
        records = [
            {
                "content": program(f"{file}_{i}"),
                "path": f"src/m{i}.py",
                "repo_name": f"team/project{file}{i % 2}",
                "license": "mit",
            }
            for i in range(4)
        ]
        lines = "".join(json.dumps(record) + "\n" for record in records)
        (tmp_path / f"part-{file}.jsonl").write_text(lines)
    config = tmp_path / "corpus.toml"
    config.write_text(
        f"out = '{tmp_path}/corpus'\nlicences = ['MIT']\ndecontaminate = []\nprocesses = 1\n"
        f"[sources]\nrecords = ['{tmp_path}/part-*.jsonl']\n"
    )

    def build(*overrides):
        assert main([str(config), *overrides]) == 0
        return {
            split: {
                (document.package, document.path)
                for group in list_row_groups(tmp_path / "corpus", split)
                for document in read_documents(group, ["package", "path", "text"])
            }
            for split in ("train", "heldout")
        }

    return build


def test_the_last_file_is_held_out(build, capsys):
    """Whole, and nothing else: no share is added to it."""
    splits = build("heldout_last_file=true")
    assert {package for package, _ in splits["heldout"]} == {"team/project20", "team/project21"}
    assert len(splits["heldout"]) == 4
    assert len(splits["train"]) == 8
    assert "the last file of the records" in capsys.readouterr().err


def test_a_last_file_that_processes_share_is_held_out_whole(build, monkeypatch):
    """A large file is read in parts; training on all but the last of them would be a leak."""
    monkeypatch.setitem(SLICE_BYTES, ".jsonl", 1024)
    splits = build("heldout_last_file=true")
    assert {package for package, _ in splits["heldout"]} == {"team/project20", "team/project21"}
    assert len(splits["heldout"]) == 4


@pytest.mark.parametrize("slice_bytes", [1 << 26, 1024])
def test_the_last_file_is_held_out_whatever_others_are_called(
    build, tmp_path, monkeypatch, slice_bytes
):
    """If it fails, half of the last file is trained on, and half of another is held out."""
    for number, year in enumerate(("2023", "2024")):
        (tmp_path / year).mkdir()
        (tmp_path / f"part-{number}.jsonl").rename(tmp_path / year / "data.jsonl")
    monkeypatch.setitem(SLICE_BYTES, ".jsonl", slice_bytes)
    patterns = [f"{tmp_path}/2024/data.jsonl", f"{tmp_path}/2023/data.jsonl"]
    splits = build("heldout_last_file=true", f"sources.records={patterns}")
    assert {package for package, _ in splits["heldout"]} == {"team/project00", "team/project01"}
    assert {package for package, _ in splits["train"]} == {"team/project10", "team/project11"}
    monkeypatch.setitem(SLICE_BYTES, ".jsonl", slice_bytes)
    overlapping = [f"{tmp_path}/20*/data.jsonl", f"{tmp_path}/2023/data.jsonl"]
    again = build("heldout_last_file=true", f"sources.records={overlapping}")
    assert again == splits


def test_a_list_names_packages_as_people_spell_them(build, tmp_path, capsys):
    """If it fails, a package is trained on because of a capital letter."""
    (tmp_path / "list.txt").write_text("Team/Project00\nteam/Project01/src/m1.py\nteam/Project01\n")
    splits = build(f"heldout_list='{tmp_path / 'list.txt'}'")
    assert {p for p, _ in splits["heldout"]} == {"team/project00", "team/project01"}
    err = capsys.readouterr().err
    assert "team/Project01/src/m1.py" in err, "a path is as it is"
    assert "names Team/Project00" not in err


def test_a_list_holds_out_packages_paths_and_hashes(build, tmp_path, capsys):
    digest = hashlib.sha256(program("1_3").encode()).hexdigest()
    names = ["# ours", "", "team/project00/src/m0.py", digest, "no-such-package"]
    (tmp_path / "list.txt").write_text("\n".join(names))
    splits = build(f"heldout_list='{tmp_path / 'list.txt'}'")
    assert splits["heldout"] == {
        ("team/project00", "src/m0.py"),
        ("team/project11", "src/m3.py"),
    }
    err = capsys.readouterr().err
    assert "the documents of 'heldout_list'" in err
    assert "no-such-package" in err
    (tmp_path / "list.txt").write_text("team/project10\n")
    splits = build(f"heldout_list='{tmp_path / 'list.txt'}'")
    assert {package for package, _ in splits["heldout"]} == {"team/project10"}
    assert len(splits["heldout"]) == 2


def test_a_list_and_a_share_combine(build, tmp_path):
    (tmp_path / "list.txt").write_text("team/project10\n")
    splits = build(f"heldout_list='{tmp_path / 'list.txt'}'", "heldout_share=0.2")
    assert len(splits["heldout"]) > 2


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["heldout_list=/nowhere.txt"], "heldout_list: /nowhere.txt cannot be read"),
        (
            [
                "heldout_last_file=true",
                "sources.records=[]",
                "sources.stdlib=['wsgiref']",
                "licences=['PSF-2.0']",
            ],
            "last file of sources.records",
        ),
    ],
)
def test_what_cannot_be_held_out_is_one_sentence(build, overrides, message):
    with pytest.raises(CorpusError, match=message):
        build(*overrides)
