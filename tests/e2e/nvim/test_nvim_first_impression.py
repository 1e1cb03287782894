"""The first minutes with the plugin in real Neovims: messages and colours."""

import shutil

import pytest
from nvim_editor import CALL, PLUGIN, Editor, make_setup

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

PROMPT_S = 0.2  # within which a prompt would appear after a message that is painted
BARE_PATH = {"PATH": "/usr/bin:/bin"}  # without a server
LEAST_CONTRAST = 4.5
NO_SERVER = "Parrotlet: no server yet; run :Parrotlet install"

COLOURS = """
local highlight = require('parrotlet.suggestions.highlight')
highlight.setup()
vim.o.termguicolors = true
local out = {}
for _, background in ipairs({ 'dark', 'light' }) do
  for _, name in ipairs(vim.fn.getcompletion('', 'color')) do
    vim.o.background = background
    vim.cmd.colorscheme(name)
    local normal = vim.api.nvim_get_hl(0, { name = 'Normal', link = false })
    local ghost = vim.api.nvim_get_hl(0, { name = 'ParrotletGhost', link = false })
    local hint = vim.api.nvim_get_hl(0, { name = 'ParrotletHint', link = false })
    if vim.o.background == background and normal.bg then
      out[#out + 1] = { background .. ' ' .. name, normal.bg, ghost.fg, hint.fg or ghost.fg }
    end
  end
end
return out
"""


def compute_contrast(one, other):
    """Returns the contrast of two RGB numbers, by WCAG 2, independently of the plugin."""

    def luminance(colour):
        values = [((colour >> shift) & 255) / 255 for shift in (16, 8, 0)]
        linear = [v / 12.92 if v <= 0.03928 else ((v + 0.055) / 1.055) ** 2.4 for v in values]
        return sum(w * v for w, v in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.fixture
def start_plainly(version, tmp_path):
    """Starts Neovim as for a user, with the plugin, a Python file, and no server."""
    editors = []

    def start(folder="parrotlet", *, config="", **options):
        plugin = shutil.copytree(PLUGIN, tmp_path / folder / "editor-client" / "nvim")
        home = tmp_path / "home"
        home.mkdir()
        file = home / "one.py"
        file.write_text("import os\n")
        options = {"file": file, "plain": True, "env": BARE_PATH, **options}
        editors.append(Editor(version, home, config, plugin=plugin, **options))
        return editors[-1]

    yield start
    for one in editors:
        one.close()


def has_no_prompt(editor):
    """Returns whether Neovim does not wait for a key, a while after the newest message."""
    return not editor.lua("vim.wait(...)", int(1000 * PROMPT_S)) and editor.mode == "n"


# What causes a message: while a file is opened, later, in init.lua, or by the server.
MESSAGES = {
    "no-server": {},
    "long-path": {"server": ["/srv/a folder/" + 9 * "deeper/" + "server"]},
    "server-that-ends": {"server": ["sh", "-c", "exit 3"]},
    "wrong-option": {"languages": "python"},
    "wrong-setting": {"settings": {"sugestion": {"extent": "line"}}},
}
LOOKS = {"80": (80, ""), "60": (60, ""), "low": (80, "vim.o.cmdheight = 0\n")}
of_server = pytest.mark.newest_neovim("the server starts, and other messages come as late")


@pytest.mark.parametrize(
    ("message", "look"),
    [  # each message in the narrowest window, and each look while Neovim starts and later
        *((message, "60") for message in MESSAGES if message != "wrong-setting"),
        pytest.param("wrong-setting", "60", marks=of_server),
        *((m, look) for m in ("server-that-ends", "wrong-option") for look in ("80", "low")),
    ],
)
def test_starting_never_waits_for_a_key(start_plainly, message, look):
    """If it fails, the first thing that Parrotlet does is to stop Neovim at "Press ENTER"."""
    options, (columns, look) = MESSAGES[message], LOOKS[look]
    config = (
        make_setup(**options) if "settings" in options else make_setup(**{"server": [], **options})
    )
    folder = 9 * "a-long-name/" + "parrotlet"
    editor = start_plainly(folder, config=look + config, size=(columns, 24))
    frame = editor.screen.wait_for(lambda f: "Parrotlet: " in f.rows[-1])
    assert len(frame.rows[-1]) < columns
    assert has_no_prompt(editor)
    assert "Press ENTER" not in "\n".join(frame.text for frame in editor.screen.frames)
    assert editor.lines == ["import os"]


def test_a_missing_server_is_reported_with_the_remedy(start_plainly):
    """If it fails, a new user does not learn what to do."""
    editor = start_plainly(size=(60, 24))
    editor.screen.wait_for(lambda f: f.rows[-1] == NO_SERVER)
    editor.command("checkhealth parrotlet")
    assert "no server yet; run :Parrotlet install" in editor.text
    assert "Not found: PATH" in editor.text


def test_messages_reach_a_ui_that_shows_them_itself(start_plainly):
    """If it fails, users of a message plugin see no messages, or Neovim stops."""
    editor = start_plainly(ui={"ext_messages": True})
    editor.wait_until(
        lambda: NO_SERVER in [text for _, text in editor.screen.messages], "the message"
    )
    assert has_no_prompt(editor)
    assert "return_prompt" not in {kind for kind, _ in editor.screen.messages}


def test_several_messages_do_not_wait_for_a_key(start_plainly):
    """If it fails, two messages at once stop Neovim."""
    editor = start_plainly()
    editor.screen.wait_for(lambda f: NO_SERVER in f.text)
    editor.lua("for n = 1, 3 do require('parrotlet.ui.message').warn('number ' .. n) end")
    editor.screen.wait_for(lambda f: f.rows[-1] == "Parrotlet: number 3")
    assert has_no_prompt(editor)


def test_shortened_messages_can_be_read_in_full(start_plainly):
    """If it fails, the end of a long message is lost."""
    editor = start_plainly()
    editor.screen.wait_for(lambda f: NO_SERVER in f.text)  # otherwise it would cover the next one
    long = "/a/long/" + 20 * "path/" + "end: is no model; choose another one, please, and then this"
    editor.lua("require('parrotlet.ui.message').warn(...)", long)
    editor.screen.wait_for(lambda f: f.rows[-1].endswith("… (:Parrotlet messages)"))
    editor.command("Parrotlet messages")
    editor.screen.wait_for(lambda f: "please, and then this" in f.text)


def test_ghost_text_is_legible_in_every_colour_scheme(editor):
    """If it fails, users cannot read what they are offered."""
    found = editor.lua(COLOURS)
    editor.lua("vim.o.background = 'dark' vim.cmd.colorscheme('default')")
    names = [name for name, *_ in found]
    assert {"dark default", "light default"} <= set(names)
    assert len(names) > 25
    for name, paper, ghost, hint in found:
        assert compute_contrast(ghost, paper) >= LEAST_CONTRAST, name
        assert compute_contrast(ghost, paper) >= compute_contrast(hint, paper), name


@pytest.mark.parametrize("background", ["dark", "light"])
def test_ghost_text_has_at_least_the_contrast_of_its_number(editor, model, background):
    """If it fails, the number of the alternative is more legible than the suggestion."""
    editor.lua("vim.o.termguicolors = true vim.o.background = ...", background)
    model.rules = [CALL, (CALL[0], "other()")]
    editor.open("")
    editor.press("i")
    editor.type(CALL[0])
    editor.wait_for_ghost(CALL[1])
    editor.lua("require('parrotlet').suggest()")
    painted = "".join(CALL) + " (1/2)"
    editor.screen.wait_for(lambda f: f.rows[0] == painted)
    cells, normal = editor.screen.cells
    inks = [look.get("foreground") for _, look in cells[0][: len(painted)]]
    ghost = compute_contrast(inks[len(CALL[0])], normal["bg"])
    number = compute_contrast(inks[-2], normal["bg"])
    assert ghost >= LEAST_CONTRAST
    assert ghost >= number >= LEAST_CONTRAST
    editor.lua("vim.o.background = 'dark'")


def test_users_can_choose_the_colour(start_editor):
    """If it fails, a user's own highlight is overwritten."""
    editor = start_editor("vim.api.nvim_set_hl(0, 'ParrotletGhost', { fg = '#123456' })\n")
    editor.lua("require('parrotlet.suggestions.ghost_text')")
    look = "return vim.api.nvim_get_hl(0, { name = 'ParrotletGhost' }).fg"
    assert editor.lua(look) == 0x123456


@pytest.mark.newest_neovim("a file of ours decides")
def test_the_keys_are_named_once(start_editor, model):
    """If it fails, nobody learns that words can be accepted, or is reminded every day.

    The second Neovim only gets to where the first suggestion of a session is announced, which
    needs no server.
    """
    editor = start_editor(make_setup(settings=model.settings))
    marker = editor.home / "data" / "nvim" / "parrotlet" / "keys-shown"
    marker.unlink()
    model.rules = [CALL]
    editor.open("")
    editor.press("i")
    editor.type(CALL[0])
    editor.wait_for_ghost(CALL[1])
    hint = "Parrotlet: <Tab> accepts, <M-Right> one word; see :Parrotlet keys"
    editor.wait_until(lambda: editor.messages == [hint], "the hint")
    editor.close()
    again = start_editor(home=editor.home)
    for expected in ([], ["Parrotlet: keys for suggestions: see :Parrotlet keys"]):
        again.lua("package.loaded['parrotlet.ui.key_hint'] = nil")
        again.lua("require('parrotlet.ui.key_hint').show_once(0) vim.wait(50)")
        assert again.messages == expected
        marker.unlink()
