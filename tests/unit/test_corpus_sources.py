"""Which packages a config names, what they are called and under which licence they stand."""

import os
from pathlib import Path

import pytest

from training.artifact.errors import CorpusError
from training.corpus.config import CorpusConfig, SourcesConfig
from training.corpus.projects import folder_metadata
from training.corpus.reading import read_source
from training.corpus.sources import archive_name, list_sources

TEXT = "def double(value):\n    return value + value\n\n" * 8


def config(**sources):
    return CorpusConfig(out=Path("out"), licences=("MIT",), sources=SourcesConfig(**sources))


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
    assert archive_name(Path(file)) == name


def test_an_archive_without_a_version_is_refused():
    with pytest.raises(CorpusError, match="NAME-VERSION"):
        archive_name(Path("download.tar.gz"))


def test_a_folder_tells_its_name_and_licence(tmp_path):
    folder = tmp_path / "checkout"
    folder.mkdir()
    assert folder_metadata(folder, None).name == "checkout"
    assert folder_metadata(folder, None).licence == "UNKNOWN"
    (folder / "LICENSE").write_text("Permission is hereby granted, free of charge, to any person")
    assert folder_metadata(folder, None).licence == "MIT"
    (folder / "pyproject.toml").write_text(
        '[project]\nname = "Real_Name"\nversion = "2"\nlicense = "Apache-2.0"\n'
    )
    found = folder_metadata(folder, None)
    assert (found.name, found.version, found.licence) == ("Real_Name", "2", "Apache-2.0")
    assert folder_metadata(folder, "BSD-3-Clause").licence == "BSD-3-Clause"
    (folder / "PKG-INFO").write_text("Name: sdist\nVersion: 3\nLicense-Expression: ISC\n")
    assert folder_metadata(folder, None).name == "sdist"


@pytest.mark.parametrize("text", ["[project", "project = 1", "x = " + "[" * 5000])
def test_a_broken_pyproject_tells_nothing(tmp_path, text):
    (tmp_path / "pyproject.toml").write_text(text)
    assert folder_metadata(tmp_path, None).name == tmp_path.name


def test_an_installed_package_is_read_where_it_lies():
    (source,) = list_sources(config(installed=("packaging",)))
    package = read_source(source, config())
    assert "packaging/version.py" in {d.path for d in package.documents}
    assert all(d.path.startswith("packaging/") for d in package.documents)
    assert "Apache-2.0" in package.licence


def test_a_package_that_is_not_installed_is_named():
    with pytest.raises(CorpusError, match="no-such-package"):
        list_sources(config(installed=("no-such-package",)))


def test_large_and_unreadable_files_are_counted(tmp_path):
    """If it fails, one file without permission, or of 10 GB, ends the run."""
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "good.py").write_text(TEXT)
    with (folder / "huge.py").open("wb") as file:
        file.truncate(10 << 30)  # sparse: takes no room
    os.mkfifo(folder / "pipe.py")
    (folder / "loop").symlink_to(folder)
    (folder / "gone.py").symlink_to(folder / "nowhere")
    settings = config(folders=(folder,))
    (source,) = list_sources(settings)
    package = read_source(source, settings)
    assert [d.path for d in package.documents] == ["good.py"]
    assert package.drops == {"too large": 1}


def test_a_file_that_vanishes_is_counted(tmp_path):
    from training.corpus.sources import Source

    (tmp_path / "a.py").write_text(TEXT)
    source = Source(name="x", path=tmp_path, files=("a.py", "gone.py"))
    assert read_source(source, config()).drops == {"unreadable": 1}


def test_the_licence_file_of_the_package_itself_is_read(tmp_path):
    """If it fails, a bundled dependency's licence is taken for the package's own."""
    import zipfile

    path = tmp_path / "p-1-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/vendor/dep/LICENSE", "Apache License Version 2.0")
        archive.writestr("p-1.dist-info/METADATA", "Name: p\nVersion: 1\n")
        archive.writestr("p-1.dist-info/LICENSE", "Permission is hereby granted, free of charge")
        archive.writestr("a/code.py", TEXT)
    (source,) = list_sources(config(archives=(path,)))
    package = read_source(source, config())
    assert (package.licence, package.licence_source) == ("MIT", "licence file")
