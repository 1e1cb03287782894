"""Authors who opted out: their repositories and paths are left out, however they are named."""

import pytest

from training.corpus.config import CorpusConfig
from training.corpus.filters.exclusions import EXCLUDED, Exclusions
from training.corpus.filters.screening import Screening, ScreeningCounts
from training.corpus.readers.source_file import FileOrigin, SourceFile
from training.foundation.errors import CorpusError

LIST = """\
# opted out
https://github.com/Owner/Secret.git
git@github.com:other/tools
me/project src/private
me/project *_generated.py  # a pattern
single-package
me/site src/[slug]/page.py
me/c# src/c#/x.py # comment
me/tabs	src/x.py	# comment
github.com/Me/Plain
ssh://git@github.com/me/over-ssh.git
https://github.com:443/me/port/
sdist src/sdist/own.py
sdist /rooted
sdist-2 sdist_2-1.0/versioned.py
"""


@pytest.mark.parametrize(
    ("name", "path", "is_excluded"),
    [
        ("owner/secret", "a.py", True),
        ("Owner/Secret", "deep/a.py", True),
        ("owner/secret2", "a.py", False),
        ("Other/Tools", "a.py", True),
        ("me/project", "src/private/a.py", True),
        ("me/project", "src/privately.py", False),
        ("me/project", "lib/x_generated.py", True),
        ("me/project", "lib/x.py", False),
        ("Single_Package", "a.py", True),
        ("me/site", "src/[slug]/page.py", True),
        ("me/site", "src/s/page.py", True),
        ("me/c#", "src/c#/x.py", True),
        ("me/tabs", "src/x.py", True),
        ("me/tabs", "src/y.py", False),
        ("me/plain", "a.py", True),
        ("me/over-ssh", "a.py", True),
        ("me/port", "a.py", True),
        ("sdist", "sdist-1.0/src/sdist/own.py", True),
        ("sdist", "sdist-1.0/src/sdist/other.py", False),
        ("sdist", "sdist-1.0/rooted/a.py", True),
        ("sdist-2", "sdist_2-1.0/versioned.py", True),
    ],
)
def test_names_and_paths_are_compared_as_their_authors_mean_them(name, path, is_excluded):
    """If it fails, code of somebody who opted out is trained on."""
    found = Exclusions.parse(LIST.splitlines())
    assert found.excludes("x", name, path=path) is is_excluded


def test_an_excluded_document_is_a_counted_drop(tmp_path):
    (tmp_path / "list.txt").write_text(LIST)
    config = CorpusConfig(
        out=tmp_path, licences=("MIT",), decontaminate=(), exclude=tmp_path / "list.txt"
    )
    text = b"value = 'some text that is long enough'\n" * 8
    counts = ScreeningCounts()
    kept = []
    for name in ("owner/secret", "owner/open"):
        origin = FileOrigin(name=name, package=name, version="", licence="MIT")
        file = SourceFile(path="a.py", data=text)
        kept.append(Screening(config).screen(file, origin=origin, counts=counts) is not None)
    assert kept == [False, True]
    assert counts.drops == {EXCLUDED: 1}


def test_a_list_that_cannot_be_read_is_one_sentence(tmp_path):
    with pytest.raises(CorpusError, match=r"list of exclusions .*nowhere.* correct 'exclude'"):
        Exclusions.load(tmp_path / "nowhere")
