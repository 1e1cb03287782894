"""``python -m training.corpus.popularity``: fills the table of the quality rules.

Asks GitHub for the stars of repositories and PyPI's statistics for the downloads of packages, as
slowly as they want, and writes the tab-separated table that ``quality.table`` names. Answers are
kept beside it, so that the same command resumes. ``dependents`` of an older table, which neither
service knows, stay.
"""

import argparse
import csv
import io
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from training.foundation.extras import require_extra

if __name__ == "__main__":
    require_extra("train")  # before the imports that need it

from training.corpus.config import QualityConfig
from training.corpus.popularity import github_stars, package_downloads
from training.corpus.popularity.fact_cache import FactCache
from training.corpus.popularity.json_service import JsonService
from training.corpus.quality import NUMBERS, QualityRules
from training.corpus.readers.package_names import normalize_name
from training.corpus_reader import SPLITS, list_row_groups, read_documents
from training.foundation.atomic_files import write_text_atomically
from training.foundation.command_parser import command_parser, whole_number
from training.foundation.errors import ConfigError, CorpusError, run_main
from training.foundation.folder_lock import folder_lock
from training.foundation.foreign_text import read_bounded
from training.foundation.progress import progress_bar

TOKEN_VARIABLE = "GITHUB_TOKEN"  # noqa: S105 - its name
_HEAD = b"package\t"
STARS, DOWNLOADS = "stars", "downloads"
_MAX_LIST_BYTES = 256 << 20
Ask = Callable[[JsonService, Sequence[str]], Iterator[dict[str, float | None]]]


def main(argv: Sequence[str]) -> int:
    """Asks for what is not known yet and writes the table."""
    arguments = _parser().parse_args(argv)
    names = {normalize_name(name): name for name in _list_names(arguments)}
    if not names:
        raise ConfigError("no names of packages are given; name some, --names or --corpus")
    written = sorted(names.values())  # as they are: GitHub distinguishes "-" and "_"
    repositories = [name for name in written if github_stars.REPOSITORY.fullmatch(name)]
    packages = sorted(name for name in names if "/" not in name)
    out: Path = arguments.out
    cache = FactCache(out.with_name(f"{out.name}.cache.jsonl"), max_age_days=arguments.max_age)
    with folder_lock(out, beside=True):
        max_wait_s = float(arguments.max_wait)
        token = os.environ.get(TOKEN_VARIABLE) or None
        github = JsonService(arguments.github_url, max_wait_s=max_wait_s, token=token)
        _ask_all(cache, STARS, github, repositories, github_stars.iterate_stars)
        statistics = JsonService(arguments.statistics_url, max_wait_s=max_wait_s)
        _ask_all(cache, DOWNLOADS, statistics, packages, package_downloads.iterate_downloads)
        n_known = _write_table(out, names, cache)
    sys.stdout.write(f"{out}: facts about {n_known} of {len(names)} names (quality.table)\n")
    return 0


def _list_names(arguments: argparse.Namespace) -> Iterator[str]:
    yield from arguments.name
    if arguments.names is not None:
        try:
            text = read_bounded(arguments.names, _MAX_LIST_BYTES).decode("utf-8-sig")
        except (OSError, ValueError) as error:
            raise ConfigError(
                f"cannot read {arguments.names} ({error}); it needs a name in each line"
            ) from error
        yield from filter(None, (line.partition("#")[0].strip() for line in text.splitlines()))
    for split in SPLITS if arguments.corpus is not None else ():
        for group in list_row_groups(arguments.corpus, split):
            yield from {document.package for document in read_documents(group, ["package"])}


def _ask_all(
    cache: FactCache, kind: str, service: JsonService, names: Sequence[str], ask: Ask
) -> None:
    missing = [name for name in names if not cache.is_known(kind, name)]
    with progress_bar(len(names), kind, "name", initial=len(names) - len(missing)) as bar:
        for facts in ask(service, missing):
            cache.add(kind, facts)
            bar.update(len(facts))


def _write_table(out: Path, names: Mapping[str, str], cache: FactCache) -> int:
    """Writes a row for each name with a fact; returns how many.

    Args:
        out: The table.
        names: Normalized names, and how they were written.
        cache: The facts; those of packages by the former, those of repositories by the latter.
    """
    earlier = _read_earlier(out)
    text = io.StringIO()
    writer = csv.writer(text, delimiter="\t", lineterminator="\n")
    writer.writerow(["package", *NUMBERS])
    n_known = 0
    for name in sorted({*names, *earlier}):
        facts = dict(earlier.get(name, {}))
        written = names.get(name, name)
        for kind, key in ((STARS, written), (DOWNLOADS, name)):
            if cache.is_known(kind, key):
                facts.pop(kind, None)
            value = cache.find(kind, key)
            if value is not None:
                facts[kind] = value
        if facts:
            writer.writerow([written, *(f"{facts[n]:.0f}" if n in facts else "" for n in NUMBERS)])
            n_known += 1
    write_text_atomically(out, text.getvalue())
    return n_known


def _read_earlier(out: Path) -> dict[str, dict[str, float]]:
    """Returns the facts of an older table, if there is one.

    Raises:
        CorpusError: The file is something else, which is not replaced.
    """
    if not out.exists():
        return {}
    with out.open("rb") as file:
        head = file.read(len(_HEAD))
    if head != _HEAD:
        raise CorpusError(
            f"{out} is not a table of ours: its first column is not 'package'; choose another --out"
        )
    table = QualityRules.load(QualityConfig(table=out)).table
    return {name: dict(facts) for name, facts in table.items()}


def _parser() -> argparse.ArgumentParser:
    parser = command_parser(
        "training.corpus.popularity",
        "Look up how well known packages are: the stars of repositories (OWNER/NAME) on GitHub,\n"
        "and the downloads of packages from PyPI. Writes the table that quality.table names. With\n"
        "GITHUB_TOKEN set, GitHub answers for a hundred repositories at once. Run it again to\n"
        "resume.",
        example="{prog} --corpus runs/corpus/team --out popularity.tsv\n"
        "{prog} django/django numpy --out popularity.tsv",
    )
    parser.add_argument("name", nargs="*", metavar="NAME", help="OWNER/NAME, or a package")
    parser.add_argument(
        "--names", type=Path, metavar="FILE", help="a file with a name in each line"
    )
    parser.add_argument(
        "--corpus", type=Path, metavar="FOLDER", help="a corpus whose packages to look up"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="the table")
    parser.add_argument(
        "--max-wait",
        type=whole_number(0, 1_000_000),
        default=3600,
        metavar="SECONDS",
        help="wait at most so long for a rate limit (default: %(default)s)",
    )
    parser.add_argument(
        "--max-age",
        type=whole_number(0, 100_000),
        default=30,
        metavar="DAYS",
        help="ask again for answers that are older (default: %(default)s)",
    )
    parser.add_argument("--github-url", default=github_stars.URL, metavar="URL", help="GitHub's")
    parser.add_argument(
        "--statistics-url", default=package_downloads.URL, metavar="URL", help="PyPI Stats'"
    )
    return parser


if __name__ == "__main__":
    sys.exit(run_main(main))
