"""A header under copyleft terms: against the package's licence, or the licence itself."""

import argparse
from types import SimpleNamespace

import pytest
from doubles.repository_maker import TEXT, make_repository

from parrotlet.team.team_config import describe_corpus
from training.adaptation import configs
from training.corpus.config import CorpusConfig, SourcesConfig
from training.corpus.extraction.parts import Part
from training.corpus.extraction.source_extractor import SourceExtractor
from training.corpus.extraction.source_list import list_sources
from training.corpus.filters.screening import Screening, ScreeningCounts
from training.corpus.filters.text_filters import COPYLEFT, OTHER_TERMS
from training.corpus.readers.records.record_parsing import RecordParser
from training.corpus.readers.source_file import FileOrigin, SourceFile
from training.foundation.config_schema import from_mapping, load_toml

GPL = "# under the terms of the GNU General Public License as published by\n"
LGPL = "# the GNU Lesser General Public License, which extends the GNU\n# General Public License\n"
AGPL = "# it under the terms of the GNU Affero General Public License as\n"
MPL = "# subject to the terms of the Mozilla Public\n# License, v. 2.0.\n"
GPL_TAG = "# SPDX-License-Identifier: GPL-2.0-or-later\n"
OWN = configs.OWN_LICENCE


def screen(header, licence, policy, **sources):
    """Returns why a file with a header is dropped from a package, or None."""
    config = CorpusConfig(
        out="out", licences=policy, decontaminate=(), sources=SourcesConfig(**sources)
    )
    counts = ScreeningCounts()
    file = SourceFile(path="a.py", data=(header + TEXT).encode())
    origin = FileOrigin(name="p", package="p", version="1", licence=licence)
    text = Screening(config).screen(file, origin=origin, counts=counts)
    assert (text is None) == bool(counts.drops)
    return next(iter(counts.drops), None)


@pytest.mark.parametrize("header", [GPL, LGPL, AGPL, MPL, GPL_TAG])
@pytest.mark.parametrize(
    ("licence", "policy"),
    [
        ("MIT", ["MIT"]),
        ("MIT", ["MIT", "GPL-2.0-or-later", "LGPL-3.0-only", "AGPL-3.0-only", "MPL-2.0"]),
        ("MIT OR GPL-2.0-only OR LGPL-2.1-only OR AGPL-3.0-only OR MPL-2.0", ["MIT"]),
    ],
    ids=["a permissive corpus", "a policy that allows both", "a choice"],
)
def test_a_permissive_package_has_no_file_under_copyleft(header, licence, policy):
    """If it fails, code under the GPL is trained on, and recorded as MIT."""
    assert screen(header, licence, tuple(policy)) == COPYLEFT


@pytest.mark.parametrize(
    ("header", "licence", "reason"),
    [
        (GPL, "GPL-3.0-only", None),
        (GPL_TAG, "GPL-3.0-or-later WITH Classpath-exception-2.0", None),
        (GPL, "MIT AND GPL-3.0-only", None),
        (LGPL, "LGPL-3.0-only", None),
        (AGPL, "AGPL-3.0-only", None),
        (MPL, "MPL-2.0", None),
        (AGPL, "GPL-3.0-only", COPYLEFT),
        (GPL, "LGPL-3.0-only", COPYLEFT),
        (GPL, "AGPL-3.0-only", COPYLEFT),
        (MPL, "GPL-3.0-only", COPYLEFT),
        ("", "GPL-3.0-only", None),
    ],
)
def test_a_header_under_the_package_s_own_licence_is_no_reason(header, licence, reason):
    """If it fails, a corpus that allows the GPL has nothing but files without a header."""
    policy = ("MIT", "GPL-3.0-only", "GPL-3.0-or-later", "LGPL-3.0-only", "AGPL-3.0-only")
    assert screen(header, licence, (*policy, "MPL-2.0")) == reason


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ("# SPDX-License-Identifier: LicenseRef-NvidiaProprietary\n", OTHER_TERMS),
        ("# SPDX-License-Identifier: CECILL-2.1 */\n", OTHER_TERMS),
        ("# SPDX-License-Identifier: MIT AND CC-BY-NC-4.0\n", OTHER_TERMS),
        ('"""SPDX-License-Identifier: Proprietary"""\n', OTHER_TERMS),
        ("# Unauthorized copying of this\n# file, via any medium, is prohibited.\n", OTHER_TERMS),
        ("# Proprietary and confidential.\n", OTHER_TERMS),
        ("# without an express license\n# agreement from NVIDIA is prohibited.\n", OTHER_TERMS),
        ("# SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause\n", None),
        ("# SPDX-License-Identifier: (GPL-2.0+ OR MIT)\n", None),
        ("# SPDX-License-Identifier: GPL-2.0-only AND MIT\n", COPYLEFT),
        ("# SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only\n", COPYLEFT),
        ("# SPDX-License-Identifier: bsd-3-clause\n", None),
        ("# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception\n", None),
        ('TAG = "SPDX-License-Identifier: {}"\n', None),
        ("# SPDX-License-Identifier: see the file\n", None),
    ],
)
def test_a_header_of_terms_that_no_policy_names_is_a_reason(header, reason):
    """If it fails, proprietary code that somebody copied into an MIT repository is trained on."""
    assert screen(header, "MIT", ("MIT", "BSD-3-Clause", "Apache-2.0")) == reason
    assert screen(header, OWN, (OWN, "MIT"), folder_licence=OWN) is None


def test_a_record_of_a_bigquery_export_under_the_gpl_is_kept():
    """If it fails, ``parrotlet bigquery --licences gpl-3.0`` downloads what no corpus takes."""
    parser = RecordParser(fields=CorpusConfig(out="x", licences=("x",)).sources.record_fields,
                          package="a.json", max_bytes=10_000)  # fmt: skip
    row = {"repo_name": "a/b", "path": "x.py", "license": "gpl-3.0", "content": GPL + TEXT}
    licence = parser.parse(row, 1).origin.licence
    assert screen(GPL, licence, ("GPL-3.0-only",)) is None


@pytest.mark.parametrize(
    ("licence", "stated", "reason"),
    [(OWN, OWN, None), (OWN, None, COPYLEFT), ("MIT", "MIT", COPYLEFT), ("MIT", OWN, COPYLEFT)],
    ids=["one's own", "a stranger's", "stated as MIT", "a package beside it"],
)
def test_only_code_of_one_s_own_terms_needs_no_header(licence, stated, reason):
    """If it fails, own code is not learned, or code of others beside it is whatever its terms."""
    assert screen(GPL, licence, (OWN, "MIT"), folder_licence=stated) == reason


def describe_adaptation(repository, work):
    plan = SimpleNamespace(
        schedule=SimpleNamespace(own_bytes=10**6), record=SimpleNamespace(heldout=())
    )
    workspace = SimpleNamespace(
        repository=repository, commit="HEAD", folder=repository, subfolder=""
    )
    values = configs._corpus_config(work, plan, workspace, (), [OWN], has_replay=False)
    return from_mapping(CorpusConfig, values, where="adaptation")


def describe_team(repository, work):
    options = argparse.Namespace(
        paths=[str(repository)], out=work, private=[], licence=["MIT"], heldout=[]
    )
    return from_mapping(CorpusConfig, describe_corpus(options), where="team")


def describe_own(repository, _work):
    folders = f"sources.folders=['{repository}']"
    return load_toml(CorpusConfig, "training/configs/corpus-own.toml", [folders])


@pytest.mark.parametrize("describe", [describe_adaptation, describe_team, describe_own])
def test_a_repository_under_the_gpl_can_be_learned_from(tmp_path, describe):
    """If it fails, ``parrotlet adapt`` and ``train`` plan its files, and then drop all of them."""
    files = {"a.py": GPL + TEXT, "b.py": GPL_TAG + TEXT, "c.py": MPL + TEXT}
    licence = "GNU GENERAL PUBLIC LICENSE\n Version 3, 29 June 2007\n"
    repository = make_repository(tmp_path / "r", {**files, "COPYING": licence})
    config = describe(repository, tmp_path)
    (source,) = list_sources(config)
    part = Part(folder=tmp_path, number=0)
    report = SourceExtractor.create(config).extract(source, part)
    assert not report.drops
    kept = [row for table in part.read_row_groups(["path", "licence"]) for row in table.to_pylist()]
    assert {row["path"] for row in kept} == files.keys()
    assert {row["licence"] for row in kept} == {OWN}
