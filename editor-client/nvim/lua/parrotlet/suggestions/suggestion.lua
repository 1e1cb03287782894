--- A suggestion in a buffer: its text, its position, and how much of it remains to be typed.
---
--- Deals with text and positions only; it draws nothing and sends no requests. Used by
--- `parrotlet.suggestions.session`, `parrotlet.suggestions.ghost_text` and
--- `parrotlet.suggestions.acceptance`.
local M = {}

--- Extmarks at the start of suggestions, which follow edits above them.
local NAMESPACE = vim.api.nvim_create_namespace('parrotlet.suggestions')

---@class parrotlet.Suggestion
---@field text string The text of its whole range.
---@field extmark_id integer At the start of its range.
---@field suffix string The rest of the line after its range.
---@field selected_text? string The menu item for which it was made.
---@field command? lsp.Command To be run on acceptance: names the source of repeated text.
---@field latency_ms number From the request to the response.
---@field is_reported boolean Whether the server knows that it was shown.

--- What remains of a suggestion at the cursor.
---@class parrotlet.Remainder
---@field row integer The cursor's, from 0.
---@field col integer The cursor's, from 0, in bytes.
---@field text string What would be inserted.
---@field replaced string The text after the cursor that it would replace.
---@field suffix string The rest of the line after that.

--- Creates a suggestion from an item of the server's response.
---@param bufnr integer
---@param item table An lsp.InlineCompletionItem.
---@param encoding 'utf-8'|'utf-16'|'utf-32'
---@return parrotlet.Suggestion? # nil if it cannot be shown.
function M.from_item(bufnr, item, encoding)
  local range = item.range
  if type(item.insertText) ~= 'string' or item.insertText == '' then
    return
  end
  if not range or range.start.line ~= range['end'].line then
    return
  end
  local row = range.start.line
  local line = vim.api.nvim_buf_get_lines(bufnr, row, row + 1, false)[1]
  if not line then
    return
  end
  local start = vim.str_byteindex(line, encoding, range.start.character, false)
  local stop = vim.str_byteindex(line, encoding, range['end'].character, false)
  local options = { right_gravity = false, undo_restore = false }
  return {
    text = item.insertText,
    extmark_id = vim.api.nvim_buf_set_extmark(bufnr, NAMESPACE, row, start, options),
    suffix = line:sub(stop + 1),
    command = item.command ~= vim.NIL and item.command or nil,
    latency_ms = 0,
    is_reported = false,
  }
end

--- Removes a suggestion's extmark.
---@param bufnr integer
---@param suggestion parrotlet.Suggestion
function M.delete_extmark(bufnr, suggestion)
  if vim.api.nvim_buf_is_valid(bufnr) then
    vim.api.nvim_buf_del_extmark(bufnr, NAMESPACE, suggestion.extmark_id)
  end
end

--- Aligns replaced characters with the text that replaces them, each as late as possible: brackets
--- that the editor closed automatically correspond to the end of the text.
---@param text string
---@param replaced string
---@return integer[]? # The index in `text` of each byte of `replaced`; nil if some are missing.
function M.align(text, replaced)
  local indexes = {}
  local index = #text
  for n = #replaced, 1, -1 do
    local byte = replaced:byte(n)
    while index > 0 and text:byte(index) ~= byte do
      index = index - 1
    end
    if index == 0 then
      return
    end
    indexes[n] = index
    index = index - 1
  end
  return indexes
end

--- Computes what remains of a suggestion at the cursor; nil if it no longer fits the buffer, or if
--- nothing remains but what is already there.
---
--- It fits while its text starts with the text between its start and the cursor. The text after the
--- cursor may have gained brackets, if the suggestion closes them too.
---@param bufnr integer
---@param suggestion parrotlet.Suggestion
---@param row integer The cursor's, from 0.
---@param col integer
---@return parrotlet.Remainder?
function M.compute_remainder(bufnr, suggestion, row, col)
  local start = vim.api.nvim_buf_get_extmark_by_id(bufnr, NAMESPACE, suggestion.extmark_id, {})
  if not start[1] or row < start[1] or (row == start[1] and col < start[2]) then
    return
  end
  local lines = vim.api.nvim_buf_get_text(bufnr, start[1], start[2], row, col, {})
  local typed = table.concat(lines, '\n')
  if not vim.startswith(suggestion.text, typed) or typed == suggestion.text then
    return
  end
  local line = vim.api.nvim_buf_get_lines(bufnr, row, row + 1, false)[1]
  local behind = line:sub(col + 1)
  if not vim.endswith(behind, suggestion.suffix) then
    return
  end
  local text = suggestion.text:sub(#typed + 1)
  local replaced = behind:sub(1, #behind - #suggestion.suffix)
  if text == replaced then
    return
  end
  local is_ascii = not replaced:find('[\128-\255]')
  if replaced ~= '' and not (is_ascii and M.align(text, replaced)) then
    return
  end
  return { row = row, col = col, text = text, replaced = replaced, suffix = suggestion.suffix }
end

return M
