"""Text that somebody else wrote is bounded and well-formed as soon as it is inside."""

import json
import os

import pytest

from training.foundation.atomic_files import write_json_atomically, write_text_atomically
from training.foundation.errors import ForeignDataError, PrerequisiteError
from training.foundation.foreign_text import (
    MAX_JSON_DEPTH,
    encode_text,
    parse_json,
    path_text,
    read_json,
    render_json,
    replace_surrogates,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("ação 日本 😀", "ação 日本 😀"),
        ("\ud800", "\ufffd"),
        ("a\udcffb\ud800", "a\ufffdb\ufffd"),
        ("\ud83d\ude00", "😀"),
        ("\ude00\ud83d", "\ufffd\ufffd"),
    ],
)
def test_half_a_surrogate_is_replaced_and_a_pair_is_joined(text, expected):
    """If it fails, a name or a sample ends a command in UnicodeEncodeError."""
    assert replace_surrogates(text) == expected
    assert encode_text(text) == expected.encode()


@pytest.mark.parametrize("as_bytes", [True, False])
def test_all_strings_of_json_are_well_formed(as_bytes):
    value = {"\ud800": ["\udfff", {"a": "x\ud800y"}], "n": [1, 2.5, True, None]}
    text = json.dumps(value)
    found = parse_json(text.encode() if as_bytes else text)
    assert found == {"\ufffd": ["\ufffd", {"a": "x\ufffdy"}], "n": [1, 2.5, True, None]}


def test_text_with_a_raw_surrogate_is_well_formed_too():
    assert parse_json('["\ud800"]') == ["\ufffd"]


def test_a_byte_order_mark_is_skipped():
    assert parse_json(b'\xef\xbb\xbf{"a": 1}') == parse_json('\ufeff{"a": 1}') == {"a": 1}


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "it is not JSON: Expecting value at line 1, column 1"),
        (b'{"a": ', "it is not JSON: Expecting value"),
        (b'{"a": 1}\xff', "it is not UTF-8 (byte 8)"),
        ('{"a": 1}'.encode("utf-16"), "it is not UTF-8 (byte 0)"),
        (b"[" + b"9" * 400 + b"]", "it has a number of 400 digits"),
        (b"[-" + b"9" * 400_000 + b"]", "it has a number of 400001 digits"),
        (b"1e999", "it has a number that is too large (1e999)"),
        (b"[NaN]", "it has the number NaN, which JSON does not know"),
        (b"-Infinity", "it has the number -Infinity, which JSON does not know"),
        (b"[" * 100_000, "it is nested more than 100 levels deep"),
        (b"[" * 300 + b"]" * 300, "it is nested more than 100 levels deep"),
        (b'{"a":' * 300 + b"1" + b"}" * 300, "it is nested more than 100 levels deep"),
        (b" " * 2000, "it is implausibly large (2000 bytes, limit 1000)"),
    ],
)
def test_what_is_malformed_or_too_large_is_refused_with_the_reason(data, reason):
    limit = 1000 if data.isspace() else 1 << 20
    with pytest.raises(ForeignDataError) as caught:
        parse_json(data, max_bytes=limit)
    assert str(caught.value).startswith(reason)
    assert isinstance(caught.value, ValueError)
    assert isinstance(caught.value, PrerequisiteError)


def test_what_is_just_within_the_limits_is_read():
    deep = "[" * MAX_JSON_DEPTH + "]" * MAX_JSON_DEPTH
    assert json.dumps(parse_json(deep)) == deep
    assert parse_json("9" * 308) == int("9" * 308)
    assert float(parse_json("9" * 308)) < float("inf")
    assert parse_json('["NaN", 1e308]') == ["NaN", 1e308]
    assert str(parse_json("[NaN, 1e999]", allow_nan=True)) == "[nan, inf]"


def test_only_regular_files_within_the_limit_are_read(tmp_path):
    """If it fails, a model folder with a pipe in it hangs whoever opens it."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "zero").symlink_to("/dev/zero")
    (tmp_path / "large").write_bytes(b" " * 1001)
    for name, reason in {"pipe": "regular", "zero": "regular", "large": "large", ".": ""}.items():
        with pytest.raises(ForeignDataError, match=f"{tmp_path}.* cannot be read: .*{reason}"):
            read_json(tmp_path / name, max_bytes=1000)
    with pytest.raises(FileNotFoundError):
        read_json(tmp_path / "missing")


def test_names_that_are_not_utf_8_can_be_written(tmp_path):
    name = os.fsdecode(b"s\xff.jsonl")
    assert path_text(tmp_path / name) == f"{tmp_path}/s\ufffd.jsonl"
    assert render_json({name: "é"}) == '{"s\ufffd.jsonl": "é"}'
    write_json_atomically(tmp_path / name, [name])
    assert read_json(tmp_path / name) == ["s\ufffd.jsonl"]
    write_text_atomically(tmp_path / "page.html", name)
    assert (tmp_path / "page.html").read_text(encoding="utf-8") == "s\ufffd.jsonl"
