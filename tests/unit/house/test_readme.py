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
CLIENTS = ROOT / "editor-client"
MAX_LINES = 150


def existing():
    return [pytest.param(p, id=str(p.relative_to(ROOT))) for p in READMES if p.exists()]


def test_the_top_readme_is_short():
    """If it fails, a newcomer has to search for the two commands."""
    assert len(README.read_text(encoding="utf-8").splitlines()) <= MAX_LINES


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
