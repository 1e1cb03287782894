"""A list of packages to a lock: which release, which file, what is left out and why."""

import io
import os
import tarfile
import zipfile

import pytest

from training.corpus.fetching import package_index
from training.corpus.fetching.lock_file import read_lock
from training.corpus.fetching.lock_resolver import LeftOutError, LockResolver, PackageList
from training.corpus.fetching.package_index import PackageIndex
from training.corpus.lock import main
from training.foundation.errors import ConfigError, CorpusError

SOURCE = b"def function(value):\n    return value + 1\n" * 400


@pytest.fixture(autouse=True)
def no_settings(monkeypatch):
    """Only what a test sets is configured."""
    for name in [n for n in os.environ if n.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setattr(package_index, "RETRY_WAITS_S", (0.0, 0.0))


def metadata(name, version, licence):
    return f"Name: {name}\nVersion: {version}\nLicense-Expression: {licence}\n".encode()


def sdist(name, version, licence="MIT", source=SOURCE):
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:gz") as archive:
        for path, content in (("PKG-INFO", metadata(name, version, licence)), ("a.py", source)):
            info = tarfile.TarInfo(f"{name}-{version}/{path}")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return f"{name}-{version}.tar.gz", data.getvalue()


def wheel(name, version, tag="py3-none-any", padding=0):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr(f"{name}-{version}.dist-info/METADATA", metadata(name, version, "MIT"))
        archive.writestr(f"{name}/a.py", SOURCE)
        archive.writestr(f"{name}/data.bin", os.urandom(padding))
    return f"{name}-{version}-{tag}.whl", data.getvalue()


class World:
    """An index that is a folder, a list of packages and a config."""

    def __init__(self, folder):
        self.folder = folder
        self.lock = folder / "my.lock"
        self.config = folder / "corpus.toml"
        self.config.write_text(
            f"out = '{folder}/out'\ncache = '{folder}/cache'\nlicences = ['MIT']\n"
            f"[sources]\nlock = '{self.lock}'\n"
        )

    def publish(self, name, *files, attributes=None):
        page = self.folder / "simple" / name
        page.mkdir(parents=True, exist_ok=True)
        links = ""
        for file, data in files:
            (page / file).write_bytes(data)
            extra = (attributes or {}).get(file, "")
            links += f'<a href="{(page / file).as_uri()}" {extra}>{file}</a>\n'
        (page / "index.html").write_text(links)

    def run(self, packages, *arguments, settings=""):
        list_file = self.folder / "packages.toml"
        list_file.write_text(f"max_archive_bytes = 100_000\n{settings}\n[packages]\n{packages}\n")
        return main([str(list_file), str(self.config), *arguments])

    def pinned(self):
        return [str(pin) for pin in read_lock(self.lock)]


@pytest.fixture
def world(tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_INDEX_URL", (tmp_path / "simple").as_uri())
    return World(tmp_path)


def test_the_newest_release_is_pinned_with_its_hash_and_kind(world):
    world.publish("alpha", sdist("alpha", "1.9"), sdist("alpha", "1.10"), sdist("alpha", "2.0a1"))
    assert world.run("web = ['Alpha']") == 0
    assert world.pinned() == ["Alpha==1.10"]
    assert world.lock.read_text().endswith("  # web\n")
    (pin,) = read_lock(world.lock)
    assert (world.folder / "cache" / pin.sha256[0]).is_file(), "fetched once more for the corpus"


def test_no_connection_stays_open(world, monkeypatch):
    """If it fails, a long-lived process keeps sockets of locks that were written long ago."""
    closed = []
    monkeypatch.setattr(PackageIndex, "close", lambda index: closed.append(id(index)))
    world.publish("alpha", sdist("alpha", "1.0"))
    world.run("web = ['alpha']")
    assert len(closed) == 1


def test_yanked_releases_and_those_for_other_pythons_are_skipped(world):
    releases = [sdist("alpha", version) for version in ("1.0", "2.0", "3.0")]
    attributes = {
        "alpha-3.0.tar.gz": 'data-requires-python="&gt;=3.12"',
        "alpha-2.0.tar.gz": 'data-yanked="broken"',
    }
    world.publish("alpha", *releases, attributes=attributes)
    world.run("web = ['alpha']")
    assert world.pinned() == ["alpha==1.0"]


def test_an_sdist_is_preferred_and_a_large_one_gives_way_to_a_wheel(world):
    world.publish("alpha", wheel("alpha", "1.0"), sdist("alpha", "1.0"))
    large = sdist("beta", "1.0", source=os.urandom(200_000))
    world.publish("beta", wheel("beta", "1.0", "cp311-cp311-linux_x86_64"), large,
                  wheel("beta", "1.0", padding=10))  # fmt: skip
    world.run("web = ['alpha', 'beta']")
    archives = [world.folder / "cache" / pin.sha256[0] for pin in read_lock(world.lock)]
    assert [zipfile.is_zipfile(path) for path in archives] == [False, True]
    assert (
        archives[1].read_bytes()
        == (world.folder / "simple" / "beta" / "beta-1.0-py3-none-any.whl").read_bytes()
    )


def test_what_breaks_a_rule_is_left_out_with_the_reason(world, capsys):
    """If it fails, a package is trained on under a licence that nobody allowed."""
    world.publish("gpl", sdist("gpl", "1.0", licence="GPL-3.0-only"))
    world.publish("tiny", sdist("tiny", "1.0", source=b"x = 1\n"))
    world.publish("big", wheel("big", "1.0", padding=200_000))
    world.publish("good", sdist("good", "1.0"))
    assert world.run("web = ['gpl', 'tiny', 'big', 'good', 'nowhere']") == 0
    assert world.pinned() == ["good==1.0"]
    said = capsys.readouterr().out
    for reason in (
        "gpl: licence 'GPL-3.0-only'",
        "tiny: only 6 bytes of Python",
        "big: larger than 0.1 MB",
        "nowhere: no index lists a file of it",
    ):
        assert f"left out: {reason}" in said


def test_a_large_package_may_be_named(world):
    world.publish("big", wheel("big", "1.0", padding=200_000))
    world.run("web = ['big']", settings="large = ['Big']")
    assert world.pinned() == ["big==1.0"]


def test_the_lock_is_kept_unless_an_upgrade_is_asked_for(world):
    """If it fails, adding one package changes all others."""
    world.publish("alpha", sdist("alpha", "1.0"))
    world.publish("fixed", sdist("fixed", "1.0"), sdist("fixed", "2.0"))
    packages = "web = ['alpha']\nheld-out = ['fixed==1.0']"
    world.run(packages)
    before = world.lock.read_text()
    world.publish("alpha", sdist("alpha", "1.0"), sdist("alpha", "2.0"))
    world.run(packages)
    assert world.lock.read_text() == before
    world.run(packages, "--upgrade")
    assert world.pinned() == ["alpha==2.0", "fixed==1.0"]
    world.run("web = ['fixed==1.0']")
    assert world.pinned() == ["fixed==1.0"], "what the list no longer names stays"


def test_an_interrupted_update_keeps_its_pins(world, monkeypatch):
    world.publish("alpha", sdist("alpha", "1.0"))
    world.publish("beta", sdist("beta", "1.0"))
    monkeypatch.setattr(LockResolver, "_check", interrupted_at("beta"))
    with pytest.raises(KeyboardInterrupt):
        world.run("web = ['alpha', 'beta']")
    assert world.pinned() == ["alpha==1.0"]


def test_a_changed_fixed_version_is_followed(world):
    """If it fails, a corpus has the release that its list no longer names, and nothing says so."""
    world.publish("fixed", *(sdist("fixed", version) for version in ("1.0", "2.0.0", "3.0")))
    for version, pinned in (("1.0", "1.0"), ("2.0", "2.0.0"), ("2.0.0", "2.0.0"), ("3.0", "3.0")):
        world.run(f"web = ['fixed=={version}']")
        assert world.pinned() == [f"fixed=={pinned}"]


def test_an_interrupted_upgrade_loses_no_pins(world, monkeypatch):
    """If it fails, a connection that breaks leaves a lock of the first few packages."""
    for name in ("alpha", "beta", "gamma"):
        world.publish(name, sdist(name, "1.0"))
    packages = "web = ['alpha', 'beta', 'gamma']"
    world.run(packages)
    for name in ("alpha", "beta", "gamma"):
        world.publish(name, sdist(name, "1.0"), sdist(name, "2.0"))
    with monkeypatch.context() as patched:
        patched.setattr(LockResolver, "_check", interrupted_at("beta"))
        with pytest.raises(KeyboardInterrupt):
            world.run(packages, "--upgrade")
    assert world.pinned() == ["alpha==2.0", "beta==1.0", "gamma==1.0"]
    world.publish("gamma", sdist("gamma", "3.0", licence="GPL-3.0-only"))
    world.run(packages, "--upgrade")
    assert world.pinned() == ["alpha==2.0", "beta==2.0"], "what breaks a rule now is left out"


def interrupted_at(name):
    def check(self, pin):
        if pin.name == name:
            raise KeyboardInterrupt

    return check


def test_an_index_that_does_not_answer_is_one_sentence(world, monkeypatch):
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    with pytest.raises(CorpusError, match=r"cannot fetch alpha \(no connection to 127"):
        world.run("web = ['alpha']")


def test_mistakes_in_the_list_get_one_sentence(world):
    with pytest.raises(ConfigError, match="names alpha more than once"):
        world.run("web = ['alpha']\ndata = ['Alpha']")
    world.config.write_text("out = 'x'\nlicences = ['MIT']\n")
    with pytest.raises(ConfigError, match=r"has no sources\.lock"):
        world.run("web = ['alpha']")


def test_a_project_without_a_release_for_years_is_left_out():
    from datetime import UTC, datetime, timedelta

    from unearth import Link, Package

    from training.corpus.config import CorpusConfig

    wanted = PackageList(packages={})
    resolver = LockResolver(
        wanted=wanted, config=CorpusConfig(out="x", licences=("MIT",)), index=None
    )
    for age_days, is_kept in ((10, True), (wanted.max_age_days + 10, False)):
        uploaded = datetime.now(UTC) - timedelta(days=age_days)
        files = [Package("a", "1.0", Link("http://x/a-1.0.tar.gz", upload_time=uploaded))]
        if is_kept:
            assert str(resolver._find_newest(files, "")[0]) == "1.0"
        else:
            with pytest.raises(LeftOutError, match="no release since"):
                resolver._find_newest(files, "")
