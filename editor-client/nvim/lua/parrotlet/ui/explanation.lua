--- Answers "why is nothing shown?": who turned suggestions off, what the server is doing, and how
--- its last request ended.
local client = require('parrotlet.server.client')
local message = require('parrotlet.ui.message')
local status = require('parrotlet.ui.status')
local switch = require('parrotlet.suggestions.enablement')

local M = {}

local NOTHING_YET = 'No suggestion has been requested yet.'

--- Begins a sentence with a capital letter and ends it with a full stop.
---@param text string
---@return string
local function sentence(text)
  local whole = text:sub(1, 1):upper() .. text:sub(2)
  return whole:find('[.?!]$') and whole or whole .. '.'
end

--- How a request ended, in the server's words; one of another release may have none.
local function summary_of(answer)
  return type(answer.summary) == 'string' and answer.summary or 'It ended without a summary.'
end

--- A figure of the answer; 0 where it has none.
local function number(value)
  return tonumber(value) or 0
end

--- Describes how a request went, a line for each thing there is to say.
---@param answer table What `parrotlet.explain` answers; its sentences are shown as they are.
---@return string[]
local function lines_of_request(answer)
  local ago = math.max(0, os.time() - math.floor(number(answer.time)))
  local lines = { ('Last request, %d s ago: %s'):format(ago, summary_of(answer)) }
  if number(answer.prompt_tokens) > 0 then
    lines[2] = ('  Took %d ms: %d prompt tokens (%d reused), %d new tokens.'):format(
      number(answer.total_ms),
      number(answer.prompt_tokens),
      number(answer.reused_tokens),
      number(answer.new_tokens)
    )
  end
  for _, text in ipairs(type(answer.adjustments) == 'table' and answer.adjustments or {}) do
    lines[#lines + 1] = '  ' .. text
  end
  if type(answer.attribution) == 'string' then
    lines[#lines + 1] = '  ' .. answer.attribution
  end
  return lines
end

--- Finds out, and calls back with the lines to show.
---@param bufnr integer
---@param take fun(lines: string[])
function M.lines(bufnr, take)
  local off = switch.why_quiet(bufnr)
  local lines = { ('Suggestions are %s in this file.'):format(off and 'off' or 'on') }
  lines[#lines + 1] = sentence(status.sentence(bufnr))
  if not off and not client.get(bufnr) then
    lines[#lines + 1] = 'This file is not connected to a server (:checkhealth parrotlet).'
  end
  local is_asked = client.execute('parrotlet.explain', function(answer)
    if answer then
      vim.list_extend(lines, lines_of_request(answer))
    else
      lines[#lines + 1] = NOTHING_YET
    end
    take(lines)
  end)
  if not is_asked then
    take(lines)
  end
end

--- Shows all there is to say.
function M.show()
  M.lines(vim.api.nvim_get_current_buf(), function(lines)
    require('parrotlet.ui.float').open(lines, 'Why is nothing shown?')
  end)
end

--- Says in one sentence why a suggestion that was asked for did not come.
---@param bufnr integer
function M.tell(bufnr)
  local state = status.get(bufnr).state
  local is_running = state ~= 'error' and state ~= 'off' and client.get(bufnr) ~= nil
  local is_asked = is_running
    and client.execute('parrotlet.explain', function(answer)
      message.tell(answer and summary_of(answer) or NOTHING_YET)
    end)
  if not is_asked then
    message.tell(status.sentence(bufnr))
  end
end

return M
