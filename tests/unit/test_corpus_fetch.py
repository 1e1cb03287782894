"""Fetching by hash, from an index that is a folder, and pip's settings."""

import hashlib
import os

import pytest

from training.artifact.errors import CorpusError
from training.corpus.fetch import Fetcher, Pin, read_lock
from training.corpus.indexes import DEFAULT_TIMEOUT_S, index_settings

DATA = b"what an archive holds is nothing to the fetcher" * 100
SHA256 = hashlib.sha256(DATA).hexdigest()
FILE = "parrot_feed-1.0.tar.gz"


@pytest.fixture(autouse=True)
def no_settings(monkeypatch, tmp_path):
    """Only what a test sets is configured."""
    for name in [n for n in os.environ if n.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)


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
    path = Fetcher(tmp_path / "cache").fetch(pin())
    assert path.read_bytes() == DATA
    assert path.name == SHA256
    monkeypatch.setenv("PIP_INDEX_URL", (tmp_path / "nowhere").as_uri())
    assert Fetcher(tmp_path / "cache").fetch(pin()) == path
    assert [p.name for p in (tmp_path / "cache").iterdir()] == [SHA256]


def test_another_file_under_the_right_hash_is_refused(tmp_path, monkeypatch):
    """If it fails, a compromised index decides what the model learns."""
    monkeypatch.setenv("PIP_INDEX_URL", make_index(tmp_path, data=b"evil"))
    with pytest.raises(CorpusError, match="do not use it"):
        Fetcher(tmp_path / "cache").fetch(pin())
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_damaged_cache_is_fetched_again(tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_INDEX_URL", make_index(tmp_path))
    path = Fetcher(tmp_path / "cache").fetch(pin())
    path.write_bytes(b"damaged")
    assert Fetcher(tmp_path / "cache").fetch(pin()).read_bytes() == DATA


def test_a_hash_that_is_nowhere_is_said(tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_INDEX_URL", make_index(tmp_path))
    with pytest.raises(CorpusError, match=r"Parrot\.Feed==1\.0 with the lock's hash"):
        Fetcher(tmp_path / "cache").fetch(pin("0" * 64))


def test_a_folder_of_archives_needs_no_index(tmp_path, monkeypatch):
    """If it fails, a machine without network cannot build from its own wheels."""
    make_index(tmp_path, fragment="")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "simple" / "parrot-feed"))
    assert Fetcher(tmp_path / "cache").fetch(pin()).read_bytes() == DATA
    with pytest.raises(CorpusError, match="correct the lock"):
        Fetcher(tmp_path / "cache").fetch(pin("0" * 64))


def test_an_index_that_does_not_answer_is_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    with pytest.raises(CorpusError, match=r"cannot fetch Parrot\.Feed==1\.0 \(ConnectError"):
        Fetcher(tmp_path / "cache").fetch(pin())


def test_settings_are_pips_own(tmp_path, monkeypatch):
    file = tmp_path / "pip.conf"
    file.write_text(
        "[global]\nindex-url = https://files.example/simple\n"
        "extra-index-url =\n    https://a.example\n    https://b.example\ntimeout = 7\n"
        "[download]\nno-index = true\n"
    )
    monkeypatch.setenv("PIP_CONFIG_FILE", str(file))
    monkeypatch.setenv("HOME", str(tmp_path))
    settings = index_settings()
    assert settings.index_url == "https://files.example/simple"
    assert settings.extra_index_urls == ("https://a.example", "https://b.example")
    assert settings.timeout_s == 7
    assert settings.no_index
    monkeypatch.setenv("PIP_INDEX_URL", "https://variable.example/simple")
    assert index_settings().index_url == "https://variable.example/simple"


def test_nothing_configured_is_the_default(monkeypatch):
    settings = index_settings()
    assert settings.index_url is None
    assert not settings.no_index
    assert settings.timeout_s == DEFAULT_TIMEOUT_S


def test_a_broken_config_file_names_no_index(tmp_path, monkeypatch):
    (tmp_path / "pip.conf").write_bytes(b"\xff\xfe not ini")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    index_settings()  # does not raise


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
    from pathlib import Path

    import training

    pins = read_lock(Path(training.__file__).parent / "configs" / "python-corpus.lock")
    assert len({p.name.lower() for p in pins}) == len(pins) == 58
