"""``python -m training.corpus.verify FOLDER``: checks a corpus against its report."""

import sys
from collections.abc import Sequence
from pathlib import Path

from training.foundation.extras import require_extra

if __name__ == "__main__":
    require_extra("train")  # before the imports that need it

from training.corpus.output.corpus_report import read_report
from training.corpus.output.verification import find_differences
from training.corpus_reader import SPLITS
from training.foundation.command_parser import command_parser
from training.foundation.errors import InvalidResultError, run_main


def main(argv: Sequence[str]) -> int:
    """Prints one line if data and report agree.

    Raises:
        InvalidResultError: They do not; it names every difference.
    """
    parser = command_parser(
        "training.corpus.verify",
        "Check a corpus against its report: read every document again and compare hashes, counts\n"
        "and sizes by split, package and licence. Changes nothing; exit code 4 if they differ.",
        example="{prog} runs/corpus/default",
    )
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="a corpus")
    folder = parser.parse_args(argv).folder
    report = read_report(folder)
    differences = find_differences(folder, report)
    if differences:
        raise InvalidResultError(
            f"{folder} differs from its report: {'; '.join(differences)}; build the corpus again"
        )
    totals = ", ".join(f"{split} {report.splits[split].documents} documents" for split in SPLITS)
    sys.stdout.write(f"{folder} matches its report: {totals}, SHA-256 {report.corpus_sha256}\n")
    return 0


if __name__ == "__main__":
    sys.exit(run_main(main))
