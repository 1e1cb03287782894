"""What to put before the text in the model's window: nothing, the file's path, or excerpts.

Run: ``python tests/benchmarks/evaluation/window_contexts.py MODEL... --corpus FOLDER --n 200``.

Places within lines, before lines and before blocks of held-out files, laid out as the server does,
with four files of the same folder open. Prints the nats of the rest of the line (of a block, its
first line), how they differ from those of the first model with nothing before the text (with a
standard error), and how often greedy decoding finds it.
"""

import argparse
import math
import random
import statistics
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from evaluation.accuracy.items import Item, cut_items
from evaluation.runs.corpus_documents import CorpusDocument, read_documents
from evaluation.runs.package_files import PackageFolders, write_documents
from server.backends.context_budget import window_between
from server.backends.local_model import LocalModel
from server.prompt.layout import PromptBuilder
from server.settings import EngineSettings
from server.workspace.collector import WorkspaceCollector
from training.artifact.directory import load_artifact
from training.artifact.network.gpt2 import GPT2

KINDS = ("mid", "start", "block")
BUDGET_TOKENS = 256
MAX_TARGET_TOKENS = 64
OPEN_FILES = 4


@dataclass(frozen=True)
class Place:
    """A place with the prompt and target for each context: ids, and how many precede the target."""

    kind: str
    prompts: dict[str, tuple[list[int], int]]


@dataclass(frozen=True)
class Answer:
    """What a model makes of a place."""

    nats: float
    is_right: bool


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("models", type=Path, nargs="+")
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--n", type=int, default=200)
    options = parser.parse_args()
    documents = list(read_documents(options.corpus, "heldout"))
    with PackageFolders(documents) as folders:
        places = list(read_places(options.models[0], folders, options.n))
    first: list[Answer] | None = None
    for path in options.models:
        model = load_artifact(path).model()
        for context in places[0].prompts:
            answers = [answer(model, *place.prompts[context]) for place in places]
            first = first or answers
            print(f"{path} {context}: {describe(places, answers, first)}", flush=True)


def read_places(model: Path, folders: PackageFolders, n: int) -> Iterator[Place]:
    artifact = load_artifact(model)
    local, builder = LocalModel(artifact, EngineSettings()), PromptBuilder(artifact, heal_tokens=4)
    collectors = {}
    for package, documents in folders.packages.items():
        write_documents(folders.folder / package, documents)
        collectors[package] = WorkspaceCollector([folders.folder / package], [])
    everything = [one for documents in folders.packages.values() for one in documents]
    for item in cut_items(everything, KINDS, n=n, seed=3):
        window = window_between(item.prefix, item.suffix, MAX_TARGET_TOKENS + BUDGET_TOKENS, local)
        path = f"# {item.path.partition('/')[2] or item.path}\n"
        excerpts = excerpt(item, collectors[item.package], folders, local)
        contexts = {"nothing": "", "path": path, "excerpts": excerpts, "both": path + excerpts}
        yield Place(
            item.kind,
            {
                name: builder.build_with_target(
                    replace(window, context=text), item.target.partition("\n")[0], max_tokens=1000
                )
                for name, text in contexts.items()
            },
        )


def excerpt(
    item: Item, collector: WorkspaceCollector, folders: PackageFolders, local: LocalModel
) -> str:
    """Returns what the server puts before the text of a place."""
    root = folders.folder / item.package
    others = [one for one in folders.packages[item.package] if one.path != item.path]
    near = [one for one in others if Path(one.path).parent == Path(item.path).parent] or others
    opened = random.Random(item.id).sample(near, min(OPEN_FILES, len(near)))

    def uri(document: CorpusDocument | Item) -> str:
        return (root / document.path).as_uri()

    texts = {uri(one): one.text for one in opened}
    text = item.prefix + item.suffix
    found = collector.collect(uri(item), text, len(item.prefix), texts)
    return found.context(BUDGET_TOKENS, local.count_tokens)


def answer(model: GPT2, ids: list[int], n_before: int) -> Answer:
    row = torch.tensor([ids])
    with torch.no_grad():
        hidden = model.compute_hidden(row[:, :-1])[0, n_before - 1 :]
        chances = model.logits(hidden).float().log_softmax(-1)  # [T, V]
    target = row[0, n_before:]
    nats = -float(chances.gather(1, target[:, None]).sum())
    return Answer(nats, bool((chances.argmax(-1) == target).all()))


def describe(places: list[Place], answers: list[Answer], first: list[Answer]) -> str:
    parts = []
    for kind in (*KINDS, "all"):
        at = [i for i, place in enumerate(places) if kind in {place.kind, "all"}]
        changes = [answers[i].nats - first[i].nats for i in at]
        error = statistics.stdev(changes) / math.sqrt(len(at))
        nats = statistics.mean(answers[i].nats for i in at)
        right = statistics.mean(answers[i].is_right for i in at)
        change = f"{statistics.mean(changes):+.3f} +- {error:.3f}"
        parts.append(f"{kind} {nats:.3f} nats ({change}), {right:.1%} right")
    return "; ".join(parts)


if __name__ == "__main__":
    main()
