--- Completion menus that may be open: Neovim's own, nvim-cmp's and blink.cmp's.
---
--- If an item is selected but not inserted yet, a suggestion should continue after it. The plugins
--- are never loaded from here. Called by `parrotlet.suggestions.cursor`,
--- `parrotlet.suggestions.keymap` and `parrotlet.suggestions.events`.
local M = {}

local SNIPPET = 2 -- an lsp.InsertTextFormat
local BLINK_MENU = 'blink.cmp.completion.windows.menu' -- a module of blink.cmp
local CMP_FILETYPE = 'cmp_menu' -- of nvim-cmp's window
local NAMESPACE = vim.api.nvim_create_namespace('parrotlet.completion_menu')

--- The word that is selected in Neovim's own menu.
---@type string?
local selected_word

--- Returns the text of an lsp.CompletionItem; for a snippet, only the part before its first tab
--- stop.
---@param item table
---@return string
local function get_item_text(item)
  local text = item.textEdit and item.textEdit.newText or item.insertText or item.label
  return item.insertTextFormat == SNIPPET and text:match('^[^$\\]*') or text
end

---@class parrotlet.Menu
---@field is_open fun(): boolean
---@field get_selected fun(): string? Returns the selected item's text.

--- Returns nvim-cmp's view. Its public functions wait for its filter, which may take a second.
---@return table?
local function get_cmp_view()
  local cmp = package.loaded['cmp']
  return cmp and cmp.core and cmp.core.view
end

---@type parrotlet.Menu[]
local menus = {
  {
    is_open = function()
      return vim.fn.pumvisible() == 1
    end,
    get_selected = function()
      return selected_word
    end,
  },
  {
    is_open = function()
      local view = get_cmp_view()
      return view ~= nil and view:visible()
    end,
    get_selected = function()
      local entry = assert(get_cmp_view()):get_selected_entry()
      return entry and entry:get_word()
    end,
  },
  {
    is_open = function()
      -- Asked before its setup, blink.cmp would create its window with the wrong options.
      local is_set_up = package.loaded[BLINK_MENU] ~= nil
      return is_set_up and package.loaded['blink.cmp'].is_menu_visible()
    end,
    get_selected = function()
      local item = package.loaded['blink.cmp'].get_selected_item()
      return item and get_item_text(item)
    end,
  },
}

---@return parrotlet.Menu?
local function find_open_menu()
  return vim.iter(menus):find(function(menu)
    return menu.is_open()
  end)
end

--- Checks whether any menu is open.
---@return boolean
function M.is_open()
  return find_open_menu() ~= nil
end

---@class parrotlet.Selection
---@field text string The item's.
---@field n_typed integer How many bytes of it precede the cursor.

local function ends_in_word(text)
  return text:find('[%w_\128-\255]$') ~= nil
end

--- Returns how many bytes of an item have been typed; nil if something else has.
---@param text string
---@param before string
---@return integer?
local function count_typed(text, before)
  for length = math.min(#text, #before), 0, -1 do
    local head = before:sub(1, #before - length)
    local splits_word = ends_in_word(head) and text:find('^[%w_\128-\255]') ~= nil
    if not splits_word and before:sub(#head + 1) == text:sub(1, length) then
      return length
    end
  end
end

--- Returns the selected item, if it has not been inserted yet.
---@param before string The line up to the cursor.
---@return parrotlet.Selection?
---@return boolean is_conflicting Whether the selected item does not extend what has been typed.
function M.get_selection(before)
  local menu = find_open_menu()
  local text = menu and menu.get_selected()
  if not text or text == '' then
    return nil, false
  end
  local n_typed = count_typed(text, before)
  if not n_typed then
    return nil, true
  end
  return n_typed < #text and { text = text, n_typed = n_typed } or nil, false
end

--- Listens to Neovim's own menu and to blink.cmp's.
---@param group integer
---@param on_change fun() Called when the menu has changed.
local function listen_to_events(group, on_change)
  vim.api.nvim_create_autocmd('CompleteChanged', {
    group = group,
    callback = function()
      local item = vim.v.event.completed_item
      selected_word = item and item.word
      on_change()
    end,
  })
  vim.api.nvim_create_autocmd('CompleteDone', {
    group = group,
    callback = function()
      selected_word = nil
      on_change()
    end,
  })
  vim.api.nvim_create_autocmd('User', {
    group = group,
    pattern = { 'BlinkCmpListSelect', 'BlinkCmpMenuOpen', 'BlinkCmpMenuClose', 'BlinkCmpHide' },
    callback = on_change,
  })
end

--- Listens to nvim-cmp's menu. It has events for opening and closing, but not for the selection,
--- whose change redraws its window.
---@param on_change fun()
local function listen_to_cmp(on_change)
  local is_listening = false
  vim.api.nvim_set_decoration_provider(NAMESPACE, {
    on_win = function(_, _, bufnr)
      if vim.bo[bufnr].filetype ~= CMP_FILETYPE then
        return false
      end
      if not is_listening and package.loaded['cmp'] then
        is_listening = true
        package.loaded['cmp'].event:on('menu_closed', on_change)
      end
      on_change()
      return false
    end,
  })
end

--- Calls back, a moment later, whenever another item may be selected.
---@param group integer The autocommand group.
---@param on_change fun()
function M.listen(group, on_change)
  local on_change_later = vim.schedule_wrap(on_change)
  listen_to_events(group, on_change_later)
  listen_to_cmp(on_change_later)
end

return M
