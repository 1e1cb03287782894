--- Where the user is typing, and all that a suggestion for there depends on.
local menu = require('parrotlet.suggestions.completion_menu')

local M = {}

---@class parrotlet.Place
---@field bufnr integer
---@field tick integer The buffer's.
---@field row integer The cursor's, from 0.
---@field col integer In bytes.
---@field line string The cursor's.
---@field selection? parrotlet.Selection In a menu.
---@field is_other boolean Whether something else is selected there.

--- Says whether the user is typing into a buffer.
---@param bufnr integer
---@return boolean
function M.is_typed_into(bufnr)
  local is_here = vim.api.nvim_get_current_buf() == bufnr
  return is_here and vim.api.nvim_get_mode().mode:sub(1, 1) == 'i'
end

--- The place of the current window's cursor.
---@return parrotlet.Place
function M.here()
  local row, col = unpack(vim.api.nvim_win_get_cursor(0))
  local line = vim.api.nvim_get_current_line()
  local selection, is_other = menu.selection(line:sub(1, col))
  local bufnr = vim.api.nvim_get_current_buf()
  return {
    bufnr = bufnr,
    tick = vim.api.nvim_buf_get_changedtick(bufnr),
    row = row - 1,
    col = col,
    line = line,
    selection = selection,
    is_other = is_other,
  }
end

---@param place parrotlet.Place
---@return string?
function M.selected(place)
  return place.selection and place.selection.text
end

--- Says whether what is suggested for one place holds for another.
---@param a parrotlet.Place
---@param b? parrotlet.Place
---@return boolean
function M.is_same(a, b)
  return b ~= nil
    and a.bufnr == b.bufnr
    and a.tick == b.tick
    and a.row == b.row
    and a.col == b.col
    and a.is_other == b.is_other
    and M.selected(a) == M.selected(b)
end

return M
