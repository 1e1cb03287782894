"""One file through all stages: the first reason counts, and only kept documents count as such."""

import pytest
from planted import UPPER, draw

from training.corpus.config import CorpusConfig, FilterConfig
from training.corpus.filters.screening import Screening, ScreeningCounts
from training.corpus.readers.source_file import FileOrigin, SourceFile

CODE = "import os\n\n\ndef main(path):\n    value = os.path.exists(path)\n    return value\n" * 5
SECRET = f"AKIA{draw(0, UPPER, 16)}"
TELEGRAM = f"{10**9}:AA{draw(0, UPPER, 33)}"  # in a dict, valid code that a placeholder breaks
STRICT = FilterConfig(drop_copied=True, drop_unparsable=True)


def screen(text=CODE, path="a.py", problem=None, licence="MIT", package="p", source="", **config):
    """Returns what is kept of a file, and the counts."""
    config.setdefault("decontaminate", ())
    settings = CorpusConfig(out="x", licences=("MIT",), **config)
    data = text if isinstance(text, bytes) else text.encode()
    file = SourceFile(path=path, data=b"" if problem else data, problem=problem)
    counts = ScreeningCounts()
    origin = FileOrigin(name=source or package, package=package, version="", licence=licence)
    kept = Screening(settings).screen(file, origin=origin, counts=counts)
    assert counts.n_files == 1
    assert (kept is None) == (counts.drops.total() == 1)
    return kept, counts


def test_a_good_file_is_kept_as_it_is():
    kept, counts = screen()
    assert kept == CODE
    assert counts.n_bytes == len(CODE)
    assert not counts.redactions
    assert counts.unparsable == 0


STAGES = [  # each case would also be dropped by every later one
    ("vendored", {"path": "vendor/six.py", "problem": "too large"}),
    ("too large", {"path": "six.py", "problem": "too large"}),
    ("copied module", {"path": "six.py", "text": b"\xff"}),
    ("not UTF-8", {"text": CODE.encode() + b"\xff# " + b"x" * 2000}),
    ("long line", {"text": CODE + "# " + "x" * 2000 + "\n# ply: lex.py\n"}),
    ("copied module", {"text": "# ply: lex.py\n" + CODE, "licence": "GPL-3.0-only"}),
    ("licence", {"text": CODE + "def f(:\n", "licence": "GPL-3.0-only"}),
    ("secret outside strings", {"text": CODE + f"x = {{1: 2, {TELEGRAM}}}\n"}),
    ("does not parse", {"text": CODE + "def f(:\n"}),
]


@pytest.mark.parametrize(("reason", "case"), STAGES, ids=[reason for reason, _ in STAGES])
def test_a_file_is_counted_under_the_first_reason(reason, case):
    """If it fails, the report gives other reasons than before, and no number compares."""
    kept, counts = screen(**case, filters=STRICT)
    assert kept is None
    assert counts.drops == {reason: 1}
    assert counts.examples == {reason: [case.get("path", "a.py")]}


def test_what_does_not_parse_is_kept_and_counted_unless_configured():
    kept, counts = screen(CODE + "def f(:\n")
    assert kept.endswith("def f(:\n")
    assert counts.unparsable == 1
    assert not counts.drops


def test_a_redaction_is_counted_only_in_what_is_kept():
    """If it fails, the report counts secrets in files that nobody trains on."""
    text = CODE + f"key = '{SECRET}'\n"
    kept, counts = screen(text)
    assert SECRET not in kept
    assert counts.redactions == {"AWS key": 1}
    _, counts = screen(text + "def f(:\n", filters=STRICT)
    assert not counts.redactions


def test_a_held_out_package_keeps_files_that_are_not_its_own_work():
    """If it fails, a model is measured on other text than its predecessors."""
    assert screen(path="six.py", filters=STRICT)[0] is None
    assert screen(path="six.py", filters=STRICT, package="Held_Out", heldout=("held-out",))[0]
    assert screen(path="vendor/a.py", package="held-out", heldout=("held-out",))[0] is None
    for names in ({"package": "Held_Out", "source": "x"}, {"package": "x", "source": "Held_Out"}):
        assert screen(path="six.py", filters=STRICT, heldout=("held-out",), **names)[0]


def test_only_the_first_paths_are_kept_as_examples():
    counts = ScreeningCounts()
    for i in range(9):
        counts.add_drop("too small", f"{i}.py")
    assert counts.drops == {"too small": 9}
    assert counts.examples == {"too small": [f"{i}.py" for i in range(5)]}
