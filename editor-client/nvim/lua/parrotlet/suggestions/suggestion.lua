--- A suggestion in a buffer: its text, where it stands, and what of it is still to come.
---
--- Knows texts and places only: it draws nothing and asks nobody. Used by
--- `parrotlet.suggestions.session`, `parrotlet.suggestions.ghost_text` and
--- `parrotlet.suggestions.acceptance`.
local M = {}

--- Marks where suggestions begin, so that they are found again after changes before them.
local PLACES = vim.api.nvim_create_namespace('parrotlet.places')

---@class parrotlet.Suggestion
---@field text string All that is put into its range.
---@field mark integer The extmark at the beginning of its range.
---@field tail string What stands behind its range, to the end of the line.
---@field selected? string The item of a menu that it was made for.
---@field command? lsp.Command To be run when it is taken: it names whose text it repeats.
---@field ms number From the request to the answer.
---@field is_told boolean Whether the server knows that it was shown.

--- What of a suggestion is to come at the cursor.
---@class parrotlet.Rest
---@field row integer The cursor's, from 0.
---@field col integer The cursor's, in bytes.
---@field text string What is to be inserted there.
---@field covered string What stands behind the cursor and is replaced.
---@field tail string What stands behind that.

--- Takes a suggestion from the server's answer.
---@param bufnr integer
---@param item table An lsp.InlineCompletionItem.
---@param encoding 'utf-8'|'utf-16'|'utf-32'
---@return parrotlet.Suggestion? # nil if it is none that can be shown.
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
    mark = vim.api.nvim_buf_set_extmark(bufnr, PLACES, row, start, options),
    tail = line:sub(stop + 1),
    command = item.command ~= vim.NIL and item.command or nil,
    ms = 0,
    is_told = false,
  }
end

--- Forgets where a suggestion stands.
---@param bufnr integer
---@param suggestion parrotlet.Suggestion
function M.forget(bufnr, suggestion)
  if vim.api.nvim_buf_is_valid(bufnr) then
    vim.api.nvim_buf_del_extmark(bufnr, PLACES, suggestion.mark)
  end
end

--- Finds the characters that are replaced within the text that replaces them, as late as possible:
--- what an editor closed by itself is closed by the end of the text.
---@param text string
---@param covered string
---@return integer[]? # The place of each byte of `covered`; nil if they are not all there.
function M.aligned(text, covered)
  local places = {}
  local at = #text
  for index = #covered, 1, -1 do
    local byte = covered:byte(index)
    while at > 0 and text:byte(at) ~= byte do
      at = at - 1
    end
    if at == 0 then
      return
    end
    places[index] = at
    at = at - 1
  end
  return places
end

--- Says what of a suggestion is to come; nil if the buffer is no longer what it was made for.
---
--- It holds while what stands from its beginning to the cursor begins its text. What stands behind
--- the cursor may be brackets that were closed meanwhile, if the text closes them too.
---@param bufnr integer
---@param suggestion parrotlet.Suggestion
---@param row integer The cursor's, from 0.
---@param col integer
---@return parrotlet.Rest?
function M.rest(bufnr, suggestion, row, col)
  local mark = vim.api.nvim_buf_get_extmark_by_id(bufnr, PLACES, suggestion.mark, {})
  if not mark[1] or row < mark[1] or (row == mark[1] and col < mark[2]) then
    return
  end
  local typed = vim.api.nvim_buf_get_text(bufnr, mark[1], mark[2], row, col, {})
  local before = table.concat(typed, '\n')
  if not vim.startswith(suggestion.text, before) or before == suggestion.text then
    return
  end
  local line = vim.api.nvim_buf_get_lines(bufnr, row, row + 1, false)[1]
  local behind = line:sub(col + 1)
  if not vim.endswith(behind, suggestion.tail) then
    return
  end
  local text = suggestion.text:sub(#before + 1)
  local covered = behind:sub(1, #behind - #suggestion.tail)
  local is_ascii = not covered:find('[\128-\255]')
  if covered ~= '' and not (is_ascii and M.aligned(text, covered)) then
    return
  end
  return { row = row, col = col, text = text, covered = covered, tail = suggestion.tail }
end

return M
