--- Messages to the user: one line each, never so wide that Neovim stops at "Press ENTER".
---
--- What does not fit is shortened: paths in their middle first, then the end of the sentence. The
--- full texts are kept for `:Parrotlet messages`.
local M = {}

local PREFIX = 'Parrotlet: '
local ELLIPSIS = '…'
local MOST_COLUMNS = 79 -- of the message line, however wide the window is
local LEAST_COLUMNS = 20
local LEAST_PATH = 12 -- columns that a shortened path keeps
local MOST_KEPT = 50 -- messages
local MORE = '… (:Parrotlet messages)'
local MORE_FROM = 60 -- columns from which on there is room for MORE

---@class parrotlet.Message
---@field time string
---@field text string

--- The newest messages, in full, the oldest first.
---@type parrotlet.Message[]
local kept = {}

local width = vim.fn.strdisplaywidth

--- Returns the longest beginning of a text that is no wider than `columns`.
local function head(text, columns)
  local n_chars = math.min(vim.fn.strchars(text), columns)
  local found = vim.fn.strcharpart(text, 0, n_chars)
  while n_chars > 0 and width(found) > columns do
    n_chars = n_chars - 1
    found = vim.fn.strcharpart(text, 0, n_chars)
  end
  return found
end

--- Returns the longest end of a text that is no wider than `columns`.
local function tail(text, columns)
  local n_chars = vim.fn.strchars(text)
  local from = math.max(0, n_chars - columns)
  local found = vim.fn.strcharpart(text, from)
  while width(found) > columns do
    from = from + 1
    found = vim.fn.strcharpart(text, from)
  end
  return found
end

--- Shortens a path in its middle.
---@param path string
---@param columns integer
---@return string
function M.short_path(path, columns)
  path = vim.fn.fnamemodify(path, ':~')
  if width(path) <= columns then
    return path
  end
  local kept_columns = math.max(columns, LEAST_PATH) - width(ELLIPSIS)
  local last = math.ceil(kept_columns * 2 / 3)
  return head(path, kept_columns - last) .. ELLIPSIS .. tail(path, last)
end

--- Returns the longest path in a sentence: in quotes it may hold spaces.
---@return string?
local function longest_path(text)
  local longest
  for _, pattern in ipairs({ "'([~/][^']*/[^']*)'", '[~/][^%s\'"(),;]*/[^%s\'"(),;]+' }) do
    for path in text:gmatch(pattern) do
      if not longest or #path > #longest then
        longest = path
      end
    end
  end
  return longest
end

--- Fits a sentence into one line.
---@param text string
---@param columns integer
---@param ending? string Where something is missing; by default it says where to read it.
---@return string
function M.fit(text, columns, ending)
  local line = vim.trim((text:gsub('%s+', ' ')))
  local path = width(line) > columns and longest_path(line)
  if path then
    local others = width(line) - width(path)
    local from, to = line:find(path, 1, true)
    local short = M.short_path(path, math.max(LEAST_PATH, columns - others))
    line = line:sub(1, from - 1) .. short .. line:sub(to + 1)
  end
  if width(line) <= columns then
    return line
  end
  ending = ending or columns >= MORE_FROM and MORE or ELLIPSIS
  return (head(line, columns - width(ending)):gsub('[%s,;:.]+$', '')) .. ending
end

--- The columns of a message that Neovim shows without stopping for a key.
---@return integer
function M.columns()
  local free = vim.v.echospace > 0 and vim.v.echospace or MOST_COLUMNS
  return math.max(LEAST_COLUMNS, math.min(MOST_COLUMNS, free))
end

--- Says whether a sentence fits into a message as it is.
---@param sentence string
---@return boolean
function M.fits(sentence)
  return width(PREFIX .. sentence) <= M.columns()
end

---@param sentence string
local function keep(sentence)
  kept[#kept + 1] = {
    time = os.date('%H:%M:%S') --[[@as string]],
    text = sentence,
  }
  if #kept > MOST_KEPT then
    table.remove(kept, 1)
  end
end

--- Shows a line where a former one may still stand, which would make Neovim stop for a key.
local function show(line, level)
  pcall(vim.cmd.redraw)
  vim.notify(line, level)
end

--- An error of Neovim's own would throw away what the user has typed ahead, and stops for a key
--- where 'cmdheight' is 0; so nothing is more than a warning.
---@param sentence string
---@param level integer
local function say(sentence, level)
  level = math.min(level, vim.log.levels.WARN)
  keep(sentence)
  local function now()
    show(M.fit(PREFIX .. sentence, M.columns()), level)
  end
  if vim.v.vim_did_enter == 1 then
    now()
  else
    vim.api.nvim_create_autocmd('VimEnter', { once = true, callback = vim.schedule_wrap(now) })
  end
end

--- Says what has happened, or what was asked for.
---@param sentence string
function M.tell(sentence)
  say(sentence, vim.log.levels.INFO)
end

--- Says what is wrong.
---@param sentence string
function M.complain(sentence)
  say(sentence, vim.log.levels.ERROR)
end

--- What was complained of once.
---@type table<string, boolean>
local complained = {}

--- Says what is wrong, unless it has been said: it would come again with each buffer.
---@param sentence string
function M.complain_once(sentence)
  if not complained[sentence] then
    complained[sentence] = true
    M.complain(sentence)
  end
end

--- Says what the server has to say, in the plugin's words for where the settings are.
---@param sentence string
---@param level integer
function M.pass_on(sentence, level)
  say((sentence:gsub('^' .. PREFIX, ''):gsub('^initializationOptions: ', 'settings: ')), level)
end

--- Shows how something goes, in the message line only; not while a command is being typed.
---@param sentence string
function M.progress(sentence)
  if not vim.api.nvim_get_mode().mode:find('^[cr]') then
    pcall(vim.cmd.redraw)
    vim.api.nvim_echo({ { M.fit(PREFIX .. sentence, M.columns(), ELLIPSIS) } }, false, {})
  end
end

--- Shows the newest messages in full.
function M.show_all()
  local lines = vim.tbl_map(function(message)
    return ('%s  %s'):format(message.time, (message.text:gsub('%s+', ' ')))
  end, kept)
  require('parrotlet.ui.float').open(lines[1] and lines or { 'No messages.' }, 'Parrotlet messages')
end

return M
