"""What people read in Neovim: strings of the plugin, its help and its README. Needs no Neovim."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PLUGIN = ROOT / "editor-client" / "nvim"
HELP = PLUGIN / "doc" / "parrotlet.txt"
README = PLUGIN / "README.md"

PREFIX = "Parrotlet: "
MESSAGE_COLUMNS = 68  # what Neovim shows in 80 columns without "Press ENTER"
HELP_COLUMNS = 78
LITERAL = re.compile(r"""'((?:[^'\\\n]|\\.)*)'|"((?:[^"\\\n]|\\.)*)\"""")
SAID = re.compile(r"\b(?:tell|complain|complain_once|progress|fail)\(\(*(['\"])(.*?)(?<!\\)\1")

# Words of a text that reads as translated, and of versions before; see the wording page.
RETIRED = (
    r"\banew\b|\bunasked\b|\bgoes on\b|\bgo on with\b|\bis told\b|\btells?\b|\bstands?\b"
    r"|\bswitched (?:off|on)\b|\bis taken\b|\btakes (?:it|what)\b|\bwhat you took\b"
    r"|\bnothing to suggest\b|\bno server runs\b|\bhas to say\b|\bsure\b|\bas it comes\b"
    r"|\bbehind the cursor\b|\bwanted\b|\bso many\b|\bTaken\b|\bat all\b|\bleft alone\b"
    r"|\d %(?!\w)"
)


def sources():
    return sorted([*PLUGIN.glob("lua/**/*.lua"), *PLUGIN.glob("plugin/*.lua")])


def code_of(path):
    """The file without its comments."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return "\n".join(re.sub(r"(^|\s)--.*$", r"\1", line) for line in lines)


def sentences():
    """Every string of the plugin that holds words, and its file."""
    for path in sources():
        for match in LITERAL.finditer(code_of(path)):
            text = match[1] if match[1] is not None else match[2]
            if re.search(r"[a-z]{2,} [a-z]{2,}", text):
                yield path.name, text


def options():
    """The names that users write in setup()."""
    code = (PLUGIN / "lua/parrotlet/config.lua").read_text(encoding="utf-8")
    defaults = code.split("M.defaults = {\n")[1].split("\n}\n")[0]
    return set(re.findall(r"^ +(\w+) = ", defaults, re.MULTILINE))


def subcommands():
    code = (PLUGIN / "lua/parrotlet/command.lua").read_text(encoding="utf-8")
    table = code.split("local subcommands = {\n")[1].split("\n}\n")[0]
    return re.findall(r"^  (\w+) = ", table, re.MULTILINE)


def test_no_identifier_is_shown_to_people():
    """If it fails, users read names of the code, such as stands_behind."""
    found = list(sentences())
    assert len(found) > 60
    shown = [
        (name, word)
        for name, text in found
        for word in re.findall(r"\b[a-z]+(?:_[a-z]+)+\b", text)
        if word not in options() and "require(" not in text and "import " not in text
    ]
    assert not shown


@pytest.mark.parametrize("path", [*sources(), HELP, README], ids=lambda path: path.name)
def test_no_retired_phrase_is_left(path):
    """If it fails, a text reads as translated again."""
    if path.suffix == ".lua":
        text = "\n".join(text for name, text in sentences() if name == path.name)
    else:
        text = path.read_text(encoding="utf-8")
    assert re.findall(RETIRED, text) == []


def test_messages_fit_into_a_line():
    """If it fails, Neovim stops at "Press ENTER", or the end of a message is cut off.

    What is filled in may be long, and is shortened; the words around it have room for some of it.
    """
    messages = [
        (path.name, re.sub(r"%\w", "", match[2]))
        for path in sources()
        for match in SAID.finditer(code_of(path))
    ]
    assert len(messages) > 15
    assert [m for m in messages if len(PREFIX + m[1]) > MESSAGE_COLUMNS - 8 * ("%" in m[1])] == []
    assert [m for m in messages if "\\n" in m[1] or m[1].endswith(".")] == []


def test_the_help_keeps_its_width_and_its_links():
    """If it fails, a help page wraps, or a link in it leads nowhere."""
    lines = HELP.read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if len(line) > HELP_COLUMNS] == []
    text = "\n".join(lines)
    tags = set(re.findall(r"(?<=\*)[^*\s|]+(?=\*)", text))
    links = set(re.findall(r"\|([^|\s]+)\|", text))
    assert {link for link in links if "arrotlet" in link and "hl-" not in link} <= tags


@pytest.mark.parametrize("page", [README, HELP], ids=lambda page: page.name)
def test_every_command_option_and_key_is_explained(page):
    """If it fails, users cannot find out about something that they could do."""
    text = page.read_text(encoding="utf-8")
    for name in subcommands():
        assert re.search(rf"`(?:install |log )?{name}\b|\*:Parrotlet-{name}\*", text), name
    for name in options():
        assert re.search(rf"\b{name}\b", text), name


def test_the_defaults_in_the_pages_are_the_plugins():
    """If it fails, the pages promise keys that do nothing."""
    code = (PLUGIN / "lua/parrotlet/config.lua").read_text(encoding="utf-8")
    keys = dict(re.findall(r"^    (\w+) = '([^']+)'", code, re.MULTILINE))
    shown = dict(re.findall(r"^      (\w+) = '([^']+)', +-- ", HELP.read_text(), re.MULTILINE))
    assert shown == keys
    words = {"M": "Alt+", "C": "Ctrl+", "Right": "→", "Down": "↓", "Bslash": "\\"}
    rows = dict(
        reversed(row)
        for row in re.findall(
            r"^\| `([^`]+)` \|.*\| `keys\.(\w+)` \|$", README.read_text(), re.MULTILINE
        )
    )
    for name, key in keys.items():
        held, _, last = key.strip("<>").rpartition("-")
        assert rows.pop(name) == words.get(held, "") + words.get(last, last), name
    assert not rows


def test_the_plugin_installs_its_own_release():
    """If it fails, `:Parrotlet install` brings another release than the plugin's."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    code = (PLUGIN / "lua/parrotlet/install.lua").read_text(encoding="utf-8")
    assert f"M.REQUIREMENT = 'parrotlet=={project['version']}'" in code
