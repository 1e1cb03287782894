"""The commands of the project, in the order in which a newcomer needs them.

Each has a name, the module with its ``main(argv)``, the extra that it requires, and a summary.
Nothing here imports a command.
"""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Command:
    """One subcommand.

    Attributes:
        module: The module with its ``main``, as it is called in a checkout.
        extra: The optional dependencies that it requires; empty for none.
        passes_name: Whether ``main`` expects the subcommand's name as its first argument.
        is_stage: Whether only other commands run it; the list of commands leaves it out.
    """

    name: str
    module: str
    summary: str
    extra: str = ""
    passes_name: bool = False
    is_stage: bool = False


def _server(name: str, summary: str) -> Command:
    return Command(name=name, module="server.cli", summary=summary, passes_name=True)


def _training(name: str, module: str, summary: str) -> Command:
    return Command(name=name, module=f"training.{module}", summary=summary, extra="train")


def _evaluation(name: str, module: str, summary: str, *, extra: str = "evaluate") -> Command:
    return Command(name=name, module=f"evaluation.{module}", summary=summary, extra=extra)


def _stage(name: str, module: str, summary: str) -> Command:
    return Command(name=name, module=module, summary=summary, extra="train", is_stage=True)


GROUPS: dict[str, tuple[Command, ...]] = {
    "Ghost text": (
        _server("demo", "complete three snippets with the model"),
        Command(
            name="editors",
            module="parrotlet.editor_clients",
            summary="find or install the VS Code extension and the Neovim plugin",
        ),
        _server("complete", "print the completion at a position in a file"),
        _server("settings", "list every setting with its default"),
        _server("health", "check that the model loads, and how fast it is"),
        _server("stats", "show how many suggestions were shown and accepted"),
        Command(name="server", module="server.__main__", summary="start the language server"),
    ),
    "A model of your own code": (
        Command(
            name="adapt",
            module="parrotlet.adaptation.adapt_command",
            summary="adapt a model to a repository, in the background, and use it there",
        ),
        Command(
            name="models",
            module="parrotlet.adaptation.models_command",
            summary="list, compare, switch or remove adapted models",
        ),
        _stage("adapt-plan", "training.adaptation.__main__", "plan an adaptation"),
        _stage("adapt-measure", "evaluation.adaptation.measure_model", "measure a model"),
        _stage("adapt-blend", "evaluation.adaptation.blend", "choose how much to keep"),
        _stage("adapt-assemble", "training.adaptation.assemble", "make an adapted artifact"),
        _stage("adapt-judge", "evaluation.adaptation.__main__", "judge an adaptation"),
    ),
    "Train a model": (
        Command(
            name="train",
            module="parrotlet.team.train_command",
            summary="train a model on your repositories, the whole way",
            extra="train",
        ),
        _training(
            "corpus", "corpus.__main__", "build a corpus from packages, folders, git, records"
        ),
        _training("lock-corpus", "corpus.lock", "pin the packages of a corpus by hash"),
        _training("verify-corpus", "corpus.verify", "check a corpus against its report"),
        _training(
            "popularity", "corpus.popularity.__main__", "look up stars and downloads of packages"
        ),
        _training("overlap", "corpus.overlap", "find benchmark problems in a corpus"),
        Command(
            name="bigquery",
            module="training.corpus.bigquery.__main__",
            summary="extract GitHub's Python with BigQuery",
            extra="bigquery",
        ),
        Command(
            name="cluster",
            module="training.cluster.__main__",
            summary="build a corpus on many machines",
            extra="cluster",
        ),
        _training("tokenizer", "train_tokenizer", "train a tokenizer, or inspect one"),
        _training("prepare", "prepare", "tokenize a corpus into training shards"),
        _training("pretrain", "launch", "pretrain a model with Accelerate"),
        _training("validate", "validate", "measure loss and bits per byte on held-out packages"),
        _training(
            "average-checkpoints",
            "average_checkpoints",
            "average the weights of a run's checkpoints",
        ),
        _training("run-page", "run.page", "draw a run's report page"),
        _training("provenance", "provenance", "list the documents that a checkpoint has seen"),
        _training("index-verbatim", "index_verbatim", "index training text for attribution"),
        _training("publish", "publish.__main__", "upload models and corpora to the Hub"),
    ),
    "Evaluate a model": (
        _evaluation(
            "passk",
            "passk.__main__",
            "run completions against unit tests in a sandbox: pass@k",
            extra="",
        ),
        _evaluation("problems", "problems.__main__", "list or export problem sets", extra=""),
        _evaluation("versus", "versus", "compare two pass@k runs problem by problem", extra=""),
        _evaluation("report", "report", "draw the report page of a pass@k run", extra=""),
        _evaluation("lines", "lines", "measure exact match of lines and blocks as users see them"),
        _evaluation("infill", "infill", "measure infilling of gaps in held-out files"),
        _evaluation("bits", "bits", "measure bits per byte file by file"),
        _evaluation("fit", "fit", "measure whether suggestions fit the code around the cursor"),
        _evaluation("compare", "compare", "show what several models write, side by side", extra=""),
        _evaluation("replay", "replay.__main__", "replay typing through the real server"),
        _evaluation("fit-memory", "fit_memory", "fit how far a model trusts the workspace"),
        _evaluation("calibrate", "calibrate", "calibrate a model's confidence"),
        _evaluation("repetition", "repetition", "measure how often a model repeats training text"),
    ),
}

COMMANDS = {command.name: command for group in GROUPS.values() for command in group}
