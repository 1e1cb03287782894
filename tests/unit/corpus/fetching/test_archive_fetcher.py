"""Fetching by hash, from an index that is a folder, and pip's settings."""

import hashlib
import os
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

import training
from training.corpus.fetching import package_index
from training.corpus.fetching.archive_fetcher import UNREACHABLE_IN_A_ROW, ArchiveFetcher
from training.corpus.fetching.lock_file import Pin, read_lock
from training.corpus.fetching.lock_resolver import PackageList, map_kinds
from training.corpus.fetching.package_index import PackageIndex
from training.corpus.fetching.pip_config import DEFAULT_TIMEOUT_S, read_pip_config
from training.foundation.config_schema import load_toml
from training.foundation.errors import CorpusError

DATA = b"what an archive holds is nothing to the fetcher" * 100
SHA256 = hashlib.sha256(DATA).hexdigest()
FILE = "parrot_feed-1.0.tar.gz"
CONFIGS = Path(training.__file__).parent / "configs"


@pytest.fixture(autouse=True)
def no_settings(monkeypatch, tmp_path):
    """Only what a test sets is configured."""
    for name in [n for n in os.environ if n.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setattr(package_index, "RETRY_WAITS_S", (0.0, 0.0))


def make_index(folder, data=DATA, fragment=f"#sha256={SHA256}"):
    page = folder / "simple" / "parrot-feed"
    page.mkdir(parents=True)
    (page / FILE).write_bytes(data)
    (page / "index.html").write_text(f'<a href="{(page / FILE).as_uri()}{fragment}">{FILE}</a>')
    return (folder / "simple").as_uri()


def pin(sha256=SHA256):
    return Pin(name="Parrot.Feed", version="1.0", sha256=(sha256,))


def test_an_archive_is_fetched_once_and_kept_by_hash(tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_INDEX_URL", make_index(tmp_path))
    path = ArchiveFetcher(tmp_path / "cache").fetch(pin())
    assert path.read_bytes() == DATA
    assert path.name == SHA256
    monkeypatch.setenv("PIP_INDEX_URL", (tmp_path / "nowhere").as_uri())
    assert ArchiveFetcher(tmp_path / "cache").fetch(pin()) == path
    assert [p.name for p in (tmp_path / "cache").iterdir()] == [SHA256]


def test_another_file_under_the_right_hash_is_refused(tmp_path, monkeypatch):
    """If it fails, a compromised index decides what the model learns."""
    monkeypatch.setenv("PIP_INDEX_URL", make_index(tmp_path, data=b"evil"))
    with pytest.raises(CorpusError, match="do not use it"):
        ArchiveFetcher(tmp_path / "cache").fetch(pin())
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_damaged_cache_is_fetched_again(tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_INDEX_URL", make_index(tmp_path))
    path = ArchiveFetcher(tmp_path / "cache").fetch(pin())
    path.write_bytes(b"damaged")
    assert ArchiveFetcher(tmp_path / "cache").fetch(pin()).read_bytes() == DATA


def test_a_hash_that_no_index_has_is_reported(tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_INDEX_URL", make_index(tmp_path))
    with pytest.raises(CorpusError, match=r"Parrot\.Feed==1\.0 .*no file with the lock's hash"):
        ArchiveFetcher(tmp_path / "cache").fetch(pin("0" * 64))


def test_a_folder_of_archives_needs_no_index(tmp_path, monkeypatch):
    """If it fails, a machine without network cannot build from its own wheels."""
    make_index(tmp_path, fragment="")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "simple" / "parrot-feed"))
    assert ArchiveFetcher(tmp_path / "cache").fetch(pin()).read_bytes() == DATA
    with pytest.raises(CorpusError, match="correct the lock"):
        ArchiveFetcher(tmp_path / "cache").fetch(pin("0" * 64))


def test_an_index_that_does_not_answer_is_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    with pytest.raises(CorpusError, match=r"Parrot\.Feed==1\.0 \(no connection to 127") as error:
        ArchiveFetcher(tmp_path / "cache").fetch(pin())
    assert "run the same command again" in str(error.value)
    assert "\n" not in str(error.value)


class Mirror:
    """An index on this machine: a page a package, archives that may fail in every way."""

    def __init__(self, archives):
        self.archives = archives  # name to a function of the request's handler
        self.requests = []
        mirror = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                mirror.requests.append(self.path)
                mirror.answer(self)

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/simple"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def answer(self, handler):
        _, place, name, *_ = handler.path.split("/")
        if place == "files":
            self.archives[name](handler)
        elif name in self.archives:
            link = f'<a href="/files/{name}/{name}-1.0.tar.gz#sha256={sha256_of(name)}">x</a>'
            send(handler, link.encode(), "text/html")
        else:
            handler.send_error(404)


def send(handler, data, kind="application/octet-stream"):
    handler.send_response(200)
    handler.send_header("Content-Type", kind)
    handler.send_header("Content-Length", str(len(data)))
    handler.end_headers()
    handler.wfile.write(data)


def data_of(name):
    return name.encode() * 1000


def sha256_of(name):
    return hashlib.sha256(data_of(name)).hexdigest()


def good(name):
    return lambda handler: send(handler, data_of(name))


def status(code):
    return lambda handler: handler.send_error(code)


def hang(handler):
    time.sleep(1.5)


def break_off(handler):
    handler.send_response(200)
    handler.send_header("Content-Length", "100000")
    handler.end_headers()
    handler.wfile.write(b"x" * 10)


def pins(*names):
    return [Pin(name=name, version="1.0", sha256=(sha256_of(name),)) for name in names]


@pytest.fixture
def mirror(monkeypatch):
    started = []

    def start(**archives):
        started.append(Mirror(archives))
        monkeypatch.setenv("PIP_INDEX_URL", started[0].url)
        return started[0]

    yield start
    for one in started:
        one.server.shutdown()
        one.server.server_close()


@pytest.mark.parametrize(
    ("failure", "reason", "advice"),
    [
        (status(404), "does not have the file: 404", "name another index"),
        (status(503), "answered 503", "run the same command again"),
        (hang, "did not answer in time", "run the same command again"),
        (break_off, "127.0.0.1", "run the same command again"),
        (lambda h: send(h, b"evil"), "its SHA-256 is ", "do not use it"),
    ],
    ids=["404", "503", "timeout", "broken off", "wrong hash"],
)
def test_a_mirrors_failure_is_one_sentence_and_the_rest_is_kept(
    tmp_path, mirror, monkeypatch, failure, reason, advice
):
    """If it fails, hours of fetching end in a traceback, or one archive costs all others."""
    monkeypatch.setenv("PIP_TIMEOUT", "1")
    if failure is hang:  # each attempt takes the whole timeout
        monkeypatch.setattr(package_index, "RETRY_WAITS_S", ())
    served = mirror(aaa=good("aaa"), bad=failure, zzz=good("zzz"))
    with pytest.raises(CorpusError) as error:
        ArchiveFetcher(tmp_path).fetch_all(pins("aaa", "bad", "zzz"))
    sentence = str(error.value)
    assert sentence.startswith("cannot fetch bad==1.0 (")
    assert reason in sentence
    assert advice in sentence
    assert "\n" not in sentence
    tries = [path for path in served.requests if path.startswith("/files/bad")]
    assert len(tries) == 1 + len(package_index.RETRY_WAITS_S)
    kept = sorted(path.name for path in tmp_path.iterdir())
    assert kept == sorted([sha256_of("aaa"), sha256_of("zzz")])


def test_several_failures_are_one_sentence_too(tmp_path, mirror):
    mirror(a=status(404), b=status(503), c=good("c"))
    with pytest.raises(CorpusError, match=r"2 of 3 archives: a==1\.0 .*404.*b==1\.0 .*503"):
        ArchiveFetcher(tmp_path).fetch_all(pins("a", "b", "c"))


def test_an_index_in_trouble_is_not_taken_for_a_wrong_lock(tmp_path, mirror, monkeypatch):
    served = mirror(a=good("a"))
    monkeypatch.setattr(served, "answer", lambda handler: handler.send_error(502))
    with pytest.raises(CorpusError, match="answered 502"):
        ArchiveFetcher(tmp_path).fetch_all(pins("a"))


def test_a_package_that_no_index_lists_is_reported(tmp_path, mirror):
    served = mirror(a=good("a"))
    with pytest.raises(CorpusError, match="no index lists a file of it"):
        ArchiveFetcher(tmp_path).fetch(pins("b")[0])
    assert len(served.requests) == 1, "asked again in vain"


def test_a_temporary_failure_is_retried(tmp_path, mirror):
    answers = [status(503), break_off, good("a")]

    def answer(handler):
        answers.pop(0)(handler)

    mirror(a=answer)
    (path,) = ArchiveFetcher(tmp_path).fetch_all(pins("a"))
    assert path.read_bytes() == data_of("a")


def test_without_a_connection_the_rest_is_not_tried(tmp_path, monkeypatch):
    """If it fails, 500 packages each wait for their own time-outs."""
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    names = [f"p{i}" for i in range(UNREACHABLE_IN_A_ROW + 4)]
    with pytest.raises(CorpusError, match="; 4 others were not tried"):
        ArchiveFetcher(tmp_path).fetch_all(pins(*names))


def test_cached_archives_are_not_fetched_again(tmp_path, mirror):
    served = mirror(a=good("a"), b=good("b"))
    ArchiveFetcher(tmp_path).fetch_all(pins("a"))
    served.requests.clear()
    paths = ArchiveFetcher(tmp_path).fetch_all(pins("a", "b"))
    assert [path.name for path in paths] == [sha256_of("a"), sha256_of("b")]
    assert {path.split("/")[2] for path in served.requests} == {"b"}


def test_no_connection_stays_open(tmp_path, mirror, monkeypatch):
    """If it fails, a long-lived process keeps sockets of fetches that ended long ago."""
    closed = []
    monkeypatch.setattr(PackageIndex, "close", lambda index: closed.append(id(index)))
    mirror(a=good("a"))
    ArchiveFetcher(tmp_path / "whole").fetch_all(pins("a"))
    assert len(closed) == 1

    def interrupt(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(PackageIndex, "download", interrupt)
    with pytest.raises(KeyboardInterrupt):
        ArchiveFetcher(tmp_path / "interrupted").fetch_all(pins("a"))
    assert len(closed) == 2


def test_a_killed_fetch_resumes_and_leaves_no_stale_files(tmp_path, mirror):
    """A kill -9 leaves a file aside, never one under a hash; another run's own stays."""
    served = mirror(a=good("a"), b=good("b"))
    ArchiveFetcher(tmp_path).fetch_all(pins("a"))
    stale, fresh = (tmp_path / f"{package_index.ASIDE_PREFIX}{n}" for n in ("old", "new"))
    stale.write_bytes(b"half")
    fresh.write_bytes(b"half")
    os.utime(stale, (time.time() - package_index.STALE_AFTER_S - 1,) * 2)
    served.requests.clear()
    ArchiveFetcher(tmp_path).fetch_all(pins("a", "b"))
    assert {path.name for path in tmp_path.iterdir()} == {
        sha256_of("a"), sha256_of("b"), fresh.name,
    }  # fmt: skip
    assert {path.split("/")[2] for path in served.requests} == {"b"}


def test_fetching_shows_its_progress(tmp_path, mirror, capsys):
    mirror(a=good("a"), b=good("b"))
    ArchiveFetcher(tmp_path).fetch_all(pins("a", "b"))
    shown = capsys.readouterr().err
    assert "fetch" in shown
    assert "2/2" in shown


def test_pips_settings_are_read(tmp_path, monkeypatch):
    file = tmp_path / "pip.conf"
    file.write_text(
        "[global]\nindex-url = https://files.example/simple\n"
        "extra-index-url =\n    https://a.example\n    https://b.example\ntimeout = 7\n"
        "[download]\nno-index = true\n"
    )
    monkeypatch.setenv("PIP_CONFIG_FILE", str(file))
    monkeypatch.setenv("HOME", str(tmp_path))
    settings = read_pip_config()
    assert settings.index_url == "https://files.example/simple"
    assert settings.extra_index_urls == ("https://a.example", "https://b.example")
    assert settings.timeout_s == 7
    assert settings.no_index
    monkeypatch.setenv("PIP_INDEX_URL", "https://variable.example/simple")
    assert read_pip_config().index_url == "https://variable.example/simple"


def test_without_settings_the_defaults_apply(monkeypatch):
    settings = read_pip_config()
    assert settings.index_url is None
    assert not settings.no_index
    assert settings.timeout_s == DEFAULT_TIMEOUT_S


def test_a_malformed_config_file_is_ignored(tmp_path, monkeypatch):
    (tmp_path / "pip.conf").write_bytes(b"\xff\xfe not ini")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert read_pip_config().index_url is None


def test_a_lock_may_have_comments_and_continued_lines(tmp_path):
    lock = tmp_path / "x.lock"
    lock.write_text(
        f"# head\na==1 \\\n    --hash=sha256:{SHA256} \\\n    --hash=sha256:{'0' * 64}\n"
        f"    # via b\nc==2 --hash=sha256:{SHA256} # d\n"
    )
    first, second = read_lock(lock)
    assert first == Pin(name="a", version="1", sha256=(SHA256, "0" * 64))
    assert str(second) == "c==2"


def test_a_hash_of_the_wrong_length_is_refused(tmp_path):
    lock = tmp_path / "x.lock"
    lock.write_text(f"a==1 --hash=sha256:{SHA256}00\n")
    with pytest.raises(CorpusError, match="line 1"):
        read_lock(lock)


def test_the_default_lock_is_pinned_by_hash_throughout():
    pins = read_lock(CONFIGS / "python-corpus.lock")
    assert len({p.name.lower() for p in pins}) == len(pins) == 58


@pytest.mark.parametrize(("name", "n_packages"), [("corpus-wide", 420), ("corpus-unread", 60)])
def test_a_lock_pins_what_its_list_names(name, n_packages):
    """If it fails, the lock was not made anew after the list changed."""
    pins, kinds = read_listed(name)
    assert {pin.replace("_", "-").replace(".", "-") for pin in pins} == set(kinds)
    assert len(pins) >= n_packages
    assert not [pin for pin in pins if "eval" in pin or "mbpp" in pin]


def test_the_wide_lock_has_the_held_out_packages_of_the_default_one():
    pins, kinds = read_listed("corpus-wide")
    default = {p.name: p for p in read_lock(CONFIGS / "python-corpus.lock")}
    heldout = [name for name, kind in kinds.items() if kind == "held-out"]
    assert len(heldout) == 5
    assert all(pins[name] == default[name] for name in heldout), "measured on other text"


def read_listed(name):
    """Returns the pins of a lock by name, and the kinds of the packages in its list."""
    wanted = load_toml(PackageList, CONFIGS / f"{name}-packages.toml")
    return {p.name.lower(): p for p in read_lock(CONFIGS / f"{name}.lock")}, map_kinds(wanted)
