--- `:Parrotlet why`: answers "Why is nothing shown?".
---
--- It shows where suggestions are turned off, what the server is doing, and the server's own report
--- on the last request in the file.
local client = require('parrotlet.server.client')
local enablement = require('parrotlet.suggestions.enablement')
local message = require('parrotlet.ui.message')
local report = require('parrotlet.ui.report')
local status = require('parrotlet.ui.status')

local M = {}

local COMMAND = 'parrotlet.explain'
local NO_REQUEST = 'No suggestion has been requested in this file yet.'

--- Capitalizes a text and ends it with a full stop.
---@param text string
---@return string
local function make_sentence(text)
  local capitalized = text:sub(1, 1):upper() .. text:sub(2)
  return capitalized:find('[.?!]$') and capitalized or capitalized .. '.'
end

--- Formats the server's report on its last request.
---@param explanation table The result of `parrotlet.explain`.
---@return string[]
local function format_last_request(explanation)
  local elapsed_s = math.max(0, os.time() - math.floor(tonumber(explanation.time) or os.time()))
  local lines = { '', ('Last request, %d s ago:'):format(elapsed_s) }
  for _, line in ipairs(report.format_rows(explanation.report)) do
    lines[#lines + 1] = '  ' .. line
  end
  return lines
end

--- Collects the lines to show.
---@param bufnr integer
---@param on_lines fun(lines: string[])
function M.collect(bufnr, on_lines)
  local pause_reason = enablement.get_pause_reason(bufnr)
  local lines = { ('Suggestions are %s in this file.'):format(pause_reason and 'off' or 'on') }
  lines[#lines + 1] = make_sentence(status.describe(bufnr))
  if not pause_reason and not client.get(bufnr) then
    lines[#lines + 1] = 'This file is not connected to a server (:checkhealth parrotlet).'
  end
  local is_sent = client.execute(COMMAND, function(explanation)
    if explanation then
      vim.list_extend(lines, format_last_request(explanation))
    else
      lines[#lines + 1] = NO_REQUEST
    end
    on_lines(lines)
  end, { uri = vim.uri_from_bufnr(bufnr) })
  if not is_sent then
    on_lines(lines)
  end
end

--- Opens a window with everything that is known.
function M.show()
  M.collect(vim.api.nvim_get_current_buf(), function(lines)
    require('parrotlet.ui.float').open(lines, 'Why is nothing shown?')
  end)
end

--- Says in one sentence why a request brought no suggestion.
---@param bufnr integer
function M.show_summary(bufnr)
  local state = status.get(bufnr).state
  local is_running = state ~= 'error' and state ~= 'off' and client.get(bufnr) ~= nil
  local is_sent = is_running
    and client.execute(COMMAND, function(explanation)
      message.info(explanation and explanation.summary or NO_REQUEST)
    end, { uri = vim.uri_from_bufnr(bufnr) })
  if not is_sent then
    message.info(status.describe(bufnr))
  end
end

return M
