"""The bundled model and others in real Neovims."""

import re
import shutil

import numpy as np
import pytest
from doubles.adaptation_double import read_own_modules, speed_up
from doubles.hub_double import HubDouble
from doubles.repository_maker import make_repository
from nvim_editor import IDIOM, Editor, make_setup

from training.artifact.bundled import BUNDLED_MODEL
from training.artifact.directory import TOKENIZER_FILE, add_file
from training.artifact.tokenizer import CodeTokenizer
from training.artifact.verbatim import GRAM, VERBATIM_FILE, VerbatimIndex, gram_hashes

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(500),
    pytest.mark.newest_neovim("the server loads models; test_nvim_setup runs one in each Neovim"),
]

# Where a function seems to be repeated, the model repeats it.
MOVED = '''        """Return the circle at another place."""
        first = Circle(self.x + dx, self.y + dy, self.radius)
        second = Circle(first.x + dx, first.y + dy, first.radius)
        third = Circle(second.x + dx, second.y + dy, second.radius)
        return [first, second, third]
'''
REPEATING = f"class Circle:\n    def moved(self, dx, dy):\n{MOVED}\n\nclass Square:\n"
WHOLE_FUNCTIONS = {
    "suggestion": {"eagerness": "always", "max_function_tokens": 200, "max_function_lines": 30}
}


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    """A stand-in for the Hub, with one model."""
    double = HubDouble()
    files = [file for file in BUNDLED_MODEL.iterdir() if file.is_file()]
    double.add_model("someone/small-model", {file.name: file.read_bytes() for file in files})
    yield double
    double.close()


@pytest.fixture(scope="module")
def editor(version, hub, tmp_path_factory):
    """A Neovim with the bundled model, which shows everything, and the Hub's stand-in."""
    home = tmp_path_factory.mktemp(f"bundled-{version}")
    names = ("HF_ENDPOINT", "HF_HOME", "HF_HUB_DISABLE_XET", "HF_HUB_DISABLE_TELEMETRY")
    hubs = hub.environment(home / "hub", token="")
    env = {name: hubs[name] for name in names} | {"HF_HUB_OFFLINE": "0"}
    command = make_setup(settings=WHOLE_FUNCTIONS)
    command = command.replace('"server"]', '"server", "--log-level", "info"]')
    editor = Editor(version, home, command, env=env, size=(100, 30))
    editor.open("")
    yield editor
    editor.close()


def use_model(editor, name):
    """Switches the model and waits until it is loaded."""
    editor.press("<Esc>")
    editor.lua("_G.states = {}")
    editor.command(f"Parrotlet model {name}")
    editor.wait_until(lambda: "starting" in editor.states, "the beginning")
    editor.wait_until(lambda: {"ready", "error"} & set(editor.states), "the model", timeout_s=120)


def repeat_function(editor):
    """Makes the model repeat a function; returns its suggestion."""
    editor.press("<Esc>")
    editor.open(REPEATING, "circles.py")
    editor.press("o")
    editor.type("def moved(self, dx, dy):")  # Neovim indents it
    editor.press("<CR>")
    return editor.wait_until(lambda: editor.ghost.count("\n") >= 2 and editor.ghost, "a function")


def test_a_suggestion_is_shown_accepted_and_undone(editor):
    """The product in one test: if it fails, nobody gets completions."""
    editor.open(IDIOM[0], "idiom.py")
    editor.press("o")
    editor.type(IDIOM[1])
    ghost = editor.wait_until(lambda: editor.ghost, "ghost text")
    before = editor.text
    editor.press("<Tab>")
    editor.wait_until(lambda: editor.text == before + ghost, "acceptance")
    editor.press("<Esc>u")
    assert editor.text == before


def test_an_adaptation_is_started_and_cancelled(editor):
    """If it fails, the command starts nothing, or what it starts cannot be stopped."""
    for name, text in read_own_modules().items():
        (editor.folder / name).write_text(text, encoding="utf-8")
    editor.open(IDIOM[0], "idiom.py")
    editor.input(":Parrotlet adapt<CR>")
    editor.screen.wait_for(lambda frame: "Nothing leaves this" in frame.text)
    editor.input("a")
    started = "Parrotlet adapts its model to"
    editor.screen.wait_for(lambda frame: started in frame.text)
    editor.wait_until(lambda: "adaptation" in editor.status, "the status")
    assert editor.status["adaptation"].startswith("Adapting 0%")
    editor.press("<Esc>o")
    editor.type(IDIOM[1])
    editor.wait_until(lambda: editor.ghost, "ghost text meanwhile")
    editor.press("<Esc>")
    editor.input(":Parrotlet adapt cancel<CR>")
    editor.screen.wait_for(lambda frame: "is discarded" in frame.text)
    editor.input("c")
    editor.wait_until(lambda: "was cancelled" in str(editor.messages), "the end", timeout_s=120)
    editor.wait_until(lambda: "adaptation" not in editor.status, "the status without it")


def test_a_model_is_adapted_to_the_repository_and_switched_to(
    start_editor, tiny_artifact, known_module
):
    """If it fails, twenty minutes of training change nothing in the editor."""
    settings = {
        "model": str(tiny_artifact),
        "suggestion": {"eagerness": "always"},
        "adaptation": {"minutes": 0.4, "pause_while_typing": False, "pause_on_battery": False},
    }
    editor = start_editor(make_setup(settings=settings))
    editor.folder = make_repository(editor.folder / "project", read_own_modules())
    known = known_module[: known_module.index("return math.")]
    editor.open(known, "circle.py")
    editor.input(":Parrotlet adapt<CR>")
    editor.screen.wait_for(lambda frame: "Nothing leaves this" in frame.text)
    editor.input("a")
    editor.wait_until(lambda: "adaptation" in editor.status, "the status")
    editor.press("<Esc>A")
    editor.type("return m")
    editor.wait_until(lambda: editor.ghost, "ghost text meanwhile")
    editor.press("<Esc>")
    progress = set()

    def has_ended():
        speed_up(editor.home / "data")
        progress.add(editor.status.get("adaptation"))
        return None in progress

    editor.wait_until(has_ended, "the end", timeout_s=280)
    assert len(progress) > 3, progress
    editor.command("Parrotlet messages")
    editor.screen.wait_for(lambda frame: "Suggestions come from the" in frame.text)
    editor.wait_for_server()
    editor.command("Parrotlet health")
    assert re.search(r"Adapted +to project on \d{4}-\d\d-\d\d", editor.text)
    editor.open(known, "other.py")
    editor.press("A")
    editor.type("return m")
    editor.wait_until(lambda: editor.ghost, "ghost text of the adapted model")


def test_the_source_of_repeated_text_is_named(editor, tmp_path):
    """If it fails, somebody's code is accepted and nobody says whose it is.

    The model is a copy of the bundled one, with an index that contains its next suggestion.
    """
    written = repeat_function(editor)
    folder = shutil.copytree(BUNDLED_MODEL, tmp_path / "my models" / "marked")
    tokenizer = CodeTokenizer.load(folder / TOKENIZER_FILE)
    ids = np.array(tokenizer.encode("        " + written))
    assert len(ids) >= 2 * GRAM, "the suggestion is too short to be attributed"
    grams = np.concatenate([gram_hashes(ids[shift:])[::GRAM] for shift in range(GRAM)])
    table = [{"package": "shapes", "path": "shapes.py", "licence": "MIT"}]
    index = VerbatimIndex.build(grams, np.zeros(len(grams), dtype=np.int64), table)
    add_file(folder, VERBATIM_FILE, index.to_bytes())
    use_model(editor, folder)
    assert editor.status["state"] != "error"
    assert repeat_function(editor) == written
    editor.press("<Tab>")
    editor.wait_until(lambda: editor.text.endswith(written), "acceptance")
    log = editor.home / "state" / "nvim" / "parrotlet-server.log"
    source = "tokens of shapes.py in shapes (MIT)"
    logged = "accepted a suggestion that repeats shapes, shapes.py (MIT)"
    editor.wait_until(lambda: logged in log.read_text(), "the log's line")
    assert editor.messages[-1].startswith("Parrotlet: Repeats at least ")
    assert editor.messages[-1].endswith(f"{source}.")
    repeat_function(editor)
    editor.press("<Esc>")
    editor.command("Parrotlet why")
    editor.screen.wait_for(lambda f: source in f.text)


def test_a_hub_model_is_downloaded_with_progress_messages(editor, hub):
    """If it fails, a long download looks like a hang, or brings nothing."""
    editor.lua(
        "_G.progress = {}"
        " vim.api.nvim_create_autocmd('LspProgress', { callback = function(args)"
        " local value = args.data.params.value"
        " table.insert(_G.progress, { value.kind, value.message or '' }) end })"
    )
    since = editor.screen.frames[-1].at
    use_model(editor, "someone/small-model")
    assert editor.status["state"] != "error"
    editor.wait_until(lambda: editor.lua("return _G.progress")[-1][0] == "end", "the end")
    progress = editor.lua("return _G.progress")
    assert progress[0][0] == "begin"
    assert any("downloading someone/small-model: " in message for _, message in progress)
    assert any("GET /someone/small-model/resolve" in r for r in hub.requests)
    for text in ("Parrotlet: downloading someone/small-model: ", "Parrotlet: ready"):
        editor.wait_until(
            lambda text=text: any(
                text in f.rows[-1] for f in editor.screen.get_frames_since(since)
            ),
            text,
        )
    assert repeat_function(editor)


def test_a_folder_without_a_model_is_reported(editor, tmp_path):
    """If it fails, a wrong folder ends suggestions without a word."""
    (tmp_path / "empty").mkdir()
    use_model(editor, tmp_path / "empty")
    assert editor.status["state"] == "error"
    assert str(tmp_path / "empty") in editor.status["reason"]
    assert any("empty" in said for said in editor.messages)
    use_model(editor, "bundled")
    assert editor.status["state"] != "error"
    assert repeat_function(editor)
