--- Shows what was suggested and taken, as the server counted it on this machine.
local M = {}

---@param told table What `parrotlet.statistics` answers.
---@return string[]
local function lines_of(told)
  local how = told.accepted_by
  local lines = {
    ('Shown             %d'):format(told.shown),
    ('Taken             %d: %d whole, %d words, %d lines'):format(
      told.accepted,
      how.whole,
      how.word,
      how.line
    ),
    ('Dismissed         %d'):format(told.rejected),
    ('Characters saved  %d'):format(told.characters_saved),
  }
  if type(told.latency_p50_ms) == 'number' then
    local text = 'Shown after       %d ms; one in twenty after %d ms'
    lines[#lines + 1] = text:format(told.latency_p50_ms, told.latency_p95_ms)
  end
  return vim.list_extend(lines, { '', 'Counted on this machine only; they never leave it.' })
end

--- Shows them.
function M.show()
  local is_asked = require('parrotlet.client').execute('parrotlet.statistics', function(told)
    if told then
      require('parrotlet.float').open(lines_of(told), 'Parrotlet: statistics')
    end
  end)
  if not is_asked then
    local status = require('parrotlet.status').sentence()
    require('parrotlet.message').tell('the server counts, and does not run: ' .. status)
  end
end

return M
