--- Names the keys, once ever: when the user sees the first suggestion.
local keymap = require('parrotlet.suggestions.keymap')
local message = require('parrotlet.ui.message')

local M = {}

--- Whether this Neovim has shown the hint, or found that it was shown earlier.
local is_done = false

--- Returns the file whose existence records that the hint was shown.
local function get_marker_path()
  return vim.fs.joinpath(vim.fn.stdpath('data') --[[@as string]], 'parrotlet', 'keys-shown')
end

---@param bufnr integer
---@return string
local function build_text(bufnr)
  local accept, word = keymap.get_key(bufnr, 'accept'), keymap.get_key(bufnr, 'accept_word')
  if not accept or not word then
    return 'keys for suggestions: see :Parrotlet keys'
  end
  local format = '%s accepts, %s one word; see :Parrotlet keys'
  local long = format:format(keymap.format_key(accept), keymap.format_key(word))
  local short = ('%s accepts; see :Parrotlet keys'):format(keymap.format_key(accept))
  return message.fits(long) and long or short
end

--- Names the keys, unless that was done before.
---@param bufnr integer
function M.show_once(bufnr)
  if is_done then
    return
  end
  is_done = true
  local path = get_marker_path()
  if vim.uv.fs_stat(path) then
    return
  end
  pcall(vim.fn.mkdir, vim.fs.dirname(path), 'p')
  local file = io.open(path, 'w')
  if file then
    file:close()
  end
  vim.schedule(function()
    message.info(build_text(bufnr))
  end)
end

return M
