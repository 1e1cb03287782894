--- The menus of completion that may stand open: Neovim's own, nvim-cmp's and blink.cmp's.
---
--- An item that is selected there, but not inserted yet, is what the user is about to have: a
--- suggestion is to go on behind it. The plugins are never loaded from here. Called by
--- `parrotlet.suggestions.session` and `parrotlet.suggestions.keymap`.
local M = {}

local SNIPPET = 2 -- an lsp.InsertTextFormat
local BLINK_WINDOW = 'blink.cmp.completion.windows.menu' -- the module of blink.cmp's
local CMP_FILETYPE = 'cmp_menu' -- of the window that nvim-cmp draws
local DRAWING = vim.api.nvim_create_namespace('parrotlet.menu')

--- The word that is selected in Neovim's own menu.
---@type string?
local selected_word

--- Returns the text of an lsp.CompletionItem, of a snippet only what stands before its first place.
---@param item table
---@return string
local function text_of(item)
  local text = item.textEdit and item.textEdit.newText or item.insertText or item.label
  return item.insertTextFormat == SNIPPET and text:match('^[^$\\]*') or text
end

---@class parrotlet.Menu
---@field is_open fun(): boolean
---@field selected fun(): string? The selected item's text.

--- What nvim-cmp shows. Its public functions wait for its filter, which may take a second.
---@return table?
local function cmp_view()
  local cmp = package.loaded['cmp']
  return cmp and cmp.core and cmp.core.view
end

---@type parrotlet.Menu[]
local menus = {
  {
    is_open = function()
      return vim.fn.pumvisible() == 1
    end,
    selected = function()
      return selected_word
    end,
  },
  {
    is_open = function()
      local view = cmp_view()
      return view ~= nil and view:visible()
    end,
    selected = function()
      local entry = assert(cmp_view()):get_selected_entry()
      return entry and entry:get_word()
    end,
  },
  {
    is_open = function()
      -- Asked before it is set up, it would load its window with the wrong options.
      local is_set_up = package.loaded[BLINK_WINDOW] ~= nil
      return is_set_up and package.loaded['blink.cmp'].is_menu_visible()
    end,
    selected = function()
      local item = package.loaded['blink.cmp'].get_selected_item()
      return item and text_of(item)
    end,
  },
}

---@return parrotlet.Menu?
local function open_menu()
  return vim.iter(menus):find(function(menu)
    return menu.is_open()
  end)
end

--- Says whether any menu stands open.
---@return boolean
function M.is_open()
  return open_menu() ~= nil
end

---@class parrotlet.Selection
---@field text string The item's.
---@field length integer How many bytes of it stand before the cursor.

local function ends_in_word(text)
  return text:find('[%w_\128-\255]$') ~= nil
end

--- Returns how much of an item stands before the cursor already; nil if something else does.
---@param text string
---@param before string
---@return integer?
local function length_before(text, before)
  for length = math.min(#text, #before), 0, -1 do
    local head = before:sub(1, #before - length)
    local splits_word = ends_in_word(head) and text:find('^[%w_\128-\255]') ~= nil
    if not splits_word and before:sub(#head + 1) == text:sub(1, length) then
      return length
    end
  end
end

--- Returns the selected item that is still to be inserted, if there is one.
---@param before string The cursor's line up to it.
---@return parrotlet.Selection?
---@return boolean is_other Whether something else is selected than a longer form of what is typed.
function M.selection(before)
  local menu = open_menu()
  local text = menu and menu.selected()
  if not text or text == '' then
    return nil, false
  end
  local length = length_before(text, before)
  if not length then
    return nil, true
  end
  return length < #text and { text = text, length = length } or nil, false
end

--- Hears of Neovim's own menu, and of blink.cmp's.
local function hear(group, look)
  local later = vim.schedule_wrap(look)
  vim.api.nvim_create_autocmd('CompleteChanged', {
    group = group,
    callback = function()
      local item = vim.v.event.completed_item
      selected_word = item and item.word
      later()
    end,
  })
  vim.api.nvim_create_autocmd('CompleteDone', {
    group = group,
    callback = function()
      selected_word = nil
      later()
    end,
  })
  vim.api.nvim_create_autocmd('User', {
    group = group,
    pattern = { 'BlinkCmpListSelect', 'BlinkCmpMenuOpen', 'BlinkCmpMenuClose', 'BlinkCmpHide' },
    callback = later,
  })
  return later
end

--- Hears of nvim-cmp's menu. It tells when it comes and goes, but not when another item is
--- selected: then its window is drawn anew.
local function hear_cmp(later)
  local is_known = false
  vim.api.nvim_set_decoration_provider(DRAWING, {
    on_win = function(_, _, bufnr)
      if vim.bo[bufnr].filetype ~= CMP_FILETYPE then
        return false
      end
      if not is_known and package.loaded['cmp'] then
        is_known = true
        package.loaded['cmp'].event:on('menu_closed', later)
      end
      later()
      return false
    end,
  })
end

--- Calls back whenever another item may be selected.
---@param group integer The group of autocommands for it.
---@param look fun()
function M.watch(group, look)
  hear_cmp(hear(group, look))
end

return M
