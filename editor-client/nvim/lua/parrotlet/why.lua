--- Answers "why is nothing shown?": who switched it off, what the server is doing, and how its last
--- request ended.
local client = require('parrotlet.client')
local message = require('parrotlet.message')
local status = require('parrotlet.status')
local switch = require('parrotlet.switch')

local M = {}

--- How a request ended, by the stage that the server tells.
local ENDS = {
  shown = 'something was suggested',
  ['typed through'] = 'what was suggested before went on',
  model = 'the model wrote nothing to show',
  rules = 'what the model wrote was dropped',
  confidence = 'the model was not sure enough',
  cancelled = 'it was overtaken by a newer one',
  failed = 'it failed',
}

--- Says how a request ended, in words.
---@param told table What `parrotlet.explain` answers.
---@return string
local function ending(told)
  local text = ENDS[told.stage] or told.stage
  if told.stage == 'confidence' then
    return ('%s (%d %% sure)'):format(text, 100 * (told.confidence or 0))
  end
  local reason = type(told.reason) == 'string' and told.reason ~= told.stage and told.reason
  return reason and ('%s (%s)'):format(text, (reason:gsub('_', ' '))) or text
end

--- Says whose text a suggestion repeats.
local function source_sentence(source)
  local licence = source.licence ~= '' and source.licence or 'licence not known'
  local text = 'it repeats %d tokens or more of %s, %s (%s)'
  return text:format(source.n_tokens, source.package, source.path, licence)
end

--- Says how a request went, a line for each thing there is to say.
---@param told table
---@return string[]
local function lines_of_request(told)
  local ago = math.max(0, os.time() - math.floor(told.time))
  local lines = {
    ('Last request, %d s ago: %s.'):format(ago, ending(told)),
    ('  wanted: a %s; took %d ms'):format(told.extent, told.total_ms or 0),
    ('  prompt: %d tokens, %d of them known from before; written: %d'):format(
      told.prompt_tokens,
      told.reused_tokens,
      told.new_tokens
    ),
  }
  if told.rules and told.rules[1] then
    local rules = table.concat(told.rules, ', '):gsub('_', ' ')
    lines[#lines + 1] = '  rules that changed it: ' .. rules
  end
  if type(told.source) == 'table' then
    lines[#lines + 1] = '  ' .. source_sentence(told.source)
  end
  return lines
end

--- Finds out, and calls back with the lines to show.
---@param bufnr integer
---@param take fun(lines: string[])
function M.lines(bufnr, take)
  local off = switch.why_quiet(bufnr)
  local lines = {
    off and ('Off here: %s.'):format(off) or 'On in this file.',
    ('Parrotlet is %s.'):format(status.sentence(bufnr)),
  }
  if off then
    table.remove(lines)
  elseif not client.get(bufnr) then
    lines[#lines + 1] = 'This file is not connected to the server; see :checkhealth parrotlet.'
  end
  local is_asked = client.execute('parrotlet.explain', function(told)
    if told then
      vim.list_extend(lines, lines_of_request(told))
    else
      lines[#lines + 1] = 'The server has not been asked for anything yet.'
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
    require('parrotlet.float').open(lines, 'Parrotlet: why')
  end)
end

--- Says in one sentence why something that was asked for did not come.
---@param bufnr integer
---@param what string
function M.tell(bufnr, what)
  local state = status.get(bufnr)
  if state.state == 'error' or state.state == 'off' or not client.get(bufnr) then
    message.tell(('%s: %s'):format(what, status.sentence(bufnr)))
    return
  end
  local is_asked = client.execute('parrotlet.explain', function(told)
    message.tell(('%s: %s'):format(what, told and ending(told) or state.state))
  end)
  if not is_asked then
    message.tell(('%s: %s'):format(what, status.sentence(bufnr)))
  end
end

return M
