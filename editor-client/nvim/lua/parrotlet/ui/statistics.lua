--- Shows how many suggestions were shown and accepted, as the server counted them on this machine.
local M = {}

local NOTE = 'Statistics stay on this machine.'

--- Opens the window.
function M.show()
  local is_sent = require('parrotlet.server.client').execute(
    'parrotlet.statistics',
    function(result)
      if result then
        local lines = require('parrotlet.ui.report').format_rows(result.report)
        vim.list_extend(lines, { '', NOTE })
        require('parrotlet.ui.float').open(lines, 'Parrotlet statistics')
      end
    end
  )
  if not is_sent then
    require('parrotlet.ui.message').info('statistics are unavailable: the server is not running')
  end
end

return M
