--- Shows what the server answers to a command: a menu, a message, a page, or what went wrong.
---
--- The texts and what they do come from the server; here they only get Neovim's shape.
local message = require('parrotlet.ui.message')

local M = {}

local MAX_COLUMNS = 78 -- of a question

---@class parrotlet.Question
---@field message string
---@field detail string
---@field button string

--- What the user can choose: a command of the server.
---@class parrotlet.Action
---@field title string
---@field command string
---@field argument table
---@field description string
---@field question? parrotlet.Question To be confirmed first.

---@class parrotlet.Answer
---@field error? string
---@field message? string
---@field title? string
---@field actions? parrotlet.Action[]
---@field page? string

--- Breaks a text into lines between words; Neovim's dialogs would break inside them.
---@param text string
---@return string
local function wrap(text)
  local lines, columns = { '' }, math.min(vim.o.columns - 1, MAX_COLUMNS)
  for word in text:gmatch('%S+') do
    local line = lines[#lines] == '' and word or lines[#lines] .. ' ' .. word
    if vim.fn.strdisplaywidth(line) <= columns then
      lines[#lines] = line
    else
      lines[#lines + 1] = word
    end
  end
  return table.concat(lines, '\n')
end

---@param path string
local function open_page(path)
  local process, err = vim.ui.open(path)
  if not process and err then
    message.warn(('cannot open %s: %s'):format(path, err))
  end
end

--- Lets the user choose between actions; asks at once about a single one that needs it.
---@param title string
---@param actions parrotlet.Action[]
function M.show_menu(title, actions)
  if #actions == 1 and type(actions[1].question) == 'table' then
    M.choose(actions[1])
    return
  end
  vim.ui.select(actions, {
    prompt = title,
    format_item = function(action)
      local description = action.description
      return action.title .. (description ~= '' and (' (%s)'):format(description) or '')
    end,
  }, function(action)
    if action then
      M.choose(action)
    end
  end)
end

--- Shows an answer that the user waits for, in a window if it does not fit into one line.
---@param text string
---@param show_line fun(text: string)
local function show_text(text, show_line)
  if message.fits(text) then
    show_line(text)
  else
    require('parrotlet.ui.float').open({ text }, 'Parrotlet')
  end
end

---@param answer parrotlet.Answer
local function show(answer)
  if answer.error then
    show_text(answer.error, message.warn)
  elseif answer.page then
    open_page(answer.page)
  elseif answer.message and answer.message ~= '' then
    show_text(answer.message, message.info)
  elseif answer.actions and answer.actions[1] then
    M.show_menu(answer.title or '', answer.actions)
  end
end

--- Runs one of the server's commands, and passes its answer on.
---@param command string
---@param argument table
---@param on_answer fun(answer: parrotlet.Answer)
function M.request(command, argument, on_answer)
  local is_sent = require('parrotlet.server.client').execute(command, function(answer)
    if type(answer) == 'table' then
      on_answer(answer)
    else
      message.warn('this needs a newer server (:Parrotlet install)')
    end
  end, argument)
  if not is_sent then
    message.warn('the server is not running; open a supported file first')
  end
end

--- Runs one of the server's commands, and shows what it answers.
---@param command string
---@param argument table
function M.run(command, argument)
  M.request(command, argument, show)
end

--- Runs an action; asks first if that is to be confirmed.
---@param action parrotlet.Action
function M.choose(action)
  local question = action.question
  if type(question) == 'table' then
    local text = ('%s\n\n%s\n'):format(wrap(question.message), wrap(question.detail))
    if vim.fn.confirm(text, ('&%s\n&No'):format(question.button), 2) ~= 1 then
      return
    end
  end
  M.run(action.command, action.argument)
end

return M
