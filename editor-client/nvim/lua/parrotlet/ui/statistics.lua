--- Shows what was suggested and accepted, as the server counted it on this machine.
local M = {}

local NOTE = 'Statistics stay on this machine.'

--- The counts in the server's own words, a line for each.
---@param answer table What `parrotlet.ui.statistics` answers.
---@return string[]
local function lines_of(answer)
  local lines = require('parrotlet.ui.report').lines(answer.report)
  return vim.list_extend(lines, { '', NOTE })
end

--- Shows them.
function M.show()
  local is_asked = require('parrotlet.server.client').execute(
    'parrotlet.statistics',
    function(answer)
      if answer then
        require('parrotlet.ui.float').open(lines_of(answer), 'Parrotlet statistics')
      end
    end
  )
  if not is_asked then
    require('parrotlet.ui.message').tell('statistics are unavailable: the server is not running')
  end
end

return M
