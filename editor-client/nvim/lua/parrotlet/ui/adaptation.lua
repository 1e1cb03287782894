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
---@field folder string The path of the workspace.
---@field status string In a few words; empty once it has ended.
---@field title string In a sentence.
---@field actions parrotlet.Action[]
---@field notices { message: string, is_problem: boolean }[] What the user should read now.

local MENU = 'parrotlet.adaptation'

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

--- Returns the current buffer's workspace.
---@return string
local function find_root()
  return require('parrotlet.settings.workspace').find_root(vim.api.nvim_get_current_buf())
end

--- Returns the argument that names the current buffer's workspace.
local function get_workspace()
  return { uri = vim.uri_from_fname(find_root()) }
end

---@param path string
local function resolve_links(path)
  return vim.uv.fs_realpath(path) or path
end

--- Returns the report on the current buffer's workspace; nil if that is not being adapted to.
---@return parrotlet.AdaptationReport?
local function find_report()
  local root = resolve_links(find_root())
  local nearest ---@type parrotlet.AdaptationReport?
  for _, report in pairs(open) do
    local is_nearer = not nearest or #report.folder > #nearest.folder
    if is_nearer and vim.fs.relpath(resolve_links(report.folder), root) then
      nearest = report
    end
  end
  return nearest
end

---@param actions? parrotlet.Action[]
---@param command string
---@return parrotlet.Action?
local function find_action(actions, command)
  return vim.iter(actions or {}):find(function(action)
    return action.command == command
  end)
end

--- Offers an action for the other workspaces, by name.
---@param name string
local function offer_for_others(name)
  local actions = {}
  for _, report in pairs(open) do
    actions[#actions + 1] = find_action(report.actions, M.COMMANDS[name])
  end
  if actions[1] then
    server_menu.show_menu('Other workspaces', actions)
  else
    message.warn(('there is no adaptation to %s here'):format(name))
  end
end

--- Pauses, resumes or cancels the adaptation to the current buffer's workspace.
---@param name string
local function steer(name)
  local command = M.COMMANDS[name]
  local report = find_report()
  local action = report and find_action(report.actions, command)
  if action then
    server_menu.choose(action)
    return
  end
  -- The server may know the workspace by another path.
  server_menu.request(MENU, get_workspace(), function(answer)
    local offered = find_action(answer.actions, command)
    if offered then
      server_menu.choose(offered)
    else
      offer_for_others(name)
    end
  end)
end

--- Starts an adaptation, or shows what can be done about it.
---@param name? string One of COMMANDS; nil for all of them.
function M.run(name)
  if not name then
    server_menu.run(MENU, get_workspace())
  elseif name == 'report' then
    server_menu.run(M.COMMANDS.report, get_workspace())
  else
    steer(name)
  end
end

--- Lists all adapted models, to choose between them and their base, and to remove them.
function M.manage_models()
  server_menu.run('parrotlet.adaptedModels', {})
end

return M
