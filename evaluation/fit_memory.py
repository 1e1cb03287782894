"""The command that teaches a model to use a workspace: ``python -m evaluation.fit_memory``."""

import argparse
import json
import sys
from collections.abc import Sequence

from tqdm import tqdm

from training.foundation.extras import require_extra

if __name__ == "__main__":
    require_extra("evaluate")  # before the imports that need it

from evaluation.accuracy.items import cut_items
from evaluation.accuracy.workspaces import Workspaces
from evaluation.memory.gate_examples import GateExample, collect_examples
from evaluation.memory.gate_fit import GateLoss, fit_gate, measure_gate
from evaluation.runs.arguments import (
    add_corpus_argument,
    add_model_argument,
    add_sampling_arguments,
)
from evaluation.runs.corpus_documents import CorpusDocument, read_documents
from server.backends.local_model import LocalModel
from server.settings import Settings
from server.workspace.sources.source_files import find_sources
from training.artifact.directory import Artifact, add_file, load_artifact
from training.artifact.manifest import MEMORY_FILE
from training.foundation.command_parser import command_parser
from training.foundation.errors import ConfigError, run_main
from training.foundation.folder_lock import folder_lock

_MIN_PACKAGES, _MIN_FILES = 2, 8
_CHECKED_SHARE = 5  # one package in so many only checks the fit
_PURPOSE = """\
Fit how far a model trusts the workspace's other files, and save it in the model: a
gate that weighs the model's own probabilities against what followed the same tokens
elsewhere in the package. Each package is the workspace in turn. Packages that the
model was trained on are left out, as far as its attribution index names them."""
_EXAMPLE = """\
{prog} --model runs/debug/run/model --corpus runs/corpus/debug --dry-run
{prog} --model runs/default/run/model --corpus runs/corpus/other --split train --n 1500"""


def main(argv: Sequence[str]) -> int:
    """Fits the gate, prints the loss with and without it, and saves it in the model.

    Raises:
        ConfigError: There are too few packages, or too few of them have places.
    """
    options = _parser().parse_args(argv)
    artifact = load_artifact(options.model)
    documents = _choose_documents(options, artifact)
    examples = _collect(options, artifact, documents)
    checked = _choose_checked(documents)
    learnt = [example for example in examples if example.package not in checked]
    rest = [example for example in examples if example.package in checked]
    if not learnt or not rest:
        raise ConfigError(
            f"{options.corpus}: all places are in packages that only check the fit, or none is;"
            " raise --n, or choose another --corpus or --split"
        )
    loss = measure_gate(fit_gate(learnt, seed=options.seed), rest)
    sys.stdout.write(_format_loss(loss, len(checked)))
    if options.dry_run:
        return 0
    gate = fit_gate(examples, seed=options.seed)
    with folder_lock(artifact.path):
        add_file(artifact.path, MEMORY_FILE, json.dumps(gate.to_json()).encode())
    sys.stdout.write(f"gate of {len(examples)} tokens saved in {artifact.path}\n")
    return 0


def _choose_documents(options: argparse.Namespace, artifact: Artifact) -> list[CorpusDocument]:
    """Returns the documents of packages that can be workspaces.

    Raises:
        ConfigError: There are too few.
    """
    known = frozenset() if artifact.verbatim is None else artifact.verbatim.packages
    packages: dict[str, list[CorpusDocument]] = {}
    for document in read_documents(options.corpus, options.split):
        if document.package not in known:
            packages.setdefault(document.package, []).append(document)
    packages = {name: found for name, found in packages.items() if len(found) >= _MIN_FILES}
    if len(packages) < _MIN_PACKAGES:
        raise ConfigError(
            f"{options.corpus} has {len(packages)} packages of {_MIN_FILES} files that the model"
            f" was not trained on, at least {_MIN_PACKAGES} are needed; choose another --corpus or"
            " --split"
        )
    return [document for name in sorted(packages) for document in packages[name]]


def _choose_checked(documents: Sequence[CorpusDocument]) -> set[str]:
    names = sorted({document.package for document in documents})
    return set(names[::_CHECKED_SHARE])


def _collect(
    options: argparse.Namespace, artifact: Artifact, documents: Sequence[CorpusDocument]
) -> list[GateExample]:
    settings = Settings()
    model = LocalModel(artifact, settings.engine)
    items = cut_items(documents, ("mid", "start"), n=options.n, seed=options.seed)
    items.sort(key=lambda item: item.package)
    examples: list[GateExample] = []
    with Workspaces(
        documents, lambda root: model.index_files(find_sources([root], settings.private_globs))
    ) as workspaces:
        found = collect_examples(model, workspaces, items)
        for of_place in tqdm(found, "places", len(items), unit="place", file=sys.stderr):
            examples += of_place
    return examples


def _format_loss(loss: GateLoss, n_packages: int) -> str:
    packages = "1 package that was" if n_packages == 1 else f"{n_packages} packages that were"
    return (
        f"{packages} not fitted, {loss.n_tokens} tokens: {loss.alone:.3f} nats a token without the"
        f" workspace, {loss.mixed:.3f} with it\n"
    )


def _parser() -> argparse.ArgumentParser:
    parser = command_parser("evaluation.fit_memory", _PURPOSE, example=_EXAMPLE)
    add_model_argument(parser)
    add_corpus_argument(parser, "the corpus whose packages are the workspaces")
    parser.add_argument(
        "--split",
        choices=["heldout", "train"],
        default="heldout",
        help="which of its packages (default: %(default)s)",
    )
    about = "places in lines, and as many at their beginnings, to take from the packages"
    add_sampling_arguments(parser, 750, about, "choosing places")
    parser.add_argument(
        "--dry-run", action="store_true", help="print the losses without changing the model"
    )
    return parser


if __name__ == "__main__":
    sys.exit(run_main(main))
