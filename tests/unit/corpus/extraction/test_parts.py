"""Parts on disk: what is complete is kept, what is not is made again, and the code is hashed."""

import json
from dataclasses import replace

import pytest

from training.corpus.config import CorpusConfig, SourcesConfig
from training.corpus.extraction.parts import Part
from training.corpus.extraction.source_extractor import SourceExtractor
from training.corpus.extraction.source_list import list_sources
from training.corpus.input_hash import _list_own_code, hash_inputs
from training.corpus.readers.corpus_source import CorpusSource

TEXT = "def times_{0}(value):\n    '''Multiplies.'''\n    return value * {0}\n\n" * 4


@pytest.fixture
def extracted(tmp_path):
    """A folder of two files, its part, and how to extract it again."""
    folder, work = tmp_path / "p", tmp_path / "work"
    folder.mkdir()
    work.mkdir()
    for i in range(2):
        (folder / f"m{i}.py").write_text(TEXT.format(i))
    config = CorpusConfig(out=tmp_path / "out", licences=("UNKNOWN",), decontaminate=())
    part = Part(folder=work, number=3)

    def extract():
        source = CorpusSource(name="p", path=folder)
        return part.read_report() or SourceExtractor.create(config).extract(source, part)

    return folder, part, extract


def paths(part):
    return [p for table in part.read_row_groups(["path"]) for p in table["path"].to_pylist()]


def test_a_complete_part_is_not_made_again(extracted):
    """If it fails, an interrupted build starts over."""
    folder, part, extract = extracted
    report = extract()
    assert part.read_report() == report
    assert (report.files, paths(part)) == (2, ["m0.py", "m1.py"])
    (folder / "m2.py").write_text(TEXT.format(2))
    assert extract() == report


@pytest.mark.parametrize(
    "damage",
    [
        lambda part: part.report.unlink(),
        lambda part: part.documents.unlink(),
        lambda part: part.report.write_text("{"),
        lambda part: part.report.write_text("[]"),
        lambda part: part.report.write_text(json.dumps({"package": "p"})),
    ],
    ids=["no report", "no documents", "cut report", "other report", "older report"],
)
def test_an_incomplete_part_is_made_again(extracted, damage):
    """If it fails, a kill at the wrong moment drops a package from the corpus, silently."""
    _, part, extract = extracted
    report = extract()
    damage(part)
    assert part.read_report() is None
    assert extract() == report
    assert paths(part) == ["m0.py", "m1.py"]


def test_a_source_without_documents_is_a_complete_part(extracted):
    folder, part, extract = extracted
    for path in folder.iterdir():
        path.unlink()
    report = extract()
    assert (report.files, paths(part)) == (0, [])
    assert part.read_report() == report


def test_records_have_packages_and_licences_of_their_own(tmp_path):
    """If it fails, a dataset's files are trained on under the licence of another one."""
    records = tmp_path / "a.jsonl"
    rows = [
        {"repo_name": "x/mit", "path": "a.py", "license": "mit", "content": TEXT.format(1)},
        {"repo_name": "x/gpl", "path": "b.py", "license": "gpl-3.0", "content": TEXT.format(2)},
        {"path": "c.py", "license": "mit", "content": TEXT.format(3)},
        {"repo_name": "x/override", "path": "d.py", "content": TEXT.format(4)},
        {"repo_name": "x/broken", "license": "mit"},
    ]
    records.write_text("".join(json.dumps(row) + "\n" for row in rows))
    config = CorpusConfig(
        out=tmp_path / "out",
        licences=("MIT",),
        decontaminate=(),
        licence_overrides={"x/override": "MIT"},
    )
    (source,) = list_sources(replace(config, sources=SourcesConfig(records=(str(records),))))
    part = Part(folder=tmp_path, number=0)
    report = SourceExtractor.create(config).extract(source, part)
    kept = [
        (row["package"], row["path"])
        for table in part.read_row_groups(["package", "path"])
        for row in table.to_pylist()
    ]
    assert kept == [("x/mit", "a.py"), ("a.jsonl", "c.py"), ("x/override", "d.py")]
    assert report.drops == {"damaged record": 1, "licence": 1}
    assert (report.package, report.licence) == ("a.jsonl", "of each record")


def test_the_hash_covers_the_code_of_every_room():
    """If it fails, a changed filter leaves yesterday's corpus up to date."""
    names = {name for name, _ in _list_own_code()}
    assert {"corpus/build.py", "corpus/filters/screening.py"} <= names
    assert {"licensing/licences.py", "foundation/privacy/private_paths.py"} <= names
    assert "foundation/foreign_text.py" in names
    assert len(names) > 40


def test_the_hash_follows_what_the_corpus_depends_on(tmp_path):
    lock = tmp_path / "x.lock"
    lock.write_text("a")
    source = tmp_path / "a.whl"
    source.write_bytes(b"a")

    def hash_of(**more):
        sources = SourcesConfig(lock=lock, archives=(source,))
        return hash_inputs(CorpusConfig(**{"out": tmp_path, "licences": ("MIT",),
                                           "sources": sources} | more))  # fmt: skip

    first = hash_of()
    assert hash_of(out=tmp_path / "b", processes=7, cache=tmp_path) == first
    assert hash_of(rows_per_file=5) != first
    lock.write_text("b")
    second = hash_of()
    assert second != first
    source.write_bytes(b"other")
    third = hash_of()
    assert third != second
    source.unlink()
    assert hash_of() != third
