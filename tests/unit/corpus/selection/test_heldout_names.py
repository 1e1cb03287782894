"""Held-out packages and licence overrides are found by every name that documents give them."""

import json
import tarfile
import zipfile
from io import BytesIO

import pytest
from doubles.repository_maker import MIT, git, make_repository

from training.corpus.build import warn_of_names
from training.corpus.config import CorpusConfig
from training.corpus.extraction.parts import Part
from training.corpus.extraction.source_extractor import SourceExtractor
from training.corpus.extraction.source_list import list_sources
from training.corpus.readers.package_names import NamedPackages, find_top_level
from training.corpus.selection.selection import select
from training.foundation.config_schema import load_toml

TEXT = "def times_{0}(value):\n    '''Multiplies.'''\n    return value * {0}\n\n" * 4
METADATA = "Name: {}\nVersion: 1\nLicense-Expression: MIT\n"


def test_names_are_compared_as_pep_503_says():
    heldout = NamedPackages(["Zope.Interface", "billing"])
    for name in ("zope-interface", "ZOPE_INTERFACE", "zope.interface.git", " Zope--Interface/"):
        assert heldout.find(name) == "Zope.Interface"
    for names in (
        ("acme/billing",),
        ("git@host:billing.git",),
        ("x", "Billing"),
        ("https://h/a/billing/",),
    ):
        assert heldout.find_document(*names, path="a.py") == "billing"
    assert heldout.find("acme/billing") is None
    assert heldout.find_document("x", path="billings/a.py") is None


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("billing/a.py", "billing"),
        ("billing.py", "billing"),
        ("src/billing/a.py", "billing"),
        ("x-1.0/src/billing/a.py", "billing"),
        ("x-1.0.data/purelib/billing/a.py", "billing"),
        ("python/lib/billing/a.py", "billing"),
        ("src/a.py", "a"),
        ("x/billing/a.py", "x"),
        ("", ""),
    ],
)
def test_the_top_level_package_of_a_path(path, name):
    assert find_top_level(path) == name


def build(file):
    """Builds a corpus in this process, up to the selection."""
    config = load_toml(CorpusConfig, file)
    extractor = SourceExtractor.create(config)
    reports, parts = [], []
    for number, source in enumerate(list_sources(config)):
        parts.append(Part(folder=file.parent, number=number))
        reports.append(extractor.extract(source, parts[-1]))
    selection = select(parts, config)
    warn_of_names(config, reports, selection)
    return selection, reports


def add_wheel(folder, name, metadata, module="pkg"):
    path = folder / f"{name}-1-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{module}/a.py", TEXT.format(name))
        archive.writestr(f"{name}-1.dist-info/METADATA", METADATA.format(metadata))
    return f"archives = ['{path}']"


def add_sdist(folder, name, metadata):
    path = folder / f"{name}-1.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        files = {"PKG-INFO": METADATA.format(metadata), "src/pkg/a.py": TEXT.format(name)}
        for file, text in files.items():
            info = tarfile.TarInfo(f"{name}-1/{file}")
            info.size = len(text)
            archive.addfile(info, BytesIO(text.encode()))
    return f"archives = ['{path}']"


def add_bare(folder, name):
    make_repository(folder / "up", {"LICENSE": MIT, "pkg/a.py": TEXT.format("up")})
    git(folder, "clone", "-q", "--bare", "up", name)
    return f"git = ['{folder}/{name}']"


def add_folder(folder, name, project="", module="pkg"):
    (folder / name / module).mkdir(parents=True)
    (folder / name / module / "a.py").write_text(TEXT.format("folder"))
    (folder / name / "LICENSE").write_text(MIT)
    if project:
        (folder / name / "pyproject.toml").write_text(f"[project]\nname = '{project}'\n")
    return f"folders = ['{folder}/{name}', '{folder}/other']"


def add_records(folder, package, path="pkg/a.py"):
    row = {"content": TEXT.format("record"), "path": path, "repo_name": package, "license": "mit"}
    (folder / "r.jsonl").write_text(json.dumps(row) + "\n")
    return f"records = ['{folder}/r.jsonl']"


SOURCES = {
    "wheel by its file": lambda f: add_wheel(f, "Acme_Billing", "innocent"),
    "wheel by its metadata": lambda f: add_wheel(f, "innocent", "Acme.Billing"),
    "wheel by its package": lambda f: add_wheel(f, "innocent", "innocent", "acme_billing"),
    "sdist by its file": lambda f: add_sdist(f, "acme-billing", "innocent"),
    "sdist by its metadata": lambda f: add_sdist(f, "innocent", "ACME__billing"),
    "bare clone": lambda f: add_bare(f, "Acme_billing.git"),
    "folder by its name": lambda f: add_folder(f, "acme.billing"),
    "folder by its project": lambda f: add_folder(f, "checkout", "Acme-Billing"),
    "folder by its package": lambda f: add_folder(f, "checkout", "x", "src/acme_billing"),
    "record by its repository": lambda f: add_records(f, "someone/Acme_Billing"),
    "record by its name": lambda f: add_records(f, "acme.billing"),
    "record by its path": lambda f: add_records(f, "someone/vendored", "src/acme_billing/a.py"),
}


@pytest.mark.parametrize("kind", SOURCES)
def test_a_heldout_package_is_never_trained_on(tmp_path, kind, capsys):
    """If it fails, a model is measured on text that it was trained on."""
    (tmp_path / "other").mkdir()
    (tmp_path / "other/b.py").write_text(TEXT.format("other"))
    (tmp_path / "other/LICENSE").write_text(MIT)
    sources = SOURCES[kind](tmp_path)
    if "folders" not in sources:
        sources += f"\nfolders = ['{tmp_path}/other']"
    (tmp_path / "c.toml").write_text(
        f"out = '{tmp_path}/out'\nlicences = ['MIT']\ndecontaminate = []\nprocesses = 1\n"
        f"heldout = ['Acme-Billing', 'no-such']\nnear_duplicate_similarity = 1.0\n"
        f"[licence_overrides]\nNobody_Has_This = 'MIT'\n[sources]\n{sources}\n"
    )
    selection, _ = build(tmp_path / "c.toml")
    heldout = dict(zip(selection.index.path, selection.is_heldout, strict=True))
    assert heldout.pop("b.py") is False
    assert list(heldout.values()) == [True]
    err = capsys.readouterr().err
    assert "'heldout' names no-such, but no document" in err
    assert "'heldout' names acme-billing" not in err
    assert "'licence_overrides' names Nobody_Has_This, but no source" in err


@pytest.mark.parametrize("name", ["My.Pkg", "my_pkg", "MY-PKG"])
def test_licence_overrides_are_normalized(tmp_path, name, capsys):
    """If it fails, an override for a name as an index writes it has no effect, in silence."""
    (tmp_path / "other").mkdir()
    sources = add_folder(tmp_path, "checkout", "My_Pkg")
    (tmp_path / "other/b.py").write_text(TEXT.format("b"))
    (tmp_path / "other/LICENSE").write_text(MIT)
    (tmp_path / "checkout/LICENSE").unlink()
    (tmp_path / "c.toml").write_text(
        f"out = '{tmp_path}/out'\nlicences = ['MIT', 'ISC']\ndecontaminate = []\n"
        f"heldout_share = 0.5\nprocesses = 1\n"
        f"[licence_overrides]\n'{name}' = 'ISC'\n[sources]\n{sources}\n"
    )
    _, reports = build(tmp_path / "c.toml")
    assert {report.package: report.licence for report in reports}["My_Pkg"] == "ISC"
    assert "licence_overrides" not in capsys.readouterr().err


def test_two_overrides_for_one_package_are_refused():
    with pytest.raises(ValueError, match="twice, with different licences"):
        CorpusConfig(out="out", licences=("MIT",), licence_overrides={"a.b": "MIT", "A-B": "ISC"})
