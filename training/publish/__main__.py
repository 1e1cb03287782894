"""``python -m training.publish``: uploads models, tokenizers and corpora to the Hugging Face Hub.

Repositories are private unless ``--public`` is given. An interrupted command resumes when it is run
again: files that the Hub already has are not sent twice.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from training.foundation.extras import require_extra

if __name__ == "__main__":
    require_extra("train")  # before the imports that need it

from training.artifact.directory import (
    TOKENIZER_CONFIG_FILE,
    TOKENIZER_FILE,
    WEIGHTS_FILE,
    load_artifact,
)
from training.command_line import add_config_arguments, find_config
from training.config import RunConfig, check_repo_name
from training.foundation.command_parser import command_parser
from training.foundation.config_schema import load_toml
from training.foundation.errors import ConfigError, PrerequisiteError, run_main
from training.publish.corpus_datasets import plan_splits, publish_split
from training.publish.hub import Hub
from training.publish.outbox import Outbox
from training.publish.publishable_files import link_artifact, list_artifact_files
from training.publish.sender import retry, send_all
from training.publish.starting_models import write_fresh_model, write_tokenizer
from training.run.checkpoint import is_state_file


def main(argv: Sequence[str]) -> int:
    """Publishes a model, a tokenizer, a corpus or a run's queue, or merges a branch."""
    arguments = _parser().parse_args(argv)
    if arguments.command == "run":
        publish_run(arguments.run)
        return 0
    try:
        check_repo_name(arguments.repo)
    except ValueError as error:
        raise ConfigError(f"--repo: {error}") from error
    if arguments.command == "merge":
        merge_branch(arguments.repo, arguments.branch)
        return 0
    is_private = not arguments.public
    if arguments.command == "model":
        publish_model(arguments.artifact, arguments.repo, private=is_private)
    elif arguments.command == "tokenizer":
        publish_tokenizer(arguments.tokenizer, arguments.repo, private=is_private)
    elif arguments.command == "fresh-model":
        config = load_toml(RunConfig, find_config(arguments.config), arguments.overrides)
        publish_fresh_model(config, arguments.overrides, arguments.repo, private=is_private)
    else:
        publish_corpus(arguments.corpus, arguments.repo, private=is_private)
    return 0


def publish_model(path: Path, repo: str, *, private: bool) -> None:
    """Publishes an artifact, or a run's finished one, on main: the tokenizer first."""
    folder = path / "model" if (path / "model").is_dir() else path
    folder = load_artifact(folder).path  # refuses a damaged one
    hub = Hub(repo, shows_progress=True)
    url = retry(lambda: hub.create(private=private))
    with tempfile.TemporaryDirectory() as aside:
        link_artifact(folder, Path(aside))
        files = list_artifact_files(Path(aside))
        tokenizer = {n: f for n, f in files.items() if n in {TOKENIZER_FILE, TOKENIZER_CONFIG_FILE}}
        if WEIGHTS_FILE not in retry(hub.list_files):
            retry(lambda: hub.commit(tokenizer, message="Tokenizer"))
        retry(lambda: hub.commit(files, message="Model"))
    _print(url)


def publish_tokenizer(source: Path, repo: str, *, private: bool) -> None:
    """Publishes a tokenizer alone on main."""
    with tempfile.TemporaryDirectory() as aside:
        write_tokenizer(source, repo, Path(aside))
        _commit_folder(Path(aside), repo, "Tokenizer", private=private)


def publish_fresh_model(
    config: RunConfig, overrides: Sequence[str], repo: str, *, private: bool
) -> None:
    """Publishes a model with fresh weights on main, to start training from."""
    with tempfile.TemporaryDirectory() as aside:
        fresh, published = Path(aside, "fresh"), Path(aside, "published")
        write_fresh_model(config, overrides, repo, fresh)
        published.mkdir()
        link_artifact(fresh, published)
        _commit_folder(published, repo, "Fresh weights", private=private)


def merge_branch(repo: str, branch: str) -> None:
    """Brings the model of a run's branch to main; training state stays on the branch."""
    hub = Hub(repo, shows_progress=True)
    retry(lambda: hub.merge(branch, excludes=is_state_file))
    _print(f"main of {repo} has the model of {branch}")


def _commit_folder(folder: Path, repo: str, message: str, *, private: bool) -> None:
    hub = Hub(repo, shows_progress=True)
    url = retry(lambda: hub.create(private=private))
    files = {path.name: path for path in sorted(folder.iterdir())}
    retry(lambda: hub.commit(files, message=message))
    _print(url)


def publish_run(run: Path) -> None:
    """Sends what is queued in a run's outbox."""
    outbox = Outbox(run)
    target = outbox.target()
    if target is None:
        raise PrerequisiteError(
            f"{run} has no outbox: it was trained without publish.repo; publish its model with:"
            f" parrotlet publish model {run} --repo OWNER/NAME"
        )
    with outbox.lock():
        hub = Hub(target.repo, shows_progress=True)
        send_all(outbox, hub, target, on_sent=lambda commit: _print(commit.title))
    _print(f"everything queued was sent to {target.repo}, branch {target.branch}")


def publish_corpus(corpus: Path, repo: str, *, private: bool) -> None:
    """Publishes the train and the validation dataset of a corpus."""
    for split in plan_splits(corpus, repo):
        url = publish_split(split, private=private)
        _print(f"{url}: {len(split.files)} files, split {split.name}")


def _print(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _parser() -> argparse.ArgumentParser:
    parser = command_parser(
        "training.publish",
        "Upload to the Hugging Face Hub: a model, trained or fresh, a tokenizer, a corpus, or what"
        " a run has queued; or merge a run's branch."
        " Repositories are private unless --public is given. Log in first: hf auth login, or set"
        " HF_TOKEN.",
        example="{prog} model runs/default/run --repo me/parrotlet\n"
        "{prog} corpus runs/corpus/default --repo me/corpus --public\n"
        "{prog} tokenizer runs/default/tokenizer --repo me/tokenizer\n"
        "{prog} fresh-model training/configs/small.toml --repo me/small\n"
        "{prog} merge default-20260101-abcdef --repo me/parrotlet\n"
        "{prog} run runs/default/run",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    model = commands.add_parser("model", help="upload a model folder, or a run's finished model")
    model.add_argument("artifact", type=Path, metavar="MODEL", help="a model folder, or a run")
    tokenizer = commands.add_parser("tokenizer", help="upload a tokenizer alone")
    tokenizer.add_argument(
        "tokenizer", type=Path, metavar="TOKENIZER", help="its folder, a model, or tokenizer.json"
    )
    fresh = commands.add_parser("fresh-model", help="upload untrained weights to start from")
    add_config_arguments(fresh, "training/config.py")
    run = commands.add_parser("run", help="send what is queued in a run's outbox")
    run.add_argument("run", type=Path, metavar="RUN", help="the folder of a run (paths.run)")
    merge = commands.add_parser("merge", help="bring the model of a run's branch to main")
    merge.add_argument("branch", metavar="BRANCH", help="the branch")
    corpus = commands.add_parser(
        "corpus", help="upload a corpus as OWNER/NAME-train and OWNER/NAME-valid"
    )
    corpus.add_argument("corpus", type=Path, metavar="CORPUS", help="a corpus folder")
    for command in (model, tokenizer, fresh, merge, corpus):
        command.add_argument(
            "--repo", required=True, metavar="OWNER/NAME", help="the repository on the Hub"
        )
    for command in (model, tokenizer, fresh, corpus):
        command.add_argument("--public", action="store_true", help="make the repository public")
    return parser


if __name__ == "__main__":
    sys.exit(run_main(main))
