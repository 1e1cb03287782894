--- Keys that act on the suggestion, and otherwise do what they did before.
---
--- The mappings are buffer-local. What a key did before is looked up when it is pressed, so that
--- mappings defined later count too: the other mapping is copied to a <Plug> name, with its
--- callback, script and flags. A default key is left to any mapping that it already has.
local config = require('parrotlet.config')

local M = {}

local FALLBACK = '<Plug>(parrotlet-fallback)'
local DESCRIPTION = 'Parrotlet: '

---@class parrotlet.Action
---@field name string As in the option `keys`.
---@field text string

--- The actions, in the order in which they are listed.
---@type parrotlet.Action[]
M.ACTIONS = {
  { name = 'accept', text = 'accept the suggestion' },
  { name = 'accept_word', text = 'accept the next word' },
  { name = 'accept_line', text = 'accept the rest of the line' },
  { name = 'next', text = 'show the next alternative' },
  { name = 'previous', text = 'show the previous alternative' },
  { name = 'dismiss', text = 'hide the suggestion' },
  { name = 'suggest', text = 'request a suggestion' },
}

--- Keys that belong to an open completion menu.
local MENU_KEYS = {}
for key in ('<Tab> <S-Tab> <CR> <C-n> <C-p> <C-y> <C-e> <Up> <Down> <C-Space>'):gmatch('%S+') do
  MENU_KEYS[vim.keycode(key)] = true
end

--- The functions of the actions, by name. Each returns whether there was anything to do.
---@type table<string, fun(): boolean>
M.functions = {
  accept = function()
    return require('parrotlet.suggestions.acceptance').accept('whole')
  end,
  accept_word = function()
    return require('parrotlet.suggestions.acceptance').accept('word')
  end,
  accept_line = function()
    return require('parrotlet.suggestions.acceptance').accept('line')
  end,
  next = function()
    local session = require('parrotlet.suggestions.session').get_current()
    return session ~= nil and session:cycle(1)
  end,
  previous = function()
    local session = require('parrotlet.suggestions.session').get_current()
    return session ~= nil and session:cycle(-1)
  end,
  dismiss = function()
    local session = require('parrotlet.suggestions.session').get_current()
    return session ~= nil and session:dismiss()
  end,
  suggest = function()
    local session = require('parrotlet.suggestions.session').get_current()
    if session then
      session:suggest()
    else
      require('parrotlet.ui.explanation').show_summary(vim.api.nvim_get_current_buf())
    end
    return true
  end,
}

---@class parrotlet.Mapping
---@field key string
---@field is_default boolean Whether the user did not choose the key; then other mappings win.
---@field replaced? table The buffer-local mapping that ours replaced.

--- Our mappings, by buffer and action.
---@type table<integer, table<string, parrotlet.Mapping>>
local mappings_by_buffer = {}

---@param mappings table[]
---@param key string
local function find_mapping(mappings, key)
  local raw = vim.keycode(key)
  return vim.iter(mappings):find(function(mapping)
    return mapping.lhsraw == raw or mapping.lhsrawalt == raw
  end)
end

---@param key string
local function find_global_mapping(key)
  return find_mapping(vim.api.nvim_get_keymap('i'), key)
end

--- Returns what Neovim makes of an unmapped key in Insert mode: with Alt, <Esc> and the key.
---@param key string
---@return string keys
---@return boolean is_remapped Whether the keys are subject to mappings.
local function resolve_unmapped_key(key)
  local plain = key:match('^<[MmAa]%-(.+)>$')
  if not plain or plain:find('.%-.') then
    return key, false
  end
  return '<Esc>' .. (#plain == 1 and plain or ('<%s>'):format(plain)), true
end

--- Maps FALLBACK to what the key did before.
---@param ours parrotlet.Mapping
local function define_fallback(ours)
  local other = ours.replaced or find_global_mapping(ours.key)
  if not other then
    local keys, is_remapped = resolve_unmapped_key(ours.key)
    vim.keymap.set('i', FALLBACK, keys, { remap = is_remapped })
    return
  end
  local copy = vim.tbl_extend('force', other, {
    lhs = FALLBACK,
    lhsraw = vim.keycode(FALLBACK),
    buffer = 0,
  })
  copy.lhsrawalt = nil
  vim.fn.mapset('i', false, copy)
end

---@param ours parrotlet.Mapping
local function is_overridden(ours)
  return ours.is_default and find_global_mapping(ours.key) ~= nil
end

---@param bufnr integer
---@param ours parrotlet.Mapping
---@param action parrotlet.Action
local function map_action(bufnr, ours, action)
  vim.keymap.set('i', ours.key, function()
    local belongs_to_menu = MENU_KEYS[vim.keycode(ours.key)]
      and require('parrotlet.suggestions.completion_menu').is_open()
    if not is_overridden(ours) and not belongs_to_menu and M.functions[action.name]() then
      return ''
    end
    define_fallback(ours)
    return FALLBACK
  end, { buffer = bufnr, expr = true, remap = true, desc = DESCRIPTION .. action.text })
end

--- Checks whether an action gets no mapping, because its default key is used for something else.
---@param name string The action's.
---@param key string
---@param buffer_mappings table[]
local function should_skip(name, key, buffer_mappings)
  if config.chosen_keys[name] ~= nil then
    return false
  end
  for other, chosen in pairs(config.chosen_keys) do
    if other ~= name and chosen and vim.keycode(chosen) == vim.keycode(key) then
      return true
    end
  end
  -- The key that accepts is mapped above other mappings, and falls back to them.
  return name ~= 'accept'
    and (find_mapping(buffer_mappings, key) or find_global_mapping(key)) ~= nil
end

--- Maps keys in a buffer, unless that was done before.
---@param bufnr integer
---@param keys parrotlet.Keys
function M.map(bufnr, keys)
  if mappings_by_buffer[bufnr] then
    return
  end
  mappings_by_buffer[bufnr] = {}
  local buffer_mappings = vim.api.nvim_buf_get_keymap(bufnr, 'i')
  for _, action in ipairs(M.ACTIONS) do
    local name, key = action.name, keys[action.name]
    if key and not should_skip(name, key, buffer_mappings) then
      ---@type parrotlet.Mapping
      local ours = {
        key = key,
        is_default = config.chosen_keys[name] == nil and name ~= 'accept',
        replaced = find_mapping(buffer_mappings, key),
      }
      mappings_by_buffer[bufnr][name] = ours
      map_action(bufnr, ours, action)
    end
  end
end

--- Removes our mappings from a buffer, and restores those that they replaced.
---@param bufnr integer
function M.unmap(bufnr)
  local mappings = mappings_by_buffer[bufnr] or {}
  mappings_by_buffer[bufnr] = nil
  if not vim.api.nvim_buf_is_valid(bufnr) then
    return
  end
  for _, ours in pairs(mappings) do
    local current = find_mapping(vim.api.nvim_buf_get_keymap(bufnr, 'i'), ours.key)
    local is_ours = current and vim.startswith(current.desc or '', DESCRIPTION)
    if is_ours then -- otherwise the user has remapped the key
      vim.keymap.del('i', ours.key, { buffer = bufnr })
      if ours.replaced then
        vim.api.nvim_buf_call(bufnr, function()
          vim.fn.mapset('i', false, ours.replaced)
        end)
      end
    end
  end
end

--- Returns the key for an action in a buffer; nil if there is none.
---@param bufnr integer
---@param name string The action's.
---@return string?
function M.get_key(bufnr, name)
  local ours = mappings_by_buffer[bufnr] and mappings_by_buffer[bufnr][name]
  return ours and not is_overridden(ours) and ours.key or nil
end

--- Returns a key as people write it.
---@param key string
---@return string
function M.format_key(key)
  return (key:gsub('Bslash', '\\'):gsub('Bar', '|'))
end

--- Lists all actions and their keys, a line each.
---@param bufnr integer
---@return string[]
function M.list_keys(bufnr)
  local lines = {}
  for _, action in ipairs(M.ACTIONS) do
    local key = config.options.keys[action.name]
    local label, note = key and M.format_key(key) or '', ''
    if not key then
      note = ' (no key)'
    elseif mappings_by_buffer[bufnr] and not M.get_key(bufnr, action.name) then
      note = ' (not mapped: the key is in use)'
    end
    lines[#lines + 1] = ('%-12s %s%s'):format(label, action.text, note)
  end
  return lines
end

return M
