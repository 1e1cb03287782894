"""The folder of a run belongs to one run, and files that a user names are read or refused."""

import gzip
import json

import pytest

from evaluation.runs import input_files
from evaluation.runs.input_files import read_json_lines, read_text_file
from evaluation.runs.run_folder import RUN_FILE, read_identity, start_or_resume
from training.foundation.errors import ConfigError, PrerequisiteError


def test_a_folder_takes_the_same_run_again_and_no_other(tmp_path):
    """If it fails, the samples of two models are averaged into one score."""
    identity = {"model": "a", "limits": {"cpu_s": 3.0}}
    start_or_resume(tmp_path, identity)
    start_or_resume(tmp_path, identity)
    for other, key in (
        ({**identity, "model": "b"}, "model"),
        ({**identity, "limits": {"cpu_s": 4.0}}, "limits"),
        ({**identity, "server": "x"}, "server"),
        ({"model": "a"}, "limits"),
    ):
        with pytest.raises(ConfigError, match=f"another {key}; choose another --out"):
            start_or_resume(tmp_path, other)
    assert read_identity(tmp_path, command="passk", parse=dict) == identity


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "\udcff"])
def test_a_damaged_identity_is_one_sentence(tmp_path, text):
    (tmp_path / RUN_FILE).write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(ConfigError, match="is damaged"):
        start_or_resume(tmp_path, {"model": "a"})
    with pytest.raises(ConfigError, match="contains no run of parrotlet passk"):
        read_identity(tmp_path, command="passk", parse=dict)


def test_compressed_files_are_read_up_to_a_limit(tmp_path, monkeypatch):
    """If it fails, a small file fills the memory."""
    path = tmp_path / "items.jsonl.gz"
    path.write_bytes(gzip.compress(json.dumps({"a": "\u2028"}).encode() + b"\n\n[1]\n"))
    found = list(read_json_lines(path, "--items"))
    assert found == [(f"{path}, line 1", {"a": "\u2028"}), (f"{path}, line 3", [1])]
    monkeypatch.setattr(input_files, "MAX_FILE_BYTES", 8)
    with pytest.raises(ConfigError, match="larger than 8 bytes when unpacked"):
        list(read_json_lines(path, "--items"))
    with pytest.raises(ConfigError, match="larger than 8 bytes when unpacked"):
        read_text_file(path, "--items", max_bytes=8)


def test_files_that_cannot_be_read_are_named_with_their_option(tmp_path):
    path = tmp_path / "items.jsonl"
    with pytest.raises(PrerequisiteError, match="does not exist; correct --items"):
        read_text_file(path, "--items")
    path.write_bytes(b"\xff")
    with pytest.raises(ConfigError, match="correct --items"):
        read_text_file(path, "--items")
    path.write_text("[" * 100_000)
    with pytest.raises(ConfigError, match="line 1: not valid JSON"):
        list(read_json_lines(path, "--items"))
    torn = tmp_path / "torn.gz"
    torn.write_bytes(gzip.compress(b"x" * 1000)[:-20])
    with pytest.raises(ConfigError, match=r"torn\.gz .*correct --items"):
        read_text_file(torn, "--items")
