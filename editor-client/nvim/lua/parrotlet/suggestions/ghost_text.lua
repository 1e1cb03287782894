--- Draws the rest of a suggestion as ghost text, where it would be inserted.
---
--- By extmarks of its own, in the same way on every Neovim. It decides nothing:
--- `parrotlet.suggestions.session` says what is drawn and when it goes.
local suggestion = require('parrotlet.suggestions.suggestion')

local M = {}

--- Where ghost text is drawn.
M.NAMESPACE = vim.api.nvim_create_namespace('parrotlet.ghost')

local GHOST = 'ParrotletGhost'
local HINT = { GHOST, 'ParrotletHint' } -- one above the other

require('parrotlet.suggestions.highlight').setup()

--- Replaces tabs by the spaces that they would look like; virtual text has no stops of its own.
---@param text string
---@param column integer The screen column at which it begins, from 0.
---@return string
local function expanded(text, column)
  if not text:find('\t', 1, true) then
    return text
  end
  local out = ''
  for piece, tab in text:gmatch('([^\t]*)(\t?)') do
    out = out .. piece
    if tab ~= '' then
      local so_far = column + vim.fn.strdisplaywidth(out, column)
      out = out .. (' '):rep(vim.fn.strdisplaywidth('\t', so_far))
    end
  end
  return out
end

---@param bufnr integer
---@param row integer
---@param col integer
---@param options vim.api.keyset.set_extmark
local function mark(bufnr, row, col, options)
  options.hl_mode = 'combine'
  options.undo_restore = false
  vim.api.nvim_buf_set_extmark(bufnr, M.NAMESPACE, row, col, options)
end

--- Draws a text of one line among the characters that it replaces, which show through.
local function draw_among(bufnr, rest, hint, column)
  local places = assert(suggestion.aligned(rest.text, rest.covered))
  local from = 1
  for index = 0, #places do
    local piece = rest.text:sub(from, (places[index + 1] or #rest.text + 1) - 1)
    local chunks = piece ~= '' and { { expanded(piece, column), GHOST } } or {}
    if index == #places and hint then
      chunks[#chunks + 1] = hint
    end
    if chunks[1] then
      mark(bufnr, rest.row, rest.col + index, { virt_text = chunks, virt_text_pos = 'inline' })
    end
    column = column + vim.fn.strdisplaywidth(piece, column) + 1
    from = (places[index + 1] or 0) + 1
  end
end

--- Scrolls, if the window ends before so many lines below the cursor's.
---@param n_lines integer
local function make_room(n_lines)
  local missing = vim.fn.winline() + n_lines - vim.api.nvim_win_get_height(0)
  if missing > 0 then
    local view = vim.fn.winsaveview()
    vim.fn.winrestview({ topline = math.min(view.topline + missing, view.lnum) })
  end
end

--- Draws several lines. What stands behind the cursor would go to the end of the last one, so it is
--- shown there, and hidden where it stands.
local function draw_lines(bufnr, rest, lines, hint, column)
  local behind = rest.covered .. rest.tail
  local first = expanded(table.remove(lines, 1), column)
  local virt_lines = {}
  for _, line in ipairs(lines) do
    virt_lines[#virt_lines + 1] = { { expanded(line, 0), GHOST } }
  end
  local last = virt_lines[#virt_lines]
  if rest.tail ~= '' then
    last[#last + 1] = { expanded(rest.tail, vim.fn.strdisplaywidth(last[1][1])) }
  end
  last[#last + 1] = hint
  local hidden = vim.fn.strdisplaywidth(behind, column) - vim.fn.strdisplaywidth(first, column)
  mark(bufnr, rest.row, rest.col, {
    virt_text = { { first .. (' '):rep(hidden), GHOST } },
    virt_text_pos = behind ~= '' and 'overlay' or 'inline',
    virt_lines = virt_lines,
  })
  make_room(#virt_lines)
end

--- Draws a rest in place of what was drawn.
---@param bufnr integer
---@param rest parrotlet.Rest
---@param hint? string Shown behind it.
function M.draw(bufnr, rest, hint)
  M.clear(bufnr)
  local chunk = hint and { ' ' .. hint, HINT } or nil
  local line = vim.api.nvim_buf_get_lines(bufnr, rest.row, rest.row + 1, false)[1]
  local column = vim.fn.strdisplaywidth(line:sub(1, rest.col))
  local lines = vim.split(rest.text, '\n', { plain = true })
  if #lines == 1 then
    draw_among(bufnr, rest, chunk, column)
  else
    draw_lines(bufnr, rest, lines, chunk, column)
  end
end

--- Draws nothing any more.
---@param bufnr integer
function M.clear(bufnr)
  if vim.api.nvim_buf_is_valid(bufnr) then
    vim.api.nvim_buf_clear_namespace(bufnr, M.NAMESPACE, 0, -1)
  end
end

return M
