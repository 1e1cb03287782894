"""The command that measures whether suggestions fit: ``python -m evaluation.fit``."""

import sys
from collections.abc import Sequence

from training.foundation.extras import require_extra

if __name__ == "__main__":
    require_extra("evaluate")  # before the imports that need it

from evaluation.insertions.fit_run import run_fit
from training.foundation.errors import run_main


def main(argv: Sequence[str]) -> int:
    """Measures a model and prints the table."""
    run_fit(argv)
    return 0


if __name__ == "__main__":
    sys.exit(run_main(main))
