"""What is held out if the config names no package, and how it is reported."""

import json

import pytest

from training.corpus.__main__ import main
from training.corpus.config import CorpusConfig
from training.corpus.readers.package_names import NamedPackages
from training.corpus.selection.heldout_split import hold_out
from training.corpus_reader import list_row_groups
from training.foundation.config_schema import from_mapping
from training.foundation.errors import ConfigError, CorpusError


def chosen(documents, **config):
    """Returns the held-out documents of ``[(package, size)]``, by index, and by what rule."""
    settings = CorpusConfig(out="out", licences=("MIT",), **config)
    packages = [package for package, _ in documents]
    hashes = [f"{index:064x}" for index in range(len(documents))]
    names = NamedPackages(settings.heldout)
    named = [names.find(package) for package in packages]
    found = hold_out(settings, packages, hashes, [size for _, size in documents], named)
    return [i for i, is_out in enumerate(found.is_heldout) if is_out], found


def test_of_many_packages_whole_ones_are_held_out():
    """If it fails, a model is measured on packages that it was trained on."""
    documents = [(f"p{i % 100}", 10_000) for i in range(1000)]
    indices, found = chosen(documents)
    packages = {documents[i][0] for i in indices}
    assert found.by == "package"
    assert sorted(indices) == [i for i, (name, _) in enumerate(documents) if name in packages]
    assert 0.02 <= len(indices) / 1000 <= 0.1


def test_a_large_package_is_not_held_out_as_a_whole():
    documents = [("large", 10_000)] * 500 + [("small", 10_000)] * 20
    indices, found = chosen(documents)
    assert found.by == "package"
    assert {documents[i][0] for i in indices} == {"small"}


@pytest.mark.parametrize("n_packages", [1, 3])
def test_of_few_packages_single_documents_are_held_out(n_packages):
    documents = [(f"p{i % n_packages}", 10_000) for i in range(300)]
    indices, found = chosen(documents)
    assert found.by == "document"
    assert 6 <= len(indices) <= 8


def test_a_small_corpus_holds_out_enough_to_measure_but_not_most_of_it():
    assert len(chosen([("p", 2_000)] * 40)[0]) == 8, "16 kB"
    assert len(chosen([("p", 1_000)] * 4)[0]) == 1
    assert len(chosen([("p", 1_000)] * 2)[0]) == 1


def test_the_choice_is_the_same_whatever_the_order(tmp_path):
    documents = [(f"p{i % 50}", 10_000 + i) for i in range(500)]
    indices, _ = chosen(documents)
    backwards, _ = chosen(documents[::-1])
    names = {documents[i][0] for i in indices}
    assert names == {documents[::-1][i][0] for i in backwards}


def test_names_and_a_share_combine():
    documents = [(f"p{i % 100}", 10_000) for i in range(1000)]
    only, found = chosen(documents, heldout=("P1",))
    assert (found.by, {documents[i][0] for i in only}) == ("name", {"p1"})
    both, _ = chosen(documents, heldout=("p1",), heldout_share=0.05)
    assert set(only) < set(both)
    assert (len(both) - len(only)) / 1000 >= 0.05
    nothing, found = chosen(documents, heldout_share=0)
    assert (nothing, found.by) == ([], "nothing")


def test_a_name_that_no_document_has_is_reported_and_replaced():
    documents = [(f"p{i % 100}", 10_000) for i in range(1000)]
    indices, found = chosen(documents, heldout=("typo",))
    assert indices
    assert found.missing == ("typo",)


def test_a_single_document_is_refused_in_one_sentence():
    with pytest.raises(CorpusError, match="at least two"):
        chosen([("p", 1_000)])


def test_a_share_out_of_range_is_refused():
    values = {"out": "x", "licences": ["MIT"], "heldout_share": 0.9}
    with pytest.raises(ConfigError, match=r"heldout_share is 0\.9"):
        from_mapping(CorpusConfig, values, where="corpus.toml")


@pytest.fixture
def one_package(tmp_path):
    """The config of a corpus of one folder that names nothing to hold out."""
    source = tmp_path / "source"
    source.mkdir()
    for i in range(40):
        lines = [
            f"def function_{i}_{n}(value_{n}):\n    return value_{n} + {i}\n" for n in range(9)
        ]
        (source / f"module_{i}.py").write_text("\n".join(lines))
    (source / "module_0_again.py").write_text((source / "module_0.py").read_text())
    config = tmp_path / "corpus.toml"
    config.write_text(
        f"out = '{tmp_path}/corpus'\nlicences = ['MIT']\ndecontaminate = []\nprocesses = 1\n"
        f"near_duplicate_similarity = 0.99\n"
        f"[sources]\nfolders = ['{source}']\nfolder_licence = 'MIT'\n"
    )
    return config


def test_the_held_out_split_is_reported(one_package, capsys):
    assert main([str(one_package)]) == 0
    err = capsys.readouterr().err
    assert "single documents of 1 packages (source)" in err
    report = json.loads((one_package.parent / "corpus" / "report.json").read_text())
    heldout = report["heldout"]
    assert heldout["by"] == "document"
    assert heldout["packages"] == ["source"]
    assert heldout["documents"] == report["splits"]["heldout"]["documents"] > 0
    assert report["packages"][0]["split"] == "train and heldout"
    assert "held out" in (one_package.parent / "corpus" / "report.html").read_text().lower()
    main([str(one_package)])
    assert "single documents" in capsys.readouterr().err, "also when it is there already"


@pytest.mark.parametrize(
    ("files", "warning"),
    [
        (
            ["module_1.py", "modul_2.py"],
            "modul_2.py, but no document in the corpus has that path\n",
        ),
        (["modul_2.py"], "has that path; a share of the others is held out instead"),
        (["module_1.py"], None),
        ([f"{n}.py" for n in range(5)], "0.py, 1.py, 2.py, ... (5 in all), but no document"),
    ],
)
def test_a_path_that_no_document_has_is_reported(one_package, capsys, files, warning):
    """If it fails, a file that was to be held out is trained on, and nobody knows."""
    assert main([str(one_package), f"heldout_files={json.dumps(files)}"]) == 0
    err = capsys.readouterr().err
    assert ("'heldout_files' names" in err) == (warning is not None)
    assert (warning or "") in err


def test_without_held_out_documents_the_next_command_says_what_to_set(one_package):
    assert main([str(one_package), "heldout_share=0"]) == 0
    with pytest.raises(CorpusError, match="set heldout_share"):
        list_row_groups(one_package.parent / "corpus", "heldout")
