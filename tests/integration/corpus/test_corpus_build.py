"""Builds from sources on disk: well-formed, damaged and hostile ones."""

import io
import json
import shutil
import tarfile
import zipfile

import pyarrow.parquet as pq
import pytest

from training.corpus.__main__ import main
from training.corpus.readers.archives.member_paths import normalize_member_path
from training.foundation.errors import ConfigError, CorpusError

pytestmark = pytest.mark.integration

SOURCE = "def function_{0}(value):\n    '''Returns {0}.'''\n    return value + {0}\n\n" * 4
METADATA = "Metadata-Version: 2.4\nName: {0}\nVersion: 1.0\nLicense-Expression: {1}\n"


def source(number):
    return SOURCE.format(number)


def make_sdist(path, files):
    with tarfile.open(path, "w:gz") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data.encode()))
        for name, target in (("p-1/link.py", "/etc/passwd"), ("p-1/up.py", "../../x.py")):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = tarfile.SYMTYPE, target
            archive.addfile(info)
    return path


def make_wheel(path, files):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


@pytest.fixture
def world(tmp_path):
    """Two archives and a folder, and the config that reads them."""
    return make_world(tmp_path)


@pytest.fixture(scope="session")
def built(build_once):
    """A world whose corpus has been built, by two processes; tests only read it."""
    return build_once("built-world", build_world)


def build_world(folder):
    _, config = make_world(folder)
    assert main([str(config), "processes=2"]) == 0


def make_world(tmp_path):
    make_sdist(
        tmp_path / "alpha-1.0.tar.gz",
        {
            "alpha-1.0/PKG-INFO": METADATA.format("alpha", "MIT"),
            "alpha-1.0/alpha/a.py": source(1),
            "alpha-1.0/alpha/b.py": source(2),
            "alpha-1.0/alpha/tiny.py": "x = 1\n",
            "alpha-1.0/../../escape.py": source(9),
            "/absolute.py": source(10),
        },
    )
    make_wheel(
        tmp_path / "beta-1.0-py3-none-any.whl",
        {
            "beta-1.0.dist-info/METADATA": METADATA.format("beta", "Apache-2.0"),
            "beta/a.py": source(1),
            "beta/c.py": source(3),
        },
    )
    folder = tmp_path / "gamma"
    folder.mkdir()
    (folder / "d.py").write_text(source(4))
    (folder / "loop").symlink_to(folder)
    (folder / "secret.py").symlink_to("/etc/passwd")
    config = tmp_path / "corpus.toml"
    config.write_text(
        f"out = '{tmp_path}/out'\nheldout = ['Beta']\nlicences = ['MIT', 'Apache-2.0']\n"
        f"decontaminate = []\nprocesses = 1\n[sources]\nfolders = ['{folder}']\n"
        f"folder_licence = 'MIT'\n"
        f"archives = ['{tmp_path}/alpha-1.0.tar.gz', '{tmp_path}/beta-1.0-py3-none-any.whl']\n"
    )
    return tmp_path, config


def rows(folder, split):
    return [
        row
        for path in sorted((folder / split).glob("*.parquet"))
        for row in pq.read_table(path).to_pylist()
    ]


def test_documents_keep_their_provenance(built):
    train, heldout = rows(built / "out", "train"), rows(built / "out", "heldout")
    assert {(r["package"], r["path"], r["licence"]) for r in train} == {
        ("alpha", "alpha-1.0/alpha/b.py", "MIT"),
        ("gamma", "d.py", "MIT"),
    }
    assert {(r["package"], r["path"]) for r in heldout} == {
        ("beta", "beta/a.py"),
        ("beta", "beta/c.py"),
    }
    assert train[0]["text"] == source(2)


def test_a_heldout_document_is_never_trained_on(built):
    """If it fails, validation measures memory: alpha/a.py equals the held-out beta/a.py."""
    seen = {r["sha256"] for r in rows(built / "out", "train")}
    assert not seen & {r["sha256"] for r in rows(built / "out", "heldout")}
    report = json.loads((built / "out" / "report.json").read_text())
    assert report["drops"] == {"exact duplicate": 1, "too small": 1}


def test_the_same_sources_give_the_same_bytes(built, tmp_path):
    main([str(built / "corpus.toml"), f"out={tmp_path}/again"])
    paths = sorted((built / "out").rglob("*.parquet"))
    assert paths
    for path in paths:
        twin = tmp_path / "again" / path.relative_to(built / "out")
        assert path.read_bytes() == twin.read_bytes()


def test_a_licence_that_is_not_allowed_is_not_trained_on(world):
    folder, config = world
    main([str(config), "licences=['Apache-2.0', 'MIT-0']", "sources.folder_licence='MIT-0'"])
    assert {r["package"] for r in rows(folder / "out", "train")} == {"gamma"}


def test_damaged_archives_are_named_and_leave_the_old_corpus(world, built):
    folder, config = world
    shutil.copytree(built / "out", folder / "out")
    archive = folder / "alpha-1.0.tar.gz"
    archive.write_bytes(archive.read_bytes()[:200])
    with pytest.raises(CorpusError, match=r"alpha-1\.0\.tar\.gz"):
        main([str(config)])
    assert (folder / "out" / "report.json").is_file()
    assert not list(folder.glob(".out.new-*")), "something was left aside"


def test_a_bomb_is_one_counted_drop(world, capsys):
    """If it fails, one hostile archive fills the memory, or stops the run over all others."""
    folder, config = world
    files = {f"beta/{i}.py": source(i) + "#" + "a" * 900 * 900 for i in range(60)}
    make_wheel(folder / "beta-1.0-py3-none-any.whl", files)
    assert main([str(config)]) == 0
    err = capsys.readouterr().err
    assert "unpacks to more" in err
    assert "no document of beta ('heldout')" in err, "others are held out instead"
    report = json.loads((folder / "out" / "report.json").read_text())
    assert report["drops"]["archive beyond limits"] == 1
    kept = [*rows(folder / "out", "train"), *rows(folder / "out", "heldout")]
    assert {r["package"] for r in kept} == {"alpha", "gamma"}


@pytest.mark.parametrize(
    ("override", "error", "message"),
    [
        ("sources.folders=['/nowhere']", CorpusError, "does not exist"),
        ("sources.archives=['/nowhere.whl']", CorpusError, "does not exist"),
        ("sources.lock='/nowhere.lock'", CorpusError, "cannot read the lock"),
        ("decontaminate=['/nowhere.jsonl']", CorpusError, "cannot read the problems"),
        ("licences=[]", ConfigError, "licences is empty"),
        ("helout=['x']", ConfigError, "did you mean 'heldout'"),
    ],
)
def test_mistakes_get_one_sentence(world, override, error, message):
    _, config = world
    with pytest.raises(error, match=message):
        main([str(config), override])


@pytest.mark.parametrize("name", ["../x.py", "a/../../x.py", "/x.py", "C:\\x.py", "a\\..\\x.py"])
def test_paths_that_leave_the_archive_are_refused(name):
    assert normalize_member_path(name) is None


def test_ordinary_paths_are_kept():
    assert normalize_member_path("./a/b.py") == "a/b.py"
