--- Adapting the model to the workspace: commands about it, and how it is going.
---
--- A process of its own does the work and continues when Neovim is closed; the server follows it
--- and provides all texts.
local message = require('parrotlet.ui.message')
local server_menu = require('parrotlet.ui.server_menu')
local status = require('parrotlet.ui.status')

local M = {}

---@class parrotlet.AdaptationReport
---@field name string
---@field status string In a few words; empty once it has ended.
---@field title string In a sentence.
---@field actions parrotlet.Action[]
---@field notices { message: string, is_problem: boolean }[] What the user should read now.

--- What `:Parrotlet adapt` takes, with the server's commands.
M.COMMANDS = {
  pause = 'parrotlet.pauseAdaptation',
  resume = 'parrotlet.resumeAdaptation',
  cancel = 'parrotlet.cancelAdaptation',
  report = 'parrotlet.adaptationReport',
}

--- Adaptations that have not ended, by name: each workspace may have one.
---@type table<string, parrotlet.AdaptationReport>
local open = {}

--- Shows the adaptation that has not ended in the status.
local function update_status()
  local _, report = next(open)
  status.set_adaptation(report and report.status)
end

--- Shows how an adaptation is going, as the server reports it.
---@param report parrotlet.AdaptationReport
function M.on_report(report)
  open[report.name] = report.status ~= '' and report or nil
  update_status()
  for _, notice in ipairs(report.notices) do
    local show = notice.is_problem and message.warn or message.info
    show(notice.message)
  end
end

--- Forgets everything: there is no server that would know.
function M.clear()
  open = {}
  update_status()
end

--- Returns the argument that names the current buffer's workspace.
local function get_workspace()
  local root = require('parrotlet.settings.workspace').find_root(vim.api.nvim_get_current_buf())
  return { uri = vim.uri_from_fname(root) }
end

--- Returns what the server offers about adaptations in progress, if it is this command.
---@param command string
---@return parrotlet.Action?
local function find_action(command)
  for _, report in pairs(open) do
    for _, action in ipairs(report.actions) do
      if action.command == command then
        return action
      end
    end
  end
end

--- Starts an adaptation, or shows what can be done about it.
---@param name? string One of COMMANDS; nil for all of them.
function M.run(name)
  if not name then
    server_menu.run('parrotlet.adaptation', get_workspace())
    return
  end
  local command = M.COMMANDS[name]
  local action = find_action(command)
  if action then
    server_menu.choose(action)
  else
    server_menu.run(command, get_workspace())
  end
end

--- Lists all adapted models, to choose between them and their base, and to remove them.
function M.manage_models()
  server_menu.run('parrotlet.adaptedModels', {})
end

return M
