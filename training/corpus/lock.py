"""``python -m training.corpus.lock PACKAGES.toml CONFIG.toml``: pins a list of packages.

The list names packages by kind and states how they were chosen. The lock is written after every
package, so an interrupted run resumes; packages in the lock stay as they are unless ``--upgrade``
is given.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from training.foundation.extras import require_extra

if __name__ == "__main__":
    require_extra("train")  # before the imports that need it

from training.corpus.config import CorpusConfig
from training.corpus.fetching.lock_resolver import PackageList, update_lock
from training.foundation.command_parser import program_name
from training.foundation.config_schema import load_toml
from training.foundation.errors import ConfigError, run_main


def main(argv: Sequence[str]) -> int:
    """Updates the config's lock from the list."""
    arguments = _parser().parse_args(argv)
    wanted = load_toml(PackageList, arguments.packages)
    config = load_toml(CorpusConfig, arguments.config)
    if config.sources.lock is None:
        raise ConfigError(f"{arguments.config} has no sources.lock; set it to the file to write")
    update = update_lock(config.sources.lock, wanted, config, upgrade=arguments.upgrade)
    for name, reason in update.left_out.items():
        sys.stdout.write(f"left out: {name}: {reason}\n")
    sys.stdout.write(f"{config.sources.lock}: {update.n_packages} packages\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=program_name("training.corpus.lock"),
        description="Pin the packages of a corpus: resolve a list of names to versions and hashes.",
        epilog="Example: parrotlet lock-corpus training/configs/corpus-wide-packages.toml"
        " training/configs/corpus-wide.toml",
    )
    parser.add_argument(
        "packages", type=Path, metavar="PACKAGES.toml", help="the list of packages, by kind"
    )
    parser.add_argument(
        "config",
        type=Path,
        metavar="CONFIG.toml",
        help="the corpus config: names the lock to write and the allowed licences",
    )
    parser.add_argument(
        "--upgrade",
        action="store_true",
        help="look for newer releases of packages that are already locked",
    )
    return parser


if __name__ == "__main__":
    sys.exit(run_main(main))
