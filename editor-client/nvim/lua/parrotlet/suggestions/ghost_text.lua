--- Draws the remainder of a suggestion as ghost text, where it would be inserted.
---
--- It uses extmarks, in the same way in every version of Neovim. What is drawn, and when it is
--- cleared, is decided by `parrotlet.suggestions.session`.
local suggestions = require('parrotlet.suggestions.suggestion')

local M = {}

local NAMESPACE = vim.api.nvim_create_namespace('parrotlet.ghost_text')
local GHOST = 'ParrotletGhost'
local HINT = { GHOST, 'ParrotletHint' } -- the second is drawn over the first

require('parrotlet.suggestions.highlight').setup()

--- Replaces tabs with as many spaces as they would take up: virtual text has no tab stops.
---@param text string
---@param column integer The screen column at which the text starts, from 0.
---@return string
local function expand_tabs(text, column)
  if not text:find('\t', 1, true) then
    return text
  end
  local expanded = ''
  for piece, tab in text:gmatch('([^\t]*)(\t?)') do
    expanded = expanded .. piece
    if tab ~= '' then
      local end_column = column + vim.fn.strdisplaywidth(expanded, column)
      expanded = expanded .. (' '):rep(vim.fn.strdisplaywidth('\t', end_column))
    end
  end
  return expanded
end

---@param bufnr integer
---@param row integer
---@param col integer
---@param options vim.api.keyset.set_extmark
local function set_extmark(bufnr, row, col, options)
  options.hl_mode = 'combine'
  options.undo_restore = false
  vim.api.nvim_buf_set_extmark(bufnr, NAMESPACE, row, col, options)
end

--- Draws a single line around the characters that it replaces, which stay visible.
---@param bufnr integer
---@param remainder parrotlet.Remainder
---@param hint_chunk? table
---@param column integer The cursor's screen column.
local function draw_line(bufnr, remainder, hint_chunk, column)
  local indexes = assert(suggestions.align(remainder.text, remainder.replaced))
  local start = 1
  for n = 0, #indexes do
    local piece = remainder.text:sub(start, (indexes[n + 1] or #remainder.text + 1) - 1)
    local chunks = piece ~= '' and { { expand_tabs(piece, column), GHOST } } or {}
    if n == #indexes and hint_chunk then
      chunks[#chunks + 1] = hint_chunk
    end
    if chunks[1] then
      local options = { virt_text = chunks, virt_text_pos = 'inline' }
      set_extmark(bufnr, remainder.row, remainder.col + n, options)
    end
    column = column + vim.fn.strdisplaywidth(piece, column) + 1
    start = (indexes[n + 1] or 0) + 1
  end
end

--- Scrolls the window if it has too few lines below the cursor.
---@param n_lines integer
local function make_room(n_lines)
  local height = vim.fn.getwininfo(vim.api.nvim_get_current_win())[1].height -- without 'winbar'
  local n_missing = vim.fn.winline() + n_lines - height
  if n_missing > 0 then
    local view = vim.fn.winsaveview()
    vim.fn.winrestview({ topline = math.min(view.topline + n_missing, view.lnum) })
  end
end

--- Draws several lines. Text after the cursor would move to the end of the last line, so it is
--- shown there and hidden where it is.
---@param bufnr integer
---@param remainder parrotlet.Remainder
---@param lines string[]
---@param hint_chunk? table
---@param column integer The cursor's screen column.
local function draw_lines(bufnr, remainder, lines, hint_chunk, column)
  local behind = remainder.replaced .. remainder.suffix
  local first = expand_tabs(table.remove(lines, 1), column)
  local virt_lines = {}
  for _, line in ipairs(lines) do
    virt_lines[#virt_lines + 1] = { { expand_tabs(line, 0), GHOST } }
  end
  local last = virt_lines[#virt_lines]
  if remainder.suffix ~= '' then
    last[#last + 1] = { expand_tabs(remainder.suffix, vim.fn.strdisplaywidth(last[1][1])) }
  end
  last[#last + 1] = hint_chunk
  local n_hidden = vim.fn.strdisplaywidth(behind, column) - vim.fn.strdisplaywidth(first, column)
  set_extmark(bufnr, remainder.row, remainder.col, {
    virt_text = { { first .. (' '):rep(n_hidden), GHOST } },
    virt_text_pos = behind ~= '' and 'overlay' or 'inline',
    virt_lines = virt_lines,
  })
  make_room(#virt_lines)
end

--- Draws a remainder in place of earlier ghost text.
---@param bufnr integer
---@param remainder parrotlet.Remainder
---@param hint? string Shown after it.
function M.draw(bufnr, remainder, hint)
  M.clear(bufnr)
  local hint_chunk = hint and { ' ' .. hint, HINT } or nil
  local row = remainder.row
  local line = vim.api.nvim_buf_get_lines(bufnr, row, row + 1, false)[1]
  local column = vim.fn.strdisplaywidth(line:sub(1, remainder.col))
  local lines = vim.split(remainder.text, '\n', { plain = true })
  if #lines == 1 then
    draw_line(bufnr, remainder, hint_chunk, column)
  else
    draw_lines(bufnr, remainder, lines, hint_chunk, column)
  end
end

--- Removes ghost text.
---@param bufnr integer
function M.clear(bufnr)
  if vim.api.nvim_buf_is_valid(bufnr) then
    vim.api.nvim_buf_clear_namespace(bufnr, NAMESPACE, 0, -1)
  end
end

return M
