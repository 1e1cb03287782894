--- Keys that act on what is shown, and otherwise do what they did before.
---
--- The mappings are the buffer's own. What a key did before is looked up when it is pressed, so
--- that mappings made later count too, and run as it was defined: it is copied to a <Plug> name,
--- with its callback, its script and its flags. Called by `parrotlet` as the client comes and goes.
local M = {}

local FORMER = '<Plug>(parrotlet-former)'
local DESCRIPTION = 'Parrotlet: '

--- Keys that belong to an open menu.
local MENU_KEYS = {}
for key in ('<Tab> <S-Tab> <CR> <C-n> <C-p> <C-y> <C-e> <Up> <Down> <C-Space>'):gmatch('%S+') do
  MENU_KEYS[vim.keycode(key)] = true
end

--- What a key can do: each says whether there was anything to do.
---@type table<string, fun(): boolean>
M.ACTIONS = {
  accept = function()
    return require('parrotlet.accept').take('whole')
  end,
  accept_word = function()
    return require('parrotlet.accept').take('word')
  end,
  accept_line = function()
    return require('parrotlet.accept').take('line')
  end,
  next = function()
    local session = require('parrotlet.session').current()
    return session ~= nil and session:cycle(1)
  end,
  previous = function()
    local session = require('parrotlet.session').current()
    return session ~= nil and session:cycle(-1)
  end,
  dismiss = function()
    local session = require('parrotlet.session').current()
    return session ~= nil and session:dismiss()
  end,
  suggest = function()
    local session = require('parrotlet.session').current()
    if session then
      session:suggest()
    else
      require('parrotlet.why').tell(vim.api.nvim_get_current_buf(), 'cannot ask')
    end
    return true
  end,
}

---@class parrotlet.Mapped
---@field key string
---@field former? table The buffer's own mapping that ours stands above.

--- Our mappings, by buffer.
---@type table<integer, parrotlet.Mapped[]>
local mapped = {}

local function find(mappings, key)
  local raw = vim.keycode(key)
  return vim.iter(mappings):find(function(mapping)
    return mapping.lhsraw == raw or mapping.lhsrawalt == raw
  end)
end

--- Makes FORMER do what the key did before.
---@param ours parrotlet.Mapped
local function define_former(ours)
  local former = ours.former or find(vim.api.nvim_get_keymap('i'), ours.key)
  if not former then
    vim.keymap.set('i', FORMER, ours.key)
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
---@param name string The action's.
local function map_one(bufnr, ours, name)
  vim.keymap.set('i', ours.key, function()
    local is_menus = MENU_KEYS[vim.keycode(ours.key)] and require('parrotlet.menu').is_open()
    if not is_menus and M.ACTIONS[name]() then
      return ''
    end
    define_former(ours)
    return FORMER
  end, { buffer = bufnr, expr = true, remap = true, desc = DESCRIPTION .. name })
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
  for name, key in pairs(keys) do
    if key then
      local ours = { key = key, former = find(present, key) }
      table.insert(mapped[bufnr], ours)
      map_one(bufnr, ours, name)
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
  for _, ours in ipairs(all) do
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

return M
