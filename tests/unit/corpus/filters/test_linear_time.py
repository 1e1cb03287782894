"""No stage that sees foreign text takes more time than its size warrants.

Each is given long runs of one fragment: of every class of characters, and of beginnings of what its
patterns look for. What takes noticeable time is given four times as much, and may take eight times
as long: four would be linear, sixteen quadratic.
"""

import random
import signal
import time
from contextlib import contextmanager

import pytest
from fuzzing import FUZZ_SECONDS

from server.workspace.sources.secret_shapes import without_secrets
from training.corpus.config import BalanceConfig, FilterConfig, SecretsConfig
from training.corpus.dedup.exact_duplicates import hash_content
from training.corpus.dedup.near_duplicates import compute_sketches
from training.corpus.filters.ast_fingerprint import parse_python
from training.corpus.filters.benchmark_problems import BenchmarkProblem
from training.corpus.filters.contamination import ContaminationFilter
from training.corpus.filters.path_filters import check_path, is_vendored
from training.corpus.filters.sampling_weights import compute_weight
from training.corpus.filters.table_filter import is_table
from training.corpus.filters.text_filters import check_header, check_origin, check_text, decode
from training.corpus.readers.package_metadata import parse_metadata, parse_pyproject
from training.corpus.secrets import redact
from training.licensing.licences import detect_licence, find_disallowed, normalize_licence

FILTERS = FilterConfig(
    max_bytes=10**9,
    max_line_chars=10**9,
    drop_copied=True,
    drop_generated_clients=True,
    drop_locale_data=True,
    max_table_share=0.5,
)
WEIGHTS = BalanceConfig(few_assignments_weight=0.5, test_weight=0.5)
PROGRAM = "def f(a, b):\n    c = a + b\n    for i in range(3):\n        c += i * a\n    return c\n"
PROBLEMS = ContaminationFilter(
    [BenchmarkProblem(texts=("one two three four five six seven eight",), program=PROGRAM)],
    min_words=1,
    min_nodes=5,
)
# Opens every detector that looks for a literal first.
LITERALS = (
    "_authToken T3BlbkFJ -us xox hooks.slack.com discord eyJ PRIVATE KEY :// sk- aws AKIA"
    " pypi-AgE SG. sq0csp k_live_ AC SK glpat ghp_ github_pat_ hf_ npm_ :AA AccountKey=\n"
)


def check_syntax(text):
    tree = parse_python(text)
    PROBLEMS.check(text, tree)
    return tree is not None and is_table(tree, text, 0.5)


STAGES = {
    "bytes": lambda text: decode(text.encode(), FILTERS),
    "text": lambda text: (
        check_text(text, FILTERS),
        check_header(text, frozenset(), frozenset({"MIT"})),
    ),
    "origin": lambda text: check_origin(text, FILTERS),
    "weight": lambda text: compute_weight("a.py", text, WEIGHTS),
    "path": lambda text: (is_vendored(text), check_path(text, "p", FILTERS)),
    "folders": lambda text: compute_weight(text.replace("\n", "/"), "", WEIGHTS),
    "secrets": lambda text: redact(LITERALS + text, SecretsConfig()),
    "lines with secrets": without_secrets,
    "syntax": check_syntax,
    "exact duplicates": hash_content,
    "near duplicates": lambda text: compute_sketches([text]),
    "licence text": detect_licence,
    "licence": lambda text: (normalize_licence(text), find_disallowed(text, frozenset({"MIT"}))),
    "metadata": lambda text: parse_metadata(text, text),
    "name": lambda text: parse_metadata("Name: " + text, ""),
    "pyproject": lambda text: parse_pyproject(text, text),
}
FRAGMENTS = [
    *("\n", " ", "\t", "a", "0", "_", "-", ".", "=", ":", "'", '"', '"""', "\\", "\\\n", "#"),
    *("(", "[", "{", "}", "@", "%", "/", "//", "~", "!", "$", "`", ",", "é", "İ", "\u2028", "\x0c"),
    *("eyJ", "eyJ-", "eyJa.", "sk-", "sk-T3BlbkFJ", "//.+", "//a/:_authToken=", "/:_authToken=\n"),
    *("token", "token:", "token = ", "token='", "secret\n", "passw: a ", "api_key]"),
    *("token: a[b, ", "token: a | b", "token=(", 'get("token", ', "token=u'$a", "secret='%(", "$A"),
    *("a@", "@a-", "@a.", "@b.co", '"aa@b.co"\n', "8.8.8.8 ", '"8.8.8.8"\n', "1:", "1:2:3::4 "),
    *("://", "://a:", "-----BEGIN PRIVATE KEY-----", "-----BEGIN A ", "-----END A "),
    *("aws", "awskey'", "glagent-", "xoxb-1-", "1-", "ghp_", "hf_", "-us1", "SG."),
    *("Apache License ", "Apache License\n", "MIT AND ", "MIT OR (", "(MIT", "MIT) ", "GPL WITH "),
    *("GNU ", "GNU\n# ", "Mozilla\n", "Permission is hereby granted, "),
    *("GNU General Public", "SPDX-License-Identifier:", "Name: a\n", "License: MIT\n", " more\n"),
    *("generated ", "# generated\n", "do not edit ", "    openapi_types ", "_test/", "en_US/"),
    *(
        "if a:\n ",
        "x=1\n",
        " =1\n",
        "f(",
        "f'{",
        "lambda:",
        "not ",
        "a if b else ",
        "a.b",
        "0x",
        "1_",
    ),
    *(
        "elif a: pass\n",
        "{a:",
        "x = [1, 2]\n",
        "def f(a): return a\n",
        "a.",
        "[a]\n",
        "a = [",
        '"\\"',
    ),
]
N_CHARS = 8_000
NOTICEABLE_S = 0.01
MAX_RATIO = 8
MIN_BYTES_PER_S = 50_000


@contextmanager
def stop_after(seconds):
    """Ends what would go on for hours; regular expressions look for signals."""

    def fail(*_):
        raise AssertionError(f"not finished after {seconds} s")

    before = signal.signal(signal.SIGALRM, fail)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def measure_s(stage, unit, n_chars):
    """The least time of a few runs: a machine in use delays some."""
    text = (unit * (n_chars // len(unit) + 1))[:n_chars]
    best = float("inf")
    with stop_after(20):
        for _ in range(3):
            start = time.process_time()
            stage(text)
            best = min(best, time.process_time() - start)
            if best < NOTICEABLE_S:
                break
    return best


def find_slow(stage, units):
    slow = []
    for unit in units:
        seconds = measure_s(stage, unit, N_CHARS)
        if seconds >= NOTICEABLE_S:
            longer = measure_s(stage, unit, 4 * N_CHARS)
            if longer > MAX_RATIO * seconds or 4 * N_CHARS / longer < MIN_BYTES_PER_S:
                slow.append((unit, seconds, longer))
    return slow


@pytest.mark.parametrize("name", STAGES)
def test_time_is_linear_in_the_size(name):
    """If it fails, one file of a stranger keeps a corpus, or a user's server, busy for hours."""
    assert find_slow(STAGES[name], FRAGMENTS) == []


def test_fuzz_time_is_linear_for_mixed_fragments():
    chance = random.Random(0)
    deadline = time.monotonic() + FUZZ_SECONDS
    while time.monotonic() < deadline:
        unit = "".join(chance.choices(FRAGMENTS, k=chance.randint(2, 4)))
        name = chance.choice(list(STAGES))
        assert find_slow(STAGES[name], [unit]) == [], name


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("weight", "\n" * 135_000),
        ("weight", "\n" * 90_000 + ("#" + "a" * 98 + "\n") * 450),
        ("weight", " " * 135_000 + "x"),
        ("secrets", '"aa@b.co"\n' * 40_000),
        ("secrets", '"8.8.8.8"\n' * 20_000),
    ],
)
def test_what_took_a_minute(name, text):
    with stop_after(10):
        STAGES[name](text)
