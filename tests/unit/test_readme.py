"""What the README shows is what the commands take."""

import dataclasses
import json
import re
import tomllib
from pathlib import Path

from server.settings import RemoteSettings
from training.artifact.schema import load_toml
from training.corpus.config import CorpusConfig
from training.corpus.quality import QualityRules

README = Path(__file__).parents[2] / "README.md"
CLIENTS = README.parent / "editor-client"


def blocks(language):
    text = README.read_text(encoding="utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def test_the_corpus_config_it_shows_loads(tmp_path):
    """If it fails, the first thing that a team copies is refused."""
    shown = [text for text in blocks("toml") if "[sources]" in text]
    assert shown
    for number, text in enumerate(shown):
        path = tmp_path / f"{number}.toml"
        path.write_text(text)
        config = load_toml(CorpusConfig, path)
        levels = QualityRules.of(config.quality)
        assert levels.level("any", {"stars": 500.0, "has_tests": 1.0}) == "high"
        assert levels.level("any", {"stars": 500.0}) == "low"


def test_the_editors_settings_it_shows_are_read():
    """If it fails, who copies them has no server."""
    (helix,) = [tomllib.loads(text) for text in blocks("toml") if "language-server" in text]
    assert helix["language-server"]["parrotlet"]["command"] == "parrotlet-server"
    assert "parrotlet" in helix["language"][0]["language-servers"]
    (sublime,) = [json.loads(text.partition("\n")[2]) for text in blocks("json")]
    assert sublime["clients"]["parrotlet"]["command"] == ["parrotlet-server"]
    shown = re.search(r"`remote = \{(.*?)\}`", README.read_text(encoding="utf-8"), re.DOTALL)[1]
    names = re.findall(r"(\w+) =", shown)
    assert set(names) <= {field.name for field in dataclasses.fields(RemoteSettings)}


def test_the_table_of_abilities_has_no_empty_cell_and_names_what_is_there():
    """If it fails, an ability is promised in an editor that lacks it."""
    table = README.read_text(encoding="utf-8").split("| | VS Code | Neovim |\n")[1].split("\n\n")[0]
    rows = [[cell.strip() for cell in row.strip("|").split("|")] for row in table.splitlines()[1:]]
    assert len(rows) > 15
    assert all(len(row) == 3 and all(row) for row in rows)
    manifest = json.loads((CLIENTS / "vscode/package.json").read_text(encoding="utf-8"))[
        "contributes"
    ]
    titles = " ".join(command["title"] for command in manifest["commands"])
    named = {
        title for row in rows for title in re.findall(r"(?:[A-Z]\w+ ){1,4}[A-Z]\w+\??", row[1])
    }
    assert {"Switch Model", "Why Is Nothing Shown?", "Restart Server"} <= named
    assert all(title in titles for title in named)
    settings = {name for page in manifest["configuration"] for name in page["properties"]}
    assert set(re.findall(r"`(parrotlet\.\w+\.\w+)`", table)) <= settings
    commands = (CLIENTS / "nvim/lua/parrotlet/command.lua").read_text(encoding="utf-8")
    for name in re.findall(r":Parrotlet (\w+)", table):
        assert re.search(rf"\b{name}\b", commands), name
    options = (CLIENTS / "nvim/lua/parrotlet/config.lua").read_text(encoding="utf-8")
    for name in re.findall(r"`(?:keys)?\.(\w+)`", table):
        assert re.search(rf"^    {name} = ", options, re.MULTILINE), name


def test_the_keys_it_names_are_the_extensions_or_vs_codes_own():
    """If it fails, users press a key that does something else."""
    of_vs_code = {"tab", "alt+]", "alt+["}
    manifest = json.loads((CLIENTS / "vscode/package.json").read_text(encoding="utf-8"))
    bound = {binding["key"] for binding in manifest["contributes"]["keybindings"]}
    arrows = {"→": "right", "↓": "down", "esc": "escape"}
    pages = [README.read_text(encoding="utf-8").split("| | VS Code |")[1].split("\n\n")[0]]
    pages += [(CLIENTS / "vscode" / name).read_text() for name in ("README.md", "media/keys.md")]
    for page in pages:
        named = set(re.findall(r"`((?:(?:Ctrl|Alt|Shift)\+)+\S|Tab|Esc)`", page))
        keys = {re.sub("→|↓|esc", lambda m: arrows[m[0]], key.lower()) for key in named}
        assert keys == bound | of_vs_code
