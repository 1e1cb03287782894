"""What the documents show is what the commands and the editors take."""

import json
import re
from pathlib import Path

import pytest
from markdown_text import code_blocks, code_spans, table_rows

from parrotlet.commands import COMMANDS
from training.config import RunConfig
from training.corpus.config import CorpusConfig
from training.corpus.quality import QualityRules
from training.foundation.config_schema import load_toml

ROOT = Path(__file__).parents[3]
README = ROOT / "README.md"
READMES = [
    README,
    *(ROOT / folder / "README.md" for folder in ("training", "evaluation", "server")),
    *(ROOT / "editor-client").glob("*/README.md"),
]
TRAINING_PAGE = "training/README.md"
CLIENTS = ROOT / "editor-client"
MAX_LINES = 150


def existing():
    return [pytest.param(p, id=str(p.relative_to(ROOT))) for p in READMES if p.exists()]


def test_the_top_readme_is_short():
    """If it fails, a newcomer has to search for the two commands."""
    assert len(README.read_text(encoding="utf-8").splitlines()) <= MAX_LINES


@pytest.mark.parametrize("name", ["ARCHITECTURE.md", "DECISIONS.md", "SECURITY.md", TRAINING_PAGE])
def test_the_source_files_that_pages_name_exist(name):
    """If it fails, a reader looks for a file that was moved."""
    named = set(re.findall(r"`(\w+(?:/\w+)+\.(?:py|ts|lua))`", (ROOT / name).read_text("utf-8")))
    folders = ("server", "training", "evaluation", "tests", "parrotlet", "editor-client")
    files = [f"/{one}" for folder in folders for one in list_sources(ROOT / folder)]
    assert [one for one in sorted(named) if not any(f.endswith(f"/{one}") for f in files)] == []


def list_sources(folder):
    """Returns the paths of a folder's source files, without those that are installed or built."""
    skipped = {"node_modules", "dist"}
    return [
        path.relative_to(ROOT).as_posix()
        for path in folder.rglob("*.*")
        if path.suffix in {".py", ".ts", ".lua"} and skipped.isdisjoint(path.parts)
    ]


def test_the_default_corpus_has_as_many_packages_as_pages_say():
    """If it fails, a newcomer waits for packages that no lock lists."""
    configs = ROOT / "training" / "configs"
    lock = (configs / "python-corpus.lock").read_text(encoding="utf-8")
    n_packages = lock.count("==")
    said = {page: page.read_text(encoding="utf-8") for page in (README, ROOT / TRAINING_PAGE)}
    said[configs / "corpus.toml"] = (configs / "corpus.toml").read_text(encoding="utf-8")
    patterns = (
        r"default corpus \((\d+) packages\)",
        r"`default.toml`: (\d+) packages",
        r"corpus: (\d+) pinned",
    )
    for (page, text), pattern in zip(said.items(), patterns, strict=True):
        assert re.findall(pattern, text) == [str(n_packages)], page


def test_the_hint_about_tcmalloc_says_what_the_page_says():
    """If it fails, two figures for one thing make a reader doubt both."""
    hint = (ROOT / "training" / "processes" / "allocator.py").read_text(encoding="utf-8")
    (gain,) = re.findall(r"training on a CPU about (an? \w+ faster)", hint)
    assert gain in (ROOT / TRAINING_PAGE).read_text(encoding="utf-8")
    decisions = (ROOT / "DECISIONS.md").read_text(encoding="utf-8")
    assert f"A run is {gain} with tcmalloc" in decisions


@pytest.mark.parametrize("readme", existing())
def test_links_lead_somewhere(readme):
    """If it fails, a reader clicks into nothing."""
    text = readme.read_text(encoding="utf-8")
    anchors = {
        re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-")
        for title in re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    }
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith("#"):
            assert target[1:] in anchors, target
        elif "://" not in target:
            assert (readme.parent / target.partition("#")[0]).exists(), target


@pytest.mark.parametrize("readme", existing())
def test_commands_and_configs_that_are_named_exist(readme):
    """If it fails, a documented command is unknown, or its config is not there."""
    text = readme.read_text(encoding="utf-8")
    for name in re.findall(r"^\s*(?:\S+/bin/)?parrotlet ([a-z][a-z-]*)", text, re.MULTILINE):
        assert name in COMMANDS, name
    for module in re.findall(r"python -m ((?:training|evaluation|server)[\w.]*)", text):
        path = ROOT / module.replace(".", "/")
        assert path.with_suffix(".py").exists() or (path / "__main__.py").exists(), module
    for config in re.findall(r"training/configs/[\w./-]+\.(?:toml|yaml)", text):
        assert (ROOT / config).exists(), config
        if config.endswith(".toml"):
            kind = CorpusConfig if "/corpus" in config else RunConfig
            load_toml(kind, ROOT / config, [])


def test_the_corpus_configs_it_shows_load(tmp_path):
    """If it fails, the first thing that a team copies is refused."""
    text = (ROOT / "training/README.md").read_text(encoding="utf-8")
    shown = code_blocks(text, "toml")
    configs = []
    for number, block in enumerate(shown):
        path = tmp_path / f"{number}.toml"
        path.write_text(block, encoding="utf-8")
        configs.append(load_toml(CorpusConfig, path, []))
    levels = QualityRules.load(next(c for c in configs if c.quality.rules).quality)
    assert levels.find_level("any", {"stars": 500.0, "has_tests": 1.0}) == "high"
    assert levels.find_level("any", {"stars": 500.0}) == "low"


def test_the_keys_it_names_are_those_of_the_editors():
    """If it fails, users press a key that does something else."""
    every_row = table_rows(README.read_text(encoding="utf-8"))
    rows = every_row[every_row.index(["", "VS Code", "Neovim"]) + 1 :]
    rows = rows[: next(i for i, row in enumerate(rows) if row[0].startswith("why")) + 1]
    manifest = json.loads((CLIENTS / "vscode/package.json").read_text(encoding="utf-8"))
    bound = {binding["key"] for binding in manifest["contributes"]["keybindings"]}
    of_vs_code = {"tab", "alt+]", "alt+["}
    arrows = {"→": "right", "↓": "down", "esc": "escape"}
    for row in rows[:-1]:
        for key in code_spans(row[1]):
            name = re.sub("→|↓|esc", lambda match: arrows[match[0]], key.lower())
            assert name in bound | of_vs_code, key
    help_text = (CLIENTS / "nvim/doc/parrotlet.txt").read_text(encoding="utf-8")
    names = {"Alt": "M", "Ctrl": "C", "→": "Right", "↓": "Down", "\\": "Bslash"}
    for row in rows[:-1]:
        for key in code_spans(row[2]):
            vim = "-".join(names.get(part, part) for part in key.split("+"))
            assert f"<{vim}>" in help_text, key
    titles = [f"Parrotlet: {command['title']}" for command in manifest["contributes"]["commands"]]
    assert rows[-1][1] in titles
