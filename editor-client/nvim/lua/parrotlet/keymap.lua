--- One key that accepts what is shown and otherwise does what it did before.
---
--- The mapping is the buffer's own. What the key did before is looked up when it is pressed, so
--- that mappings made later count too, and run as it was defined: it is copied to a <Plug> name,
--- with its callback, its script and its flags. Called by `parrotlet` as the client comes and goes.
local M = {}

local FORMER = '<Plug>(parrotlet-former)'
local DESCRIPTION = 'Accept the completion shown by Parrotlet'

--- The buffers' own mappings of the key that ours stand above, and the key itself.
---@type table<integer, { key: string, former?: table }>
local mapped = {}

local function is_key(mapping, key)
  local raw = vim.keycode(key)
  return mapping.lhsraw == raw or mapping.lhsrawalt == raw
end

local function find(mappings, key)
  return vim.iter(mappings):find(function(mapping)
    return is_key(mapping, key)
  end)
end

--- Makes FORMER do what the key did before.
local function define_former(bufnr)
  local key = mapped[bufnr].key
  local former = mapped[bufnr].former or find(vim.api.nvim_get_keymap('i'), key)
  if not former then
    vim.keymap.set('i', FORMER, key)
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

--- Maps `key` in a buffer.
---@param bufnr integer
---@param key string
function M.map(bufnr, key)
  if mapped[bufnr] then
    return
  end
  mapped[bufnr] = { key = key, former = find(vim.api.nvim_buf_get_keymap(bufnr, 'i'), key) }
  vim.keymap.set('i', key, function()
    -- An open menu's keys belong to the menu.
    if vim.fn.pumvisible() == 0 and vim.lsp.inline_completion.get({ bufnr = bufnr }) then
      return ''
    end
    define_former(bufnr)
    return FORMER
  end, { buffer = bufnr, expr = true, remap = true, desc = DESCRIPTION })
end

--- Gives the key back.
---@param bufnr integer
function M.unmap(bufnr)
  local ours = mapped[bufnr]
  mapped[bufnr] = nil
  if not ours or not vim.api.nvim_buf_is_valid(bufnr) then
    return
  end
  local present = find(vim.api.nvim_buf_get_keymap(bufnr, 'i'), ours.key)
  if not present or present.desc ~= DESCRIPTION then
    return -- the user has mapped it anew
  end
  vim.keymap.del('i', ours.key, { buffer = bufnr })
  if ours.former then
    vim.api.nvim_buf_call(bufnr, function()
      vim.fn.mapset('i', false, ours.former)
    end)
  end
end

return M
