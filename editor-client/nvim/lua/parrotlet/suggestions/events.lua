--- Tells the sessions what the user does: types, moves, chooses in a menu, leaves.
---
--- Neovim triggers these events before it redraws, so ghost text moves in the same moment as the
--- text.
local menu = require('parrotlet.suggestions.completion_menu')
local sessions = require('parrotlet.suggestions.session')
local switch = require('parrotlet.suggestions.enablement')

local M = {}

local function look()
  local session = sessions.current()
  if session then
    session:look()
  end
end

local function leave()
  local session = sessions.all()[vim.api.nvim_get_current_buf()]
  if session then
    session:leave()
  end
end

--- Looks soon, when the mode or the menu is what it will be.
M.look_soon = vim.schedule_wrap(look)

--- Hides what is shown where nothing is to be suggested any more.
function M.obey_switch()
  for bufnr, session in pairs(sessions.all()) do
    if switch.why_quiet(bufnr) then
      session:leave()
    end
  end
end

--- Listens to Neovim, for all sessions.
---@param group integer The group of autocommands for it.
function M.listen(group)
  local function on(event, pattern, callback)
    vim.api.nvim_create_autocmd(event, { group = group, pattern = pattern, callback = callback })
  end
  on({ 'TextChangedI', 'TextChangedP', 'CursorMovedI' }, '*', look)
  on('InsertEnter', '*', M.look_soon)
  on('ModeChanged', 'i*:[^i]*', leave)
  on({ 'BufLeave', 'WinLeave' }, '*', leave)
  menu.watch(group, M.look_soon)
end

return M
