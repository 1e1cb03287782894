--- The cursor's context: everything that a suggestion depends on.
local completion_menu = require('parrotlet.suggestions.completion_menu')

local M = {}

---@class parrotlet.CursorContext
---@field bufnr integer
---@field changedtick integer The buffer's.
---@field row integer From 0.
---@field col integer From 0, in bytes.
---@field line string
---@field selection? parrotlet.Selection In a completion menu.
---@field has_conflicting_selection boolean

--- Checks whether the user is in Insert mode in a buffer.
---@param bufnr integer
---@return boolean
function M.is_inserting(bufnr)
  local is_current = vim.api.nvim_get_current_buf() == bufnr
  return is_current and vim.api.nvim_get_mode().mode:sub(1, 1) == 'i'
end

--- Returns the context of the current window's cursor.
---@return parrotlet.CursorContext
function M.get_context()
  local row, col = unpack(vim.api.nvim_win_get_cursor(0))
  local line = vim.api.nvim_get_current_line()
  local selection, is_conflicting = completion_menu.get_selection(line:sub(1, col))
  local bufnr = vim.api.nvim_get_current_buf()
  return {
    bufnr = bufnr,
    changedtick = vim.api.nvim_buf_get_changedtick(bufnr),
    row = row - 1,
    col = col,
    line = line,
    selection = selection,
    has_conflicting_selection = is_conflicting,
  }
end

--- Returns the text of the selected menu item.
---@param context parrotlet.CursorContext
---@return string?
function M.get_selected_text(context)
  return context.selection and context.selection.text
end

--- Checks whether a suggestion for one context fits another.
---@param a parrotlet.CursorContext
---@param b? parrotlet.CursorContext
---@return boolean
function M.is_same(a, b)
  return b ~= nil
    and a.bufnr == b.bufnr
    and a.changedtick == b.changedtick
    and a.row == b.row
    and a.col == b.col
    and a.has_conflicting_selection == b.has_conflicting_selection
    and M.get_selected_text(a) == M.get_selected_text(b)
end

return M
