"""The sources of a config: their names, versions and licences."""

import os
from pathlib import Path

import pytest
from doubles.repository_maker import MIT, git, make_repository

from training.corpus.config import CorpusConfig, SourcesConfig
from training.corpus.extraction.parts import Part
from training.corpus.extraction.source_extractor import SourceExtractor
from training.corpus.extraction.source_list import list_sources, parse_archive_name
from training.corpus.readers.package_metadata import read_folder_metadata
from training.foundation.errors import CorpusError

TEXT = "def double(value):\n    return value + value\n\n" * 8


def config(**sources):
    allowed = ("MIT", "Apache-2.0", "BSD-2-Clause")
    return CorpusConfig(out=Path("out"), licences=allowed, sources=SourcesConfig(**sources))


@pytest.fixture
def read(tmp_path_factory):
    """Reads one source; returns the paths that were kept, and the report."""

    def read_it(source, settings):
        part = Part(folder=tmp_path_factory.mktemp("work"), number=0)
        report = SourceExtractor.create(settings).extract(source, part)
        paths = [p.as_py() for table in part.read_row_groups(["path"]) for p in table["path"]]
        return paths, report

    return read_it


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("scikit_image-0.26.0.tar.gz", "scikit-image"),
        ("scikit-image-0.19.0.tar.gz", "scikit-image"),
        ("Cirq_Core-1.7.0-py3-none-any.whl", "cirq-core"),
        ("zope.interface-7.0.zip", "zope-interface"),
    ],
)
def test_an_archive_is_known_by_its_whole_name(file, name):
    """If it fails, a held-out package under an older file name is trained on."""
    assert parse_archive_name(Path(file)) == name


def test_an_archive_without_a_version_is_refused():
    with pytest.raises(CorpusError, match="NAME-VERSION"):
        parse_archive_name(Path("download.tar.gz"))


def test_a_folders_own_name_and_licence_are_read(tmp_path):
    folder = tmp_path / "checkout"
    folder.mkdir()
    assert read_folder_metadata(folder, None).name == "checkout"
    assert read_folder_metadata(folder, None).licence == "UNKNOWN"
    (folder / "LICENSE").write_text(MIT)
    assert read_folder_metadata(folder, None).licence == "MIT"
    (folder / "pyproject.toml").write_text(
        '[project]\nname = "Real_Name"\nversion = "2"\nlicense = "Apache-2.0"\n'
    )
    found = read_folder_metadata(folder, None)
    assert (found.name, found.version, found.licence) == ("Real_Name", "2", "Apache-2.0")
    assert read_folder_metadata(folder, "BSD-3-Clause").licence == "BSD-3-Clause"
    (folder / "PKG-INFO").write_text("Name: sdist\nVersion: 3\nLicense-Expression: ISC\n")
    assert read_folder_metadata(folder, None).name == "sdist"


@pytest.mark.parametrize("text", ["[project", "project = 1", "x = " + "[" * 5000])
def test_a_malformed_pyproject_is_ignored(tmp_path, text):
    (tmp_path / "pyproject.toml").write_text(text)
    assert read_folder_metadata(tmp_path, None).name == tmp_path.name


def test_an_installed_package_is_read_in_place(read):
    (source,) = list_sources(config(installed=("packaging",)))
    paths, report = read(source, config())
    assert "packaging/version.py" in paths
    assert all(path.startswith("packaging/") for path in paths)
    assert "Apache-2.0" in report.licence


def test_a_package_that_is_not_installed_is_named():
    with pytest.raises(CorpusError, match="no-such-package"):
        list_sources(config(installed=("no-such-package",)))


def install(folder, files):
    """Makes an installed package with a record of these files."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    own = folder / "mine-1.dist-info"
    own.mkdir(exist_ok=True)
    (own / "METADATA").write_text("Name: mine\nVersion: 1\n")
    (own / "RECORD").write_text("".join(f"{name},,\n" for name in files))


@pytest.mark.parametrize(
    "files", [{"mine.so": ""}, {"mine.pth": "/src"}, {"__editable___mine_1_finder.py": TEXT}, None]
)
def test_an_installed_package_that_records_no_code_is_refused(tmp_path, monkeypatch, files):
    """If it fails, all installed packages are trained on under its name and licence."""
    install(tmp_path, files or {})
    (tmp_path / "other.py").write_text(TEXT)
    if files is None:
        (tmp_path / "mine-1.dist-info/RECORD").unlink()
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(CorpusError, match=r"'mine', which records no Python .* sources\.folders"):
        list_sources(config(installed=("mine",)))


@pytest.mark.parametrize("folder", ["", "licenses/"])
def test_the_licence_file_of_an_installed_package_is_read(tmp_path, monkeypatch, folder):
    """If it fails, installed packages whose metadata name no licence are left out."""
    own, other = f"mine-1.dist-info/{folder}LICENSE", f"mine-1.dist-info/{folder}A/LICENSE"
    install(tmp_path, {"mine.py": TEXT, other: "Apache License Version 2.0", own: MIT})
    monkeypatch.syspath_prepend(tmp_path)
    (source,) = list_sources(config(installed=("mine",)))
    assert source.files == ("mine.py",)
    assert (source.metadata.licence, source.metadata.licence_source) == ("MIT", "licence file")


def test_large_and_unreadable_files_are_counted(tmp_path, read):
    """If it fails, one file without permission, or of 10 GB, ends the run."""
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "good.py").write_text(TEXT)
    with (folder / "huge.py").open("wb") as file:
        file.truncate(10 << 30)  # sparse: takes no room
    os.mkfifo(folder / "pipe.py")
    (folder / "loop").symlink_to(folder)
    (folder / "gone.py").symlink_to(folder / "nowhere")
    settings = config(folders=(folder,), folder_licence="MIT")
    (source,) = list_sources(settings)
    paths, report = read(source, settings)
    assert paths == ["good.py"]
    assert report.drops == {"too large": 1}
    assert report.examples == {"too large": ("huge.py",)}


def test_a_file_that_vanishes_is_counted(tmp_path, read):
    from training.corpus.readers.corpus_source import CorpusSource

    (tmp_path / "a.py").write_text(TEXT)
    source = CorpusSource(name="x", path=tmp_path, files=("a.py", "gone.py"))
    _, report = read(source, config())
    assert report.drops == {"licence": 1, "unreadable": 1}


def test_the_licence_file_of_the_package_itself_is_read(tmp_path, read):
    """If it fails, a bundled dependency's licence is taken for the package's own."""
    import zipfile

    path = tmp_path / "p-1-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/vendor/dep/LICENSE", "Apache License Version 2.0")
        archive.writestr("p-1.dist-info/METADATA", "Name: p\nVersion: 1\n")
        archive.writestr("p-1.dist-info/LICENSE", MIT)
        archive.writestr("a/code.py", TEXT)
    (source,) = list_sources(config(archives=(path,)))
    _, report = read(source, config())
    assert (report.licence, report.licence_source) == ("MIT", "licence file")


def test_a_repository_yields_the_files_tracked_at_a_commit(tmp_path, read):
    """If it fails, a build's left-overs and yesterday's drafts are trained on."""
    code = {"src/a.py": TEXT + "x = 1\n", "src/b.py": TEXT + "y = 1\n"}
    folder = make_repository(tmp_path / "mine", {"LICENSE": MIT, "src/a.py": TEXT}, code)
    first = git(folder, "rev-parse", "HEAD~1")
    (folder / "src" / "c.py").write_text(TEXT + "z = 1\n")
    (now,) = list_sources(config(git=(str(folder),)))
    paths, report = read(now, config())
    assert paths == ["src/a.py", "src/b.py"]
    assert (report.package, report.licence) == ("mine", "MIT")
    (then,) = list_sources(config(git=(f"{folder}@{first}",)))
    assert read(then, config())[0] == ["src/a.py"]
    assert then.metadata.version == first


@pytest.mark.parametrize("name", ["{tmp}", "{tmp}/none", "{repo}@nowhere"])
def test_a_repository_or_commit_that_is_not_there_is_named(tmp_path, name):
    make_repository(tmp_path / "repo")
    with pytest.raises(CorpusError, match=r"sources\.git"):
        list_sources(config(git=(name.format(tmp=tmp_path, repo=tmp_path / "repo"),)))


def test_ignored_files_of_a_folder_are_skipped(tmp_path, read):
    for name in ("a.py", "build/b.py", "src/c.py", "src/keep.py", "src/gen/d.py"):
        (tmp_path / "p" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "p" / name).write_text(TEXT)
    (tmp_path / "p" / ".gitignore").write_text("build/\nc.py\n")
    (tmp_path / "p" / "src" / ".gitignore").write_text("gen\n")
    settings = config(folders=(tmp_path / "p",), folder_licence="MIT")
    (source,) = list_sources(settings)
    assert read(source, settings)[0] == ["a.py", "src/keep.py"]
