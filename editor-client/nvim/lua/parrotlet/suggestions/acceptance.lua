--- Accepts the suggestion that is shown: all of it, its next word, or the rest of its line.
---
--- Each is one undo step, separate from what was typed before and after.
local sessions = require('parrotlet.suggestions.session')
local suggestions = require('parrotlet.suggestions.suggestion')

local M = {}

---@alias parrotlet.AcceptUnit 'whole'|'word'|'line'

--- A word as defined by 'iskeyword', or a run of other non-blank characters.
local WORD = vim.regex([[^\%(\k\+\|\%(\k\@!\S\)\+\)]])

--- Functions that cut the part to accept off the start of a text.
---@type table<parrotlet.AcceptUnit, fun(text: string): string>
local cut = {
  whole = function(text)
    return text
  end,
  word = function(text)
    local space, line = text:match('^(%s*)([^\n]*)')
    local _, stop = WORD:match_str(line)
    return text:sub(1, #space + (stop or #line))
  end,
  line = function(text)
    local newline = text:find('\n', 2, true)
    return newline and text:sub(1, newline - 1) or text
  end,
}

--- What is about to be accepted. Recorded when the key is pressed, which may close the completion
--- menu for whose item the suggestion was made.
---@type { session: parrotlet.Session, match: parrotlet.Match, changedtick: integer }?
local pending

--- Inserts a part of the pending suggestion. Called with undo breaks around it.
---@param unit parrotlet.AcceptUnit
function M.apply(unit)
  local accepted = pending
  pending = nil
  if not accepted or accepted.changedtick ~= vim.api.nvim_buf_get_changedtick(0) then
    return
  end
  local remainder = accepted.match.remainder
  local piece = cut[unit](remainder.text)
  local n_replaced = 0
  for _, index in ipairs(assert(suggestions.align(remainder.text, remainder.replaced))) do
    n_replaced = n_replaced + (index <= #piece and 1 or 0)
  end
  local lines = vim.split(piece, '\n', { plain = true })
  local row, start = remainder.row, remainder.col
  vim.api.nvim_buf_set_text(0, row, start, row, start + n_replaced, lines)
  local col = #lines[#lines] + (#lines == 1 and start or 0)
  vim.api.nvim_win_set_cursor(0, { row + #lines, col })
  accepted.session:on_accepted(accepted.match.suggestion, piece, unit)
end

--- Accepts the suggestion that is shown, as soon as the calling mapping has ended.
---@param unit parrotlet.AcceptUnit
---@return boolean is_shown
function M.accept(unit)
  local session = sessions.get_current()
  local match = session and session:get_shown()
  if not session or not match then
    return false
  end
  pending = { session = session, match = match, changedtick = vim.api.nvim_buf_get_changedtick(0) }
  local call = ("<Cmd>lua require('parrotlet.suggestions.acceptance').apply('%s')<CR>"):format(unit)
  vim.api.nvim_feedkeys(vim.keycode('<C-g>u' .. call .. '<C-g>u'), 'in', false)
  return true
end

return M
