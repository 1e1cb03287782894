--- Keys that act on the suggestion, and otherwise do what they did before.
---
--- The mappings are the buffer's own. What a key did before is looked up when it is pressed, so
--- that mappings made later count too, and run as it was defined: it is copied to a <Plug> name,
--- with its callback, its script and its flags. A key that the user has not named for an action is
--- left to the mapping it already has. Called by `parrotlet` as the client comes and goes.
local config = require('parrotlet.config')

local M = {}

local FORMER = '<Plug>(parrotlet-former)'
local DESCRIPTION = 'Parrotlet: '

--- The actions in the order in which they are listed, and what each does.
---@type { name: string, text: string }[]
local DESCRIBED = {
  { name = 'accept', text = 'accept the suggestion' },
  { name = 'accept_word', text = 'accept the next word' },
  { name = 'accept_line', text = 'accept the rest of the line' },
  { name = 'next', text = 'show the next alternative' },
  { name = 'previous', text = 'show the previous alternative' },
  { name = 'dismiss', text = 'hide the suggestion' },
  { name = 'suggest', text = 'request a suggestion' },
}

--- Keys that belong to an open menu.
local MENU_KEYS = {}
for key in ('<Tab> <S-Tab> <CR> <C-n> <C-p> <C-y> <C-e> <Up> <Down> <C-Space>'):gmatch('%S+') do
  MENU_KEYS[vim.keycode(key)] = true
end

--- What a key can do: each says whether there was anything to do.
---@type table<string, fun(): boolean>
M.ACTIONS = {
  accept = function()
    return require('parrotlet.suggestions.acceptance').take('whole')
  end,
  accept_word = function()
    return require('parrotlet.suggestions.acceptance').take('word')
  end,
  accept_line = function()
    return require('parrotlet.suggestions.acceptance').take('line')
  end,
  next = function()
    local session = require('parrotlet.suggestions.session').current()
    return session ~= nil and session:cycle(1)
  end,
  previous = function()
    local session = require('parrotlet.suggestions.session').current()
    return session ~= nil and session:cycle(-1)
  end,
  dismiss = function()
    local session = require('parrotlet.suggestions.session').current()
    return session ~= nil and session:dismiss()
  end,
  suggest = function()
    local session = require('parrotlet.suggestions.session').current()
    if session then
      session:suggest()
    else
      require('parrotlet.ui.explanation').tell(vim.api.nvim_get_current_buf())
    end
    return true
  end,
}

---@class parrotlet.Mapped
---@field key string
---@field is_yielding boolean Whether another mapping of the key goes first: nobody named it.
---@field former? table The buffer's own mapping that ours stands above.

--- Our mappings, by buffer and action.
---@type table<integer, table<string, parrotlet.Mapped>>
local mapped = {}

local function find(mappings, key)
  local raw = vim.keycode(key)
  return vim.iter(mappings):find(function(mapping)
    return mapping.lhsraw == raw or mapping.lhsrawalt == raw
  end)
end

local function find_global(key)
  return find(vim.api.nvim_get_keymap('i'), key)
end

--- What Neovim makes of a key in Insert mode that nobody has mapped: with Alt, <Esc> and the key.
---@param key string
---@return string keys
---@return boolean is_remapped Whether the keys are subject to mappings.
local function unmapped(key)
  local plain = key:match('^<[MmAa]%-(.+)>$')
  if not plain or plain:find('.%-.') then
    return key, false
  end
  return '<Esc>' .. (#plain == 1 and plain or ('<%s>'):format(plain)), true
end

--- Makes FORMER do what the key did before.
---@param ours parrotlet.Mapped
local function define_former(ours)
  local former = ours.former or find_global(ours.key)
  if not former then
    local keys, is_remapped = unmapped(ours.key)
    vim.keymap.set('i', FORMER, keys, { remap = is_remapped })
    return
  end
  local copy = vim.tbl_extend('force', former, {
    lhs = FORMER,
    lhsraw = vim.keycode(FORMER),
    buffer = 0,
  })
  copy.lhsrawalt = nil
  vim.fn.mapset('i', false, copy)
end

---@param bufnr integer
---@param ours parrotlet.Mapped
---@param action { name: string, text: string }
local function map_one(bufnr, ours, action)
  vim.keymap.set('i', ours.key, function()
    local is_others = ours.is_yielding and find_global(ours.key) ~= nil
      or MENU_KEYS[vim.keycode(ours.key)]
        and require('parrotlet.suggestions.completion_menu').is_open()
    if not is_others and M.ACTIONS[action.name]() then
      return ''
    end
    define_former(ours)
    return FORMER
  end, { buffer = bufnr, expr = true, remap = true, desc = DESCRIPTION .. action.text })
end

--- Says whether a key is left alone: it is a default, and is used for something else already.
---@param name string The action's.
---@param key string
---@param present table[] The buffer's mappings.
local function is_left_alone(name, key, present)
  local is_chosen = config.chosen_keys[name] ~= nil
  if is_chosen then
    return false
  end
  for other, chosen in pairs(config.chosen_keys) do
    if other ~= name and chosen and vim.keycode(chosen) == vim.keycode(key) then
      return true
    end
  end
  -- The key that accepts has always gone above other mappings, which it falls back to.
  return name ~= 'accept' and (find(present, key) or find_global(key)) ~= nil
end

--- Maps the keys of the options in a buffer.
---@param bufnr integer
---@param keys parrotlet.Keys
function M.map(bufnr, keys)
  if mapped[bufnr] then
    return
  end
  mapped[bufnr] = {}
  local present = vim.api.nvim_buf_get_keymap(bufnr, 'i')
  for _, action in ipairs(DESCRIBED) do
    local name, key = action.name, keys[action.name]
    if key and not is_left_alone(name, key, present) then
      local ours = {
        key = key,
        is_yielding = config.chosen_keys[name] == nil and name ~= 'accept',
        former = find(present, key),
      }
      mapped[bufnr][name] = ours
      map_one(bufnr, ours, action)
    end
  end
end

--- Gives the keys back.
---@param bufnr integer
function M.unmap(bufnr)
  local all = mapped[bufnr] or {}
  mapped[bufnr] = nil
  if not vim.api.nvim_buf_is_valid(bufnr) then
    return
  end
  for _, ours in pairs(all) do
    local present = find(vim.api.nvim_buf_get_keymap(bufnr, 'i'), ours.key)
    local is_ours = present and vim.startswith(present.desc or '', DESCRIPTION)
    if is_ours then -- else the user has mapped it anew
      vim.keymap.del('i', ours.key, { buffer = bufnr })
      if ours.former then
        vim.api.nvim_buf_call(bufnr, function()
          vim.fn.mapset('i', false, ours.former)
        end)
      end
    end
  end
end

--- The key that does something in a buffer; nil if none does.
---@param bufnr integer
---@param name string The action's.
---@return string?
function M.key_of(bufnr, name)
  local ours = mapped[bufnr] and mapped[bufnr][name]
  local is_others = ours and ours.is_yielding and find_global(ours.key) ~= nil
  return ours and not is_others and ours.key or nil
end

--- A key as people write it.
---@param key string
---@return string
function M.label(key)
  return (key:gsub('Bslash', '\\'):gsub('Bar', '|'))
end

--- Lists all actions and the keys for them, a line each.
---@param bufnr integer
---@return string[]
function M.lines(bufnr)
  local lines = {}
  for _, action in ipairs(DESCRIBED) do
    local key = config.options.keys[action.name]
    local shown, note = key and M.label(key) or '', ''
    if not key then
      note = ' (no key)'
    elseif mapped[bufnr] and not M.key_of(bufnr, action.name) then
      note = ' (not mapped: the key is in use)'
    end
    lines[#lines + 1] = ('%-12s %s%s'):format(shown, action.text, note)
  end
  return lines
end

return M
