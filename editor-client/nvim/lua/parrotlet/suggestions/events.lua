--- Forwards editor events to the sessions: typing, cursor movement, menu selections, leaving.
---
--- Neovim triggers these events before it redraws, so ghost text moves together with the text.
local completion_menu = require('parrotlet.suggestions.completion_menu')
local enablement = require('parrotlet.suggestions.enablement')
local sessions = require('parrotlet.suggestions.session')

local M = {}

local function update()
  local session = sessions.get_current()
  if session then
    session:update()
  end
end

local function reset()
  local session = sessions.get_all()[vim.api.nvim_get_current_buf()]
  if session then
    session:reset()
  end
end

--- Updates the current session once Neovim has processed the current event.
M.schedule_update = vim.schedule_wrap(update)

--- Hides suggestions in buffers where they are no longer enabled.
function M.apply_enablement()
  for bufnr, session in pairs(sessions.get_all()) do
    if enablement.get_pause_reason(bufnr) then
      session:reset()
    end
  end
end

--- Starts listening, for all sessions.
---@param group integer The autocommand group.
function M.listen(group)
  local function on(event, pattern, callback)
    vim.api.nvim_create_autocmd(event, { group = group, pattern = pattern, callback = callback })
  end
  on({ 'TextChangedI', 'TextChangedP', 'CursorMovedI' }, '*', update)
  on('InsertEnter', '*', M.schedule_update)
  on('ModeChanged', 'i*:[^i]*', reset)
  on({ 'BufLeave', 'WinLeave' }, '*', reset)
  completion_menu.listen(group, M.schedule_update)
end

return M
