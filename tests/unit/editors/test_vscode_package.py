"""What VS Code's users read and press: package.json, the pages beside it, and the texts in src."""

import json
import re
import tomllib
from pathlib import Path

import pytest

from server import VERSION

ROOT = Path(__file__).parents[3]
EXTENSION = ROOT / "editor-client" / "vscode"
SOURCES = sorted((EXTENSION / "src").rglob("*.ts"))
PAGES = [*sorted((EXTENSION / "media").glob("*.md")), *sorted(EXTENSION.glob("*.md"))]
INTERNAL = {"parrotlet.accepted"}
# Those that ask for something before they do anything.
ASKING = {
    *("menu", "snooze", "chooseExtent", "chooseEagerness", "chooseModel"),
    *("installServer", "setServerPath"),
}
SMALL = {"a", "an", "as", "for", "from", "in", "of", "or", "the", "to"}
# Phrases that read as translated, and the field's own word for each.
RETIRED = {
    r"\d %": "7%",
    r"\bas it comes\b": "default",
    r"\bas (you|the user) like": "",
    r"\bat the most\b": "maximum",
    r"\bbehind the cursor\b": "after the cursor",
    r"\belsewhere\b": "remote",
    r"\bfor one in twenty\b": "95th percentile",
    r"\bgoes on\b": "continues",
    r"\b[Hh]ave (the server|it quiet)\b": "Install the server",
    r"\bhow (eager|far|sure)\b": "eagerness, length, confidence",
    r"\bInstall It\b": "Install Server…",
    r"\b(is|are|be|was) told\b|\btells\b": "shows",
    r"\bmains\b": "on battery",
    r"\bmended\b": "fixed",
    r"\bName (Its|the) Command\b": "Set Server Path…",
    r"\bof late\b": "recently",
    r"\bonly when asked\b|\bunasked\b": "only on request",
    r"\bstands? (behind|before)\b": "follows, precedes",
    r"\b[Tt]aken\b|\btakes\b": "accepted",
    r"\btrouble\b": "problem",
    r"Parrotlet is error": "Parrotlet has a problem",
}
IDENTIFIER = r"\b[a-z]+_[a-z_]+\b"


@pytest.fixture(scope="module")
def manifest():
    return json.loads((EXTENSION / "package.json").read_text(encoding="utf-8"))


def texts_of(value):
    """Every text of a manifest that VS Code shows."""
    shown = {"title", "description", "markdownDescription", "displayName", "altText"}
    if isinstance(value, dict):
        for name, inner in value.items():
            if isinstance(inner, str) and name in shown:
                yield inner
            elif name == "markdownEnumDescriptions":
                yield from inner
            else:
                yield from texts_of(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from texts_of(inner)


def literals(source):
    """The texts of a TypeScript file: what stands in quotes, without comments and patterns."""
    code = re.sub(r"(?s:/\*.*?\*/)|^\s*//.*|(?<=[;,{] )// .*", "", source, flags=re.MULTILINE)
    for found in re.finditer(r"'((?:[^'\\\n]|\\.)*)'|`((?:[^`\\]|\\.)*)`", code):
        text = found[1] if found[1] is not None else re.sub(r"\$\{[^}]*\}", "…", found[2])
        if " " in text and not text.startswith("import "):  # Python's, for Python
            yield text


def prose(page):
    """A page without its code."""
    return re.sub(r"```.*?```|`[^`\n]*`", "", page, flags=re.DOTALL)


def everything_shown(manifest):
    """Where each text is, and the text."""
    yield from (("package.json", text) for text in texts_of(manifest))
    for path in SOURCES:
        yield from ((path.name, text) for text in literals(path.read_text(encoding="utf-8")))
    yield from ((path.name, prose(path.read_text(encoding="utf-8"))) for path in PAGES)


def test_no_text_names_an_identifier(manifest):
    """If it fails, people read "stands_behind" or "end_of_scope" and learn nothing."""
    found = [
        (where, name)
        for where, text in everything_shown(manifest)
        for name in re.findall(IDENTIFIER, re.sub(r"`[^`]*`", "", text))
    ]
    assert not found


def test_texts_are_in_the_fields_own_words(manifest):
    """If it fails, the extension reads as if it had been translated."""
    found = [
        (where, match[0], better)
        for where, text in everything_shown(manifest)
        for pattern, better in RETIRED.items()
        for match in re.finditer(pattern, text)
    ]
    assert not found


def test_titles_are_in_title_case_and_say_when_they_ask(manifest):
    """If it fails, a command that opens a picker looks like one that acts at once."""
    for command in manifest["contributes"]["commands"]:
        name, title = command["command"].removeprefix("parrotlet."), command["title"]
        assert command["category"] == "Parrotlet"
        assert title.endswith("…") == (name in ASKING), title
        assert "..." not in title
        for word in re.findall(r"\w+", title):
            assert word[0].isupper() or word in SMALL, title


def test_settings_are_described_in_sentences(manifest):
    for page in manifest["contributes"]["configuration"]:
        for name, one in page["properties"].items():
            text = one["markdownDescription"]
            assert re.match(r"[A-Z].*\.$", text, re.DOTALL), name
            if one["type"] == "boolean":
                assert text.startswith("Controls whether "), name


def test_one_version_for_both(manifest):
    assert manifest["version"] == VERSION
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert manifest["license"] == project["license"]


def test_every_command_is_there_and_nothing_else_is_called(manifest):
    """If it fails, a menu, a key or a button does nothing."""
    contributed = {one["command"] for one in manifest["contributes"]["commands"]}
    sources = "\n".join(path.read_text(encoding="utf-8") for path in SOURCES)
    for command in contributed:
        name = command.removeprefix("parrotlet.")
        assert re.search(rf"^    {name}(:|,)", sources, re.MULTILINE), command
    used = set(re.findall(r"command:(parrotlet\.\w+)", json.dumps(manifest)))
    used |= {one["command"] for one in manifest["contributes"]["keybindings"]}
    used |= {f"parrotlet.{name}" for name in re.findall(r"entry\('[\w-]+', .+?, '(\w+)'", sources)}
    used |= set(re.findall(r"\['[^']+', '(parrotlet\.\w+)'\]", sources))
    assert used <= contributed | INTERNAL


def test_no_key_is_taken_from_anybody(manifest):
    """If it fails, a key that VS Code or IntelliSense uses stops working."""
    for binding in manifest["contributes"]["keybindings"]:
        when = binding["when"].split(" && ")
        assert binding["key"] not in {"tab", "enter"}
        assert {"editorTextFocus", "!editorReadonly"} <= set(when)
        if binding["key"] != "alt+\\":
            assert "inlineSuggestionVisible" in when
        if binding["key"] in {"escape", "ctrl+down"}:  # the menu's, while it is open
            assert "!suggestWidgetVisible" in when
        if binding["command"] in {"parrotlet.acceptWord", "parrotlet.acceptLine"}:
            # As VS Code's own: cursor keys of people with screen readers move the cursor.
            assert {"cursorBeforeGhostText", "!accessibilityModeEnabled"} <= set(when)


def test_the_walkthrough_names_every_key(manifest):
    """If it fails, new users know Tab and never find the next word or the next suggestion."""
    (walkthrough,) = manifest["contributes"]["walkthroughs"]
    (step,) = [one for one in walkthrough["steps"] if one["id"] == "accept"]
    keys = {"Tab", "Ctrl+→", "⌘→", "Ctrl+↓", "⌘↓", "Alt+]", "Alt+[", "Esc", "Alt+\\"}
    table = (EXTENSION / step["media"]["markdown"]).read_text(encoding="utf-8")
    for text in (step["description"], table):
        assert keys <= set(re.findall(r"(?:Ctrl|Alt)\+[^\s`),.]|⌘.|Tab|Esc", text))


def test_settings_are_opened_by_the_extensions_own_name():
    """If it fails, "Open Settings" lists settings of other extensions that name Parrotlet."""
    sources = "\n".join(path.read_text(encoding="utf-8") for path in SOURCES)
    opened = re.findall(r"'@(ext|id):([\w.]+)'|`@(ext|id):([\w.]+)", sources)
    assert ("ext", "parrotlet.parrotlet", "", "") in opened
    for line in sources.splitlines():
        if "workbench.action.openSettings'" in line:
            assert "'parrotlet" not in line, line


def test_the_readme_names_what_there_is(manifest):
    """If it fails, the README sends people to a command or a setting that is not there."""
    text = (EXTENSION / "README.md").read_text(encoding="utf-8")
    titles = {command["title"] for command in manifest["contributes"]["commands"]}
    pages = manifest["contributes"]["configuration"]
    settings = {name for page in pages for name in page["properties"]}
    assert set(re.findall(r"`(parrotlet(?:\.\w+)+)`", text)) <= settings | {
        *("parrotlet.client", "parrotlet.vsix")
    }
    table = text.split("| Command | What it does |")[1].split("\n\n")[0]
    for title in titles:
        assert title.removeprefix("Toggle Suggestions ") in table, title
    others = {"Extensions: Install from VSIX…", "Bundled", "Folder", "Hugging Face Hub"}
    others |= {"Parrotlet", "Remote server", "Toggle Suggestions"}
    bold = {name.removeprefix("Parrotlet: ") for name in re.findall(r"\*\*([^*]+)\*\*", text)}
    assert bold <= titles | others
