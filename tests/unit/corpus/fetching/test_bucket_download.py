"""An export's files from its bucket: a real server that breaks off, refuses and lies."""

import base64
import gzip
import hashlib
import itertools
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
import requests

from training.corpus.bigquery.bucket_download import ENDPOINT_VARIABLE, BucketDownload
from training.foundation.command_parser import byte_count
from training.foundation.errors import CorpusError, PrerequisiteError

FILES = {
    f"python-{n:012d}.json.gz": gzip.compress(json.dumps({"content": str(n) * 50_000}).encode())
    for n in range(3)
}


class Bucket(ThreadingHTTPServer):
    """Google Cloud Storage's JSON API for one bucket.

    Attributes:
        faults: Of the next downloads: a status, or after how many bytes to break off.
        lies: Names whose hash is another.
        downloads: Each request for content, with its first byte.
    """

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.faults, self.lies, self.downloads = [], set(), []
        self.files = {f"deep/{name}": data for name, data in FILES.items()}
        self.files["deep/python/other-000000000000.json.gz"] = b"not of this export"
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()


class Handler(BaseHTTPRequestHandler):
    server: Bucket

    def log_message(self, *_arguments):
        pass

    def do_GET(self):
        url, (_, _, _, _, bucket, *_) = urlsplit(self.path), self.path.split("/")
        query = parse_qs(url.query)
        assert bucket == "bucket"
        if query.get("alt") == ["media"]:
            return self.send_content(unquote(url.path.rpartition("/o/")[2]))
        fault = self.server.faults.pop(0) if self.server.faults else None
        if fault:
            return self.send(b"{}", fault)
        names = [n for n in sorted(self.server.files) if n.startswith(query["prefix"][0])]
        first = int(query.get("pageToken", ["0"])[0])
        page = {"items": [self.describe(name) for name in names[first : first + 2]]}
        if first + 2 < len(names):
            page["nextPageToken"] = str(first + 2)
        return self.send(json.dumps(page).encode())

    def describe(self, name):
        data = self.server.files[name]
        told = b"other" if name in self.server.lies else data
        md5 = base64.b64encode(hashlib.md5(told).digest()).decode()
        return {"name": name, "size": str(len(data)), "md5Hash": md5, "generation": "7"}

    def send_content(self, name):
        data = self.server.files[name]
        first = int(self.headers["Range"].removeprefix("bytes=").removesuffix("-"))
        self.server.downloads.append((name, first))
        fault = self.server.faults.pop(0) if self.server.faults else None
        if fault and fault >= 200:
            return self.send(b"busy", fault)
        self.send_response(206)
        self.send_header("Content-Length", str(len(data) - first))
        self.send_header("Content-Encoding", "gzip")
        self.end_headers()
        self.wfile.write(data[first : None if fault is None else first + fault])
        return None

    def send(self, body, status=200):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def bucket(monkeypatch):
    server = Bucket()
    monkeypatch.setenv(ENDPOINT_VARIABLE, f"http://127.0.0.1:{server.server_address[1]}")
    yield server
    server.shutdown()
    server.server_close()


def download(folder, prefix="gs://bucket/deep/python"):
    with requests.Session() as session:
        return BucketDownload(session, prefix, waits_s=(0.0, 0.0)).fetch_all(folder)


def test_all_files_arrive_as_they_lie_there_and_only_once(bucket, tmp_path):
    """If it fails, a corpus is built from a part of what was paid for."""
    assert [path.name for path in download(tmp_path / "new")] == sorted(FILES)
    assert {path.name: path.read_bytes() for path in (tmp_path / "new").iterdir()} == FILES
    bucket.downloads.clear()
    (tmp_path / "new" / min(FILES)).write_bytes(b"damaged on the disk")
    download(tmp_path / "new")
    assert bucket.downloads == [(f"deep/{min(FILES)}", 0)]


def test_another_export_whose_name_begins_alike_is_not_downloaded(bucket, tmp_path):
    """If it fails, a permissive corpus is built from an export of everything, too."""
    for name in ("python-all-000000000000.json.gz", "python-old/000000000000.json.gz",
                 "python-notes.txt"):  # fmt: skip
        bucket.files[f"deep/{name}"] = b"not of this export"
    assert [path.name for path in download(tmp_path / "new")] == sorted(FILES)
    assert {path.name for path in (tmp_path / "new").iterdir()} == FILES.keys()


def test_a_connection_that_breaks_is_continued(bucket, tmp_path):
    """If it fails, a file of a gigabyte starts again after each fault of the network."""
    bucket.faults = [None, None, 40, 503, 30]
    download(tmp_path)
    starts = [first for name, first in bucket.downloads if name == f"deep/{min(FILES)}"]
    assert starts == [0, 40, 40, 70]
    assert {path.name: path.read_bytes() for path in tmp_path.glob("*.gz")} == FILES


def test_an_interrupted_command_resumes_and_foreign_rests_are_replaced(bucket, tmp_path):
    first, second, _ = sorted(FILES)
    (tmp_path / f"{first}.part").write_bytes(FILES[first][:100])
    (tmp_path / f"{second}.part").write_bytes(b"of an earlier export")
    download(tmp_path)
    assert bucket.downloads[0] == (f"deep/{first}", 100)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == FILES


@pytest.mark.parametrize(
    ("faults", "error", "sentence"),
    [
        ([503, 503, 503], CorpusError, "answers with status 503"),
        ([404], CorpusError, "answers with status 404"),
        ([403], PrerequisiteError, "may not be read with these credentials"),
    ],
)
def test_refusals_are_one_sentence(bucket, tmp_path, faults, error, sentence):
    bucket.faults = faults
    with pytest.raises(error, match=sentence):
        download(tmp_path)
    assert not list(tmp_path.iterdir())


def test_credentials_that_expire_during_the_download_are_named_at_once(bucket, tmp_path):
    """If it fails, the user is told of a broken connection, after minutes of waiting."""
    bucket.faults = [None, None, 40, 403]
    with pytest.raises(PrerequisiteError, match="may not be read with these credentials"):
        download(tmp_path)
    assert [first for _, first in bucket.downloads] == [0, 40]


def test_what_is_not_as_announced_is_no_file(bucket, tmp_path):
    """If it fails, half a file is trained on."""
    bucket.lies = {f"deep/{min(FILES)}"}
    with pytest.raises(CorpusError, match="does not arrive with the hash"):
        download(tmp_path)
    assert not list(tmp_path.glob("*.gz"))
    with pytest.raises(CorpusError, match="names no files"):
        download(tmp_path, "gs://bucket/elsewhere/python")
    bucket.files = {"deep/python-../../x": b""}
    with pytest.raises(CorpusError, match="names no files"):
        download(tmp_path)


def test_a_connection_that_keeps_breaking_is_given_up(bucket, tmp_path):
    bucket.faults = [None, None, *itertools.repeat(429, 9)]
    with pytest.raises(CorpusError, match="answers with status 429"):
        download(tmp_path)


@pytest.mark.parametrize(
    ("text", "n_bytes"),
    [
        ("3TB", 3 * 10**12),
        ("2.6 tb", 2_600_000_000_000),
        ("500MiB", 500 << 20),
        ("3_000_000", 3_000_000),
        ("1,000", 1000),
        ("7B", 7),
    ],
)
def test_numbers_of_bytes_have_units(text, n_bytes):
    assert byte_count(1)(text) == n_bytes


@pytest.mark.parametrize(
    "text", ["", "TB", "-1", "0", "1e9", "9" * 5000, "3XB", "2000000TB", "inf"]
)
def test_other_numbers_are_refused(text):
    with pytest.raises(Exception, match="expected a number of bytes from 1 to"):
        byte_count(1)(text)
