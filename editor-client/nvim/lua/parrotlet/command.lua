--- `:Parrotlet`: all commands by name, with completion.
local M = {}

---@class parrotlet.Subcommand
---@field run fun(argument?: string)
---@field complete? fun(typed: string): string[]

local function info(text)
  require('parrotlet.ui.message').info(text)
end

local function warn(text)
  require('parrotlet.ui.message').warn(text)
end

--- Shows the status, in a window if it does not fit into one line.
local function show_status()
  local sentence = require('parrotlet.ui.status').describe()
  if require('parrotlet.ui.message').fits(sentence) then
    info(sentence)
  else
    require('parrotlet.ui.float').open({ sentence }, 'Parrotlet status')
  end
end

---@param words string[]
---@return fun(typed: string): string[]
local function complete_from(words)
  return function(typed)
    return vim.tbl_filter(function(word)
      return vim.startswith(word, typed)
    end, words)
  end
end

local SCOPES = { 'everywhere', 'language', 'workspace', 'file' }
local EXTENTS = { 'auto', 'line', 'block', 'function' }
local SNOOZE_MINUTES = 5

--- Makes a command that turns suggestions on or off and shows the new status.
---@param decide fun(): boolean Returns whether they are turned on.
---@return parrotlet.Subcommand
local function make_switch(decide)
  return {
    complete = complete_from(SCOPES),
    run = function(scope)
      scope = scope or 'everywhere'
      if not vim.list_contains(SCOPES, scope) then
        warn(("use everywhere, language, workspace or file, not '%s'"):format(scope))
        return
      end
      local err = require('parrotlet.suggestions.enablement').set_enabled(decide(), scope)
      if err then
        warn(err)
      else
        show_status()
      end
    end,
  }
end

--- Completes what `:Parrotlet adapt` takes.
---@param typed string
---@return string[]
local function complete_adapt(typed)
  local names = vim.tbl_keys(require('parrotlet.ui.adaptation').COMMANDS)
  table.sort(names)
  return complete_from(names)(typed)
end

---@type table<string, parrotlet.Subcommand>
M.subcommands = {
  adapt = {
    complete = complete_adapt,
    run = function(name)
      local adaptation = require('parrotlet.ui.adaptation')
      if name and not adaptation.COMMANDS[name] then
        warn(("use pause, resume, cancel or report, not '%s'"):format(name))
        return
      end
      adaptation.run(name)
    end,
  },
  models = {
    run = function()
      require('parrotlet.ui.adaptation').manage_models()
    end,
  },
  enable = make_switch(function()
    return true
  end),
  disable = make_switch(function()
    return false
  end),
  toggle = make_switch(function()
    local enablement = require('parrotlet.suggestions.enablement')
    return enablement.get_pause_reason(vim.api.nvim_get_current_buf()) ~= nil
  end),
  snooze = {
    run = function(minutes)
      local number = tonumber(minutes or SNOOZE_MINUTES)
      if not number or number < 0 then
        warn(("use a number of minutes, not '%s'"):format(minutes))
        return
      end
      require('parrotlet.suggestions.enablement').snooze(number)
      show_status()
    end,
  },
  extent = {
    complete = complete_from(EXTENTS),
    run = function(extent)
      local server_settings = require('parrotlet.settings.server_settings')
      if extent and not vim.list_contains(EXTENTS, extent) then
        warn(("use auto, line, block or function, not '%s'"):format(extent))
        return
      end
      if extent then
        server_settings.change({ ['suggestion.extent'] = extent })
      end
      local current = server_settings.get('suggestion.extent') or EXTENTS[1]
      info(('suggestion length: %s (this session only)'):format(current))
    end,
  },
  model = {
    complete = function(typed)
      return require('parrotlet.ui.model_picker').complete(typed)
    end,
    run = function(name)
      local model_picker = require('parrotlet.ui.model_picker')
      if name then
        model_picker.switch_to(name)
      else
        model_picker.open()
      end
    end,
  },
  status = {
    run = show_status,
  },
  why = {
    run = function()
      require('parrotlet.ui.explanation').show()
    end,
  },
  restart = {
    run = function()
      require('parrotlet.server.lifecycle').restart()
      local status = require('parrotlet.ui.status').get()
      if status.state == 'error' then
        warn(status.reason)
      end
    end,
  },
  log = {
    complete = complete_from({ 'install' }),
    run = function(name)
      require('parrotlet.server.log').open(name == 'install')
    end,
  },
  messages = {
    run = function()
      require('parrotlet.ui.message').show_all()
    end,
  },
  keys = {
    run = function()
      local keymap = require('parrotlet.suggestions.keymap')
      local lines = keymap.list_keys(vim.api.nvim_get_current_buf())
      require('parrotlet.ui.float').open(lines, 'Parrotlet keys')
    end,
  },
  statistics = {
    run = function()
      require('parrotlet.ui.statistics').show()
    end,
  },
  install = {
    complete = function(typed)
      local found = complete_from({ 'cancel' })(typed)
      return vim.list_extend(found, vim.fn.getcompletion(typed, 'file'))
    end,
    run = function(argument)
      require('parrotlet.install.installer').run(argument)
    end,
  },
  health = {
    run = function()
      vim.cmd.checkhealth('parrotlet')
    end,
  },
}

--- Runs the command.
---@param args { args: string } As Neovim passes them.
function M.run(args)
  local name, argument = args.args:match('^%s*(%S*)%s*(.-)%s*$')
  name = name ~= '' and name or 'status'
  argument = argument ~= '' and argument or nil -- not split: a folder's name may contain spaces
  local subcommand = M.subcommands[name]
  if not subcommand then
    local nearest = require('parrotlet.settings.nearest_name')
    local near = nearest.find(name, vim.tbl_keys(M.subcommands))
    local remedy = near and ('did you mean :Parrotlet %s?'):format(near) or 'see :help :Parrotlet'
    warn(("no command '%s'; %s"):format(name, remedy))
  elseif not require('parrotlet.config').options and name ~= 'messages' then
    warn('setup() was given a wrong option (:Parrotlet messages)')
  else
    subcommand.run(argument)
  end
end

--- Completes the words of the command line.
---@param typed string The last word so far.
---@param line string
---@return string[]
function M.complete(typed, line)
  local name = line:match('^.-Parrotlet!?%s+(%S+)%s+%S*$')
  if name then
    local subcommand = M.subcommands[name]
    return subcommand and subcommand.complete and subcommand.complete(typed) or {}
  end
  local names = vim.tbl_keys(M.subcommands)
  table.sort(names)
  return complete_from(names)(typed)
end

return M
