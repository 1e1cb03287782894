--- Messages to the user: one line each, and never so wide that Neovim stops at "Press ENTER".
---
--- Text that does not fit is shortened: first its longest path, in the middle, then its end. The
--- full texts are kept for `:Parrotlet messages`.
local M = {}

local PREFIX = 'Parrotlet: '
local ELLIPSIS = '…'
local MAX_COLUMNS = 79 -- however wide the window is
local MIN_COLUMNS = 20
local MIN_PATH_COLUMNS = 12
local MAX_KEPT = 50
local MORE = '… (:Parrotlet messages)'
local MIN_COLUMNS_FOR_MORE = 60

---@class parrotlet.Message
---@field time string
---@field text string

--- Recent messages in full, the oldest first.
---@type parrotlet.Message[]
local kept = {}

local get_width = vim.fn.strdisplaywidth

--- Returns the longest start of a text that is no wider than `columns`.
local function truncate_end(text, columns)
  local n_chars = math.min(vim.fn.strchars(text), columns)
  local start = vim.fn.strcharpart(text, 0, n_chars)
  while n_chars > 0 and get_width(start) > columns do
    n_chars = n_chars - 1
    start = vim.fn.strcharpart(text, 0, n_chars)
  end
  return start
end

--- Returns the longest end of a text that is no wider than `columns`.
local function truncate_start(text, columns)
  local n_chars = vim.fn.strchars(text)
  local from = math.max(0, n_chars - columns)
  local ending = vim.fn.strcharpart(text, from)
  while get_width(ending) > columns do
    from = from + 1
    ending = vim.fn.strcharpart(text, from)
  end
  return ending
end

--- Shortens a path in the middle.
---@param path string
---@param columns integer
---@return string
function M.shorten_path(path, columns)
  path = vim.fn.fnamemodify(path, ':~')
  if get_width(path) <= columns then
    return path
  end
  local available = math.max(columns, MIN_PATH_COLUMNS) - get_width(ELLIPSIS)
  local last = math.ceil(available * 2 / 3)
  return truncate_end(path, available - last) .. ELLIPSIS .. truncate_start(path, last)
end

--- Finds the longest path in a text. Quoted paths may contain spaces.
---@return string?
local function find_longest_path(text)
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

--- Fits a text into one line.
---@param text string
---@param columns integer
---@param ending? string Marks omitted text; by default says where to read it.
---@return string
function M.fit(text, columns, ending)
  local line = vim.trim((text:gsub('%s+', ' ')))
  local path = get_width(line) > columns and find_longest_path(line)
  if path then
    local others = get_width(line) - get_width(path)
    local from, to = line:find(path, 1, true)
    local short = M.shorten_path(path, math.max(MIN_PATH_COLUMNS, columns - others))
    line = line:sub(1, from - 1) .. short .. line:sub(to + 1)
  end
  if get_width(line) <= columns then
    return line
  end
  ending = ending or columns >= MIN_COLUMNS_FOR_MORE and MORE or ELLIPSIS
  return (truncate_end(line, columns - get_width(ending)):gsub('[%s,;:.]+$', '')) .. ending
end

--- Returns how wide a message may be before Neovim stops at "Press ENTER".
---@return integer columns
function M.get_max_columns()
  local free = vim.v.echospace > 0 and vim.v.echospace or MAX_COLUMNS
  return math.max(MIN_COLUMNS, math.min(MAX_COLUMNS, free))
end

--- Checks whether a text fits into a message as it is.
---@param text string
---@return boolean
function M.fits(text)
  return get_width(PREFIX .. text) <= M.get_max_columns()
end

---@param text string
local function keep(text)
  kept[#kept + 1] = {
    time = os.date('%H:%M:%S') --[[@as string]],
    text = text,
  }
  if #kept > MAX_KEPT then
    table.remove(kept, 1)
  end
end

--- Redraws first: a second message below an earlier one would make Neovim stop at "Press ENTER".
---@param line string
---@param level integer
local function notify(line, level)
  pcall(vim.cmd.redraw)
  vim.notify(line, level)
end

--- Shows a message. Never as an error: Neovim would discard typed-ahead keys, and would stop at
--- "Press ENTER" where 'cmdheight' is 0.
---@param text string
---@param level integer
local function show(text, level)
  level = math.min(level, vim.log.levels.WARN)
  keep(text)
  local function show_now()
    notify(M.fit(PREFIX .. text, M.get_max_columns()), level)
  end
  if vim.v.vim_did_enter == 1 then
    show_now()
  else
    vim.api.nvim_create_autocmd('VimEnter', { once = true, callback = vim.schedule_wrap(show_now) })
  end
end

--- Reports an event, or what the user asked for.
---@param text string
function M.info(text)
  show(text, vim.log.levels.INFO)
end

--- Reports a problem.
---@param text string
function M.warn(text)
  show(text, vim.log.levels.ERROR)
end

--- Warnings that were shown by warn_once().
---@type table<string, boolean>
local warned = {}

--- Reports a problem only once, although it recurs with each buffer.
---@param text string
function M.warn_once(text)
  if not warned[text] then
    warned[text] = true
    M.warn(text)
  end
end

--- Shows a message from the server, with the plugin's name for where its settings are written.
---@param text string
---@param level integer
function M.relay_server_message(text, level)
  show((text:gsub('^' .. PREFIX, ''):gsub('^initializationOptions: ', 'settings: ')), level)
end

--- Shows progress in the message line, without keeping it; not while a command is being typed.
---@param text string
function M.show_progress(text)
  if not vim.api.nvim_get_mode().mode:find('^[cr]') then
    pcall(vim.cmd.redraw)
    vim.api.nvim_echo({ { M.fit(PREFIX .. text, M.get_max_columns(), ELLIPSIS) } }, false, {})
  end
end

--- Shows recent messages in full.
function M.show_all()
  local lines = vim.tbl_map(function(message)
    return ('%s  %s'):format(message.time, (message.text:gsub('%s+', ' ')))
  end, kept)
  require('parrotlet.ui.float').open(lines[1] and lines or { 'No messages.' }, 'Parrotlet messages')
end

return M
