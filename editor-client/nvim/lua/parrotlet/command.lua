--- `:Parrotlet`: every command, by name, with completion.
local M = {}

---@class parrotlet.Subcommand
---@field run fun(argument?: string)
---@field complete? fun(typed: string): string[]

local function tell(sentence)
  require('parrotlet.ui.message').tell(sentence)
end

local function complain(sentence)
  require('parrotlet.ui.message').complain(sentence)
end

--- Shows the status: in a window where it does not fit into one line.
local function show_status()
  local sentence = require('parrotlet.ui.status').sentence()
  if require('parrotlet.ui.message').fits(sentence) then
    tell(sentence)
  else
    require('parrotlet.ui.float').open({ sentence }, 'Parrotlet status')
  end
end

---@param words string[]
---@return fun(typed: string): string[]
local function among(words)
  return function(typed)
    return vim.tbl_filter(function(word)
      return vim.startswith(word, typed)
    end, words)
  end
end

local SCOPES = { 'everywhere', 'language', 'workspace', 'file' }
local EXTENTS = { 'auto', 'line', 'block', 'function' }
local SNOOZE_MINUTES = 5

--- Turns suggestions on or off, and shows the new status.
---@param decide fun(scope: parrotlet.Scope): boolean
---@return parrotlet.Subcommand
local function switching(decide)
  return {
    complete = among(SCOPES),
    run = function(scope)
      scope = scope or 'everywhere'
      if not vim.list_contains(SCOPES, scope) then
        complain(("use everywhere, language, workspace or file, not '%s'"):format(scope))
        return
      end
      local switch = require('parrotlet.suggestions.enablement')
      local complaint = switch.decide(decide(scope), scope)
      if complaint then
        complain(complaint)
      else
        show_status()
      end
    end,
  }
end

---@type table<string, parrotlet.Subcommand>
local subcommands = {
  enable = switching(function()
    return true
  end),
  disable = switching(function()
    return false
  end),
  toggle = switching(function()
    return require('parrotlet.suggestions.enablement').why_quiet(vim.api.nvim_get_current_buf())
      ~= nil
  end),
  snooze = {
    run = function(minutes)
      local number = tonumber(minutes or SNOOZE_MINUTES)
      if not number or number < 0 then
        complain(("use a number of minutes, not '%s'"):format(minutes))
        return
      end
      require('parrotlet.suggestions.enablement').snooze(number)
      show_status()
    end,
  },
  extent = {
    complete = among(EXTENTS),
    run = function(extent)
      local settings = require('parrotlet.settings.server_settings')
      if extent and not vim.list_contains(EXTENTS, extent) then
        complain(("use auto, line, block or function, not '%s'"):format(extent))
        return
      end
      if extent then
        settings.change({ ['suggestion.extent'] = extent })
      end
      local current = settings.get('suggestion.extent') or EXTENTS[1]
      tell(('suggestion length: %s (this session only)'):format(current))
    end,
  },
  model = {
    complete = function(typed)
      return require('parrotlet.ui.model_picker').complete(typed)
    end,
    run = function(name)
      local model = require('parrotlet.ui.model_picker')
      if name then
        model.use(name)
      else
        model.choose()
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
      require('parrotlet.server.client').restart()
      local status = require('parrotlet.ui.status').get()
      if status.state == 'error' then
        complain(status.reason)
      end
    end,
  },
  log = {
    complete = among({ 'install' }),
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
      local lines = require('parrotlet.suggestions.keymap').lines(vim.api.nvim_get_current_buf())
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
      local found = among({ 'cancel' })(typed)
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

--- Runs the command as Neovim calls it.
---@param args { args: string }
function M.run(args)
  local name, argument = args.args:match('^%s*(%S*)%s*(.-)%s*$')
  name = name ~= '' and name or 'status'
  argument = argument ~= '' and argument or nil -- as it is: a folder's name may have spaces
  local subcommand = subcommands[name]
  if not subcommand then
    local near = require('parrotlet.settings.nearest_name').nearest(name, vim.tbl_keys(subcommands))
    local remedy = near and ('did you mean :Parrotlet %s?'):format(near) or 'see :help :Parrotlet'
    complain(("no command '%s'; %s"):format(name, remedy))
  elseif not require('parrotlet.config').options and name ~= 'messages' then
    complain('setup() was given a wrong option (:Parrotlet messages)')
  else
    subcommand.run(argument)
  end
end

--- Completes the command's words.
---@param typed string The last, so far.
---@param line string
---@return string[]
function M.complete(typed, line)
  local name = line:match('^.-Parrotlet!?%s+(%S+)%s+%S*$')
  if name then
    local subcommand = subcommands[name]
    return subcommand and subcommand.complete and subcommand.complete(typed) or {}
  end
  local names = vim.tbl_keys(subcommands)
  table.sort(names)
  return among(names)(typed)
end

return M
