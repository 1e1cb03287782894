--- Names the keys, once: when a user sees the first suggestion.
local keymap = require('parrotlet.suggestions.keymap')
local message = require('parrotlet.ui.message')

local M = {}

--- Whether it was shown, or need not be.
local is_done = false

--- The file that says so from then on.
local function mark()
  return vim.fs.joinpath(vim.fn.stdpath('data') --[[@as string]], 'parrotlet', 'keys-shown')
end

---@param bufnr integer
---@return string
local function sentence(bufnr)
  local accept, word = keymap.key_of(bufnr, 'accept'), keymap.key_of(bufnr, 'accept_word')
  if not accept or not word then
    return 'keys for suggestions: see :Parrotlet keys'
  end
  local text = '%s accepts, %s one word; see :Parrotlet keys'
  local long = text:format(keymap.label(accept), keymap.label(word))
  local short = ('%s accepts; see :Parrotlet keys'):format(keymap.label(accept))
  return message.fits(long) and long or short
end

--- Names the keys, if that was never done.
---@param bufnr integer
function M.show_once(bufnr)
  if is_done then
    return
  end
  is_done = true
  local path = mark()
  if vim.uv.fs_stat(path) then
    return
  end
  pcall(vim.fn.mkdir, vim.fs.dirname(path), 'p')
  local file = io.open(path, 'w')
  if file then
    file:close()
  end
  vim.schedule(function()
    message.tell(sentence(bufnr))
  end)
end

return M
