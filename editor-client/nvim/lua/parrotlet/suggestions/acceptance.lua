--- Takes what is shown: all of it, its next word, or the rest of its line.
---
--- Each is one step of undo, with what was typed before and after in steps of their own.
local sessions = require('parrotlet.suggestions.session')
local suggestions = require('parrotlet.suggestions.suggestion')

local M = {}

---@alias parrotlet.How 'whole'|'word'|'line'

--- A word, as the buffer's 'iskeyword' has it, or signs that are none.
local WORD = vim.regex([[^\%(\k\+\|\%(\k\@!\S\)\+\)]])

---@type table<parrotlet.How, fun(text: string): string>
local piece_of = {
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

--- What is being taken: found when the key is pressed, since that may close the menu for whose item
--- it was suggested.
---@type { session: parrotlet.Session, shown: parrotlet.Fitting, tick: integer }?
local taking

--- Puts a piece of what is being taken into the buffer. Called with the undo step broken around it.
---@param how parrotlet.How
function M.apply(how)
  local now = taking
  taking = nil
  if not now or now.tick ~= vim.api.nvim_buf_get_changedtick(0) then
    return
  end
  local rest = now.shown.rest
  local piece = piece_of[how](rest.text)
  local replaced = 0
  for _, place in ipairs(assert(suggestions.aligned(rest.text, rest.covered))) do
    replaced = replaced + (place <= #piece and 1 or 0)
  end
  local lines = vim.split(piece, '\n', { plain = true })
  local stop = rest.col + replaced
  vim.api.nvim_buf_set_text(0, rest.row, rest.col, rest.row, stop, lines)
  local col = #lines[#lines] + (#lines == 1 and rest.col or 0)
  vim.api.nvim_win_set_cursor(0, { rest.row + #lines, col })
  now.session:took(now.shown.suggestion, piece, how)
end

--- Takes what is shown, as soon as the mapping that calls this has ended.
---@param how parrotlet.How
---@return boolean # Whether anything is shown.
function M.take(how)
  local session = sessions.current()
  local shown = session and session:shown()
  if not session or not shown then
    return false
  end
  taking = { session = session, shown = shown, tick = vim.api.nvim_buf_get_changedtick(0) }
  local call = ("<Cmd>lua require('parrotlet.suggestions.acceptance').apply('%s')<CR>"):format(how)
  vim.api.nvim_feedkeys(vim.keycode('<C-g>u' .. call .. '<C-g>u'), 'in', false)
  return true
end

return M
