"""Suggestions while a completion menu is open, in real Neovims.

nvim-cmp and blink.cmp are the real plugins if they are in `.tools/nvim-plugins`, and otherwise
stand-ins with the part of their API that is used (in `menus`).
"""

from dataclasses import dataclass
from pathlib import Path

import pytest
from nvim_editor import ROOT, Editor, make_setup, reset_editor

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

ITEMS = ["append", "appendleft", "remap"]
RULES = [("items.append", "(value)"), ("items.appendleft", "(first)"), ("items.ap", "x()")]

OWN = """
vim.o.completeopt = 'menu,menuone,noinsert'
vim.keymap.set('i', '<F6>', function() vim.fn.complete(#'items.' + 1, items) end)
"""
CMP = """
local cmp = require('cmp')
local source = {}
function source:complete(_, take)
  take(vim.tbl_map(function(item) return { label = item, filterText = 'ap' .. item } end, items))
end
cmp.register_source('test', source)
local select = { behavior = cmp.SelectBehavior.Select }
cmp.setup({
  completion = { autocomplete = false, completeopt = 'menu,menuone,noinsert' },
  sources = { { name = 'test' } },
  sorting = { comparators = { cmp.config.compare.order } },
  mapping = {
    ['<C-n>'] = cmp.mapping(function() cmp.select_next_item(select) end, { 'i' }),
    ['<F6>'] = cmp.mapping(function() cmp.complete() end, { 'i' }),
  },
})
"""
BLINK = """
package.loaded['test_source'] = {
  new = function()
    return {
      get_completions = function(_, _, take)
        take({
          items = vim.tbl_map(function(item)
            return { label = item, filterText = 'ap' .. item, sortText = item, kind = 1 }
          end, items),
          is_incomplete_forward = false,
          is_incomplete_backward = false,
        })
      end,
    }
  end,
}
require('blink.cmp').setup({
  fuzzy = { implementation = 'lua', sorts = { 'sort_text' } },
  completion = {
    menu = { auto_show = false },
    list = { selection = { preselect = true, auto_insert = false } },
  },
  sources = { default = { 'test' }, providers = { test = { module = 'test_source' } } },
  keymap = { preset = 'none', ['<C-n>'] = { 'select_next' }, ['<F6>'] = { 'show' } },
})
"""


@dataclass(frozen=True)
class Menu:
    """A menu; `<F6>` opens it with ITEMS and selects the first one without inserting it."""

    plugin: str
    lua: str
    next_key: str

    @property
    def folder(self):
        real = ROOT / ".tools" / "nvim-plugins" / self.plugin
        stand_in = Path(__file__).parent / "menus" / self.plugin
        return real if real.is_dir() else stand_in

    @property
    def config(self):
        path = f"vim.opt.runtimepath:append({str(self.folder)!r})\n" if self.plugin else ""
        return f"{path}local items = vim.split({' '.join(ITEMS)!r}, ' ')\n{self.lua}"


MENUS = {
    "own": Menu("", OWN, "<Down>"),
    "cmp": Menu("nvim-cmp", CMP, "<C-n>"),
    "blink": Menu("blink.cmp", BLINK, "<C-n>"),
}


of_plugin = pytest.mark.newest_neovim("these menus are plugins, whose API is the same")


@pytest.fixture(
    scope="module",
    params=["own", pytest.param("cmp", marks=of_plugin), pytest.param("blink", marks=of_plugin)],
)
def kind(request):
    return MENUS[request.param]


@pytest.fixture(scope="module")
def _editor_with_menu(kind, version, lasting_model, tmp_path_factory):
    home = tmp_path_factory.mktemp(kind.plugin or "own")
    editor = Editor(version, home, kind.config + make_setup(settings=lasting_model.settings))
    yield editor
    editor.close()


@pytest.fixture
def editor(_editor_with_menu, model, tmp_path):
    """A Neovim with the menu open after `items.ap`, and its first item selected."""
    editor = reset_editor(_editor_with_menu, model, tmp_path)
    model.rules = RULES
    editor.open("")
    editor.press("i")
    editor.type("items.ap")
    editor.wait_for_ghost("x()")
    editor.press("<F6>")
    editor.wait_for_ghost("pend(value)")
    return editor


SELECTED = """
local menu = require('parrotlet.suggestions.completion_menu')
local selection, is_conflicting = menu.get_selection(...)
return selection and selection.text or is_conflicting and 'remap' or ''
"""


def wait_for_item(editor, kind, item, ghost):
    """Moves the selection to an item and waits for its ghost text.

    nvim-cmp may redraw its menu and select the first item again.
    """

    def is_shown():
        selected = editor.lua(SELECTED, editor.lines[0])
        if selected in ITEMS[: ITEMS.index(item)]:
            editor.press(kind.next_key)
        return selected == item and editor.ghost == ghost

    editor.wait_until(is_shown, f"{ghost!r} after {item}")


def test_the_suggestion_continues_the_selected_item(editor, kind):
    """If it fails, ghost text and menu contradict each other."""
    wait_for_item(editor, kind, "appendleft", "pendleft(first)")
    assert editor.lines == ["items.ap"]


def test_a_conflicting_item_hides_the_suggestion(editor, kind):
    """If it fails, ghost text is shown next to a menu item that would replace it."""
    wait_for_item(editor, kind, "remap", "")
    assert editor.lines == ["items.ap"]


def test_a_suggestion_can_be_accepted_while_the_menu_is_open(editor):
    """If it fails, users with an open menu cannot accept suggestions."""
    editor.lua("vim.keymap.set('i', '<F5>', function() require('parrotlet').accept() end)")
    editor.press("<F5>")
    editor.wait_until(lambda: editor.lines == ["items.append(value)"], "acceptance")


def test_menu_keys_belong_to_the_menu(editor):
    """If it fails, Tab accepts ghost text where it used to select from the menu."""
    editor.lua("vim.keymap.set('i', '<Tab>', function() _G.messages[1] = 'menu' end)")
    editor.press("<Tab>")
    assert editor.messages == ["menu"]
    assert editor.lines == ["items.ap"]


def test_closing_the_menu_restores_the_plain_suggestion(editor):
    """If it fails, a closed menu leaves the ghost text of its item."""
    editor.press("<Esc>")
    editor.wait_for_no_ghost()
    editor.press("a")
    editor.wait_for_ghost("x()")
