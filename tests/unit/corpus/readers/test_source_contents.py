"""Opening sources: metadata anywhere in an archive, decompression bombs, ignored files."""

import tarfile
import zipfile

import pytest

from training.corpus.config import ArchiveLimits, CorpusConfig, SourcesConfig
from training.corpus.extraction.source_list import list_sources
from training.corpus.readers.corpus_source import CorpusSource
from training.corpus.readers.folders import walk_python_files
from training.corpus.readers.package_metadata import (
    MetadataSearch,
    parse_metadata,
    read_folder_metadata,
)
from training.corpus.readers.source_contents import open_source
from training.corpus.readers.source_file import SourceFile
from training.foundation.errors import CorpusError

METADATA = "Name: Real\nVersion: 2\nLicense-Expression: MIT\n"


def config(**more):
    return CorpusConfig(out="x", licences=("MIT",), decontaminate=(), **more)


def make_wheel(path, files):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return CorpusSource(name="real", path=path)


def test_metadata_at_the_end_of_an_archive_counts_for_all_its_files(tmp_path):
    """If it fails, wheels, whose metadata comes last, have no licence."""
    files = {"b.py": "b", "a.py": "a", "real-2.dist-info/METADATA": METADATA}
    contents = open_source(make_wheel(tmp_path / "real-2-py3-none-any.whl", files), config())
    assert [file.path for file in contents.files] == ["a.py", "b.py"]
    assert (contents.metadata.name, contents.metadata.licence) == ("Real", "MIT")
    assert contents.beyond_limits is None


def test_a_bomb_has_no_files_at_all(tmp_path):
    """If it fails, the model learns the half of an archive that was read before the limit."""
    files = {f"{i}.py": "x = 1\n" for i in range(9)}
    source = make_wheel(tmp_path / "real-2-py3-none-any.whl", files)
    contents = open_source(source, config(archive_limits=ArchiveLimits(max_members=5)))
    assert list(contents.files) == []
    assert "unpacks to more" in contents.beyond_limits


def test_records_are_a_stream(tmp_path):
    """If it fails, a dataset of a terabyte has to fit into memory."""
    path = tmp_path / "a.jsonl"
    path.write_text('{"content": "x = 1"}\n' * 3)
    found = config(sources=SourcesConfig(records=(str(path),)))
    (source,) = list_sources(found)
    contents = open_source(source, found)
    files = iter(contents.files)
    assert next(files).origin.package == "a.jsonl"
    assert not hasattr(contents.files, "__len__")


def test_private_records_are_dropped(tmp_path):
    """If it fails, private_globs and --private do nothing for records."""
    path = tmp_path / "a.jsonl"
    path.write_text('{"content": "x = 1", "path": "own/a.py"}\n{"content": "x", "path": "b.py"}\n')
    found = config(sources=SourcesConfig(records=(str(path),), private_globs=("own/*",)))
    (source,) = list_sources(found)
    assert [file.problem for file in open_source(source, found).files] == ["private", None]


def test_a_folder_that_is_gone_is_one_sentence(tmp_path):
    source = CorpusSource(name="p", path=tmp_path, part="nowhere")
    with pytest.raises(CorpusError, match="nowhere does not exist"):
        list(open_source(source, config()).files)


def test_the_metadata_highest_in_the_tree_wins_whatever_the_order():
    """If it fails, a vendored package's licence is taken for the package's own."""
    own = SourceFile(path="p-1/PKG-INFO", data=METADATA.encode())
    vendored = SourceFile(
        path="p-1/p/_vendor/q.dist-info/METADATA", data=b"Name: q\nLicense-Expression: GPL-3.0\n"
    )
    for order in ((own, vendored), (vendored, own)):
        search = MetadataSearch()
        for file in (*order, SourceFile(path="p-1/setup.py", data=b"Name: no\n")):
            search.add(file)
        assert (search.result().name, search.result().licence) == ("Real", "MIT")


def test_a_family_of_licences_needs_the_licence_text():
    family = "Name: p\nClassifier: License :: OSI Approved :: BSD License\n"
    assert parse_metadata(family, "").licence == "UNKNOWN"
    two = parse_metadata(family, "Redistributions in binary form must reproduce")
    assert (two.licence, two.licence_source) == ("BSD-2-Clause", "licence file")
    both = family + "Classifier: License :: OSI Approved :: MIT License\n"
    assert parse_metadata(both, "").licence == "UNKNOWN", "one of two is not known"


@pytest.mark.parametrize(
    ("file", "text"),
    [("PKG-INFO", "Name: a\n b: MIT\nVersion: 1\n 2\n"),
     ("pyproject.toml", '[project]\nname = "a\\n b: MIT"\nversion = "1\\n 2"\n')],
)  # fmt: skip
def test_names_in_metadata_are_one_line(tmp_path, file, text):
    """If it fails, a package's name adds a line about another one to NOTICE."""
    (tmp_path / file).write_text(text)
    found = read_folder_metadata(tmp_path, "MIT")
    assert (found.name.split(), found.version.split()) == (["a", "b:", "MIT"], ["1", "2"])
    assert "\n" not in found.name + found.version


@pytest.mark.parametrize("value", ["[[1]]", "{a = {b = 1}}", "1.5", "true", "1979-05-27"])
def test_a_pyproject_whose_name_is_no_text_has_none(tmp_path, value):
    (tmp_path / "pyproject.toml").write_text(f"[project]\nname = {value}\nversion = {value}\n")
    assert read_folder_metadata(tmp_path, "MIT").name == tmp_path.name


def test_a_nearer_rule_of_gitignore_overrides_one_above(tmp_path):
    """If it fails, what a project tracks on purpose is missing, or its build output is not."""
    for name in ("a.py", "gen/b.py", "gen/keep.py", "src/c_pb2.py", "__pycache__/d.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x = 1\n")
    (tmp_path / ".gitignore").write_text("gen/*.py\n*_pb2.py\n")
    (tmp_path / "gen" / ".gitignore").write_text("!keep.py\n")
    found = [path.relative_to(tmp_path).as_posix() for path in walk_python_files(tmp_path)]
    assert found == ["a.py", "gen/keep.py"]


def test_a_gitignore_of_any_bytes_ignores_nothing(tmp_path):
    (tmp_path / "a.py").write_text("x = 1\n")
    (tmp_path / ".gitignore").write_bytes(b"\xff\xfe*.py\n")
    assert [path.name for path in walk_python_files(tmp_path)] == ["a.py"]


def test_a_tar_of_metadata_alone_is_an_empty_package(tmp_path):
    path = tmp_path / "real-2.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        info = tarfile.TarInfo("real-2/PKG-INFO")
        archive.addfile(info)
    contents = open_source(CorpusSource(name="real", path=path), config())
    assert list(contents.files) == []
    assert contents.metadata.licence == "UNKNOWN"
