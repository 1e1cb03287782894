--- `:Parrotlet`: everything that can be done, by name, with completion.
local M = {}

---@class parrotlet.Subcommand
---@field run fun(argument?: string)
---@field complete? fun(typed: string): string[]

local function tell(sentence)
  require('parrotlet.message').tell(sentence)
end

local function complain(sentence)
  require('parrotlet.message').complain(sentence)
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

--- Switches on or off, and says what holds then.
---@param decide fun(scope: parrotlet.Scope): boolean
---@return parrotlet.Subcommand
local function switching(decide)
  return {
    complete = among(SCOPES),
    run = function(scope)
      scope = scope or 'everywhere'
      if not vim.list_contains(SCOPES, scope) then
        complain(("cannot switch '%s'; wanted %s"):format(scope, table.concat(SCOPES, ', ')))
        return
      end
      local switch = require('parrotlet.switch')
      local complaint = switch.decide(decide(scope), scope)
      if complaint then
        complain(complaint)
      end
      tell(require('parrotlet.status').sentence())
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
    return require('parrotlet.switch').why_quiet(vim.api.nvim_get_current_buf()) ~= nil
  end),
  snooze = {
    run = function(minutes)
      local number = tonumber(minutes or SNOOZE_MINUTES)
      if not number or number < 0 then
        complain(("'%s' is no number of minutes; as in :Parrotlet snooze 10"):format(minutes))
        return
      end
      require('parrotlet.switch').snooze(number)
      tell(require('parrotlet.status').sentence())
    end,
  },
  extent = {
    complete = among(EXTENTS),
    run = function(extent)
      local settings = require('parrotlet.settings')
      if extent and not vim.list_contains(EXTENTS, extent) then
        complain(("'%s' is no extent; wanted %s"):format(extent, table.concat(EXTENTS, ', ')))
        return
      end
      if extent then
        settings.change({ ['suggestion.extent'] = extent })
      end
      tell('the extent of suggestions is ' .. (settings.get('suggestion.extent') or EXTENTS[1]))
    end,
  },
  model = {
    complete = function(typed)
      return require('parrotlet.model').complete(typed)
    end,
    run = function(name)
      local model = require('parrotlet.model')
      if name then
        model.use(name)
      else
        model.choose()
      end
    end,
  },
  status = {
    run = function()
      tell(require('parrotlet.status').sentence())
    end,
  },
  why = {
    run = function()
      require('parrotlet.why').show()
    end,
  },
  restart = {
    run = function()
      require('parrotlet.client').restart()
      local status = require('parrotlet.status').get()
      if status.state == 'error' then
        complain(status.reason)
      end
    end,
  },
  log = {
    run = function()
      require('parrotlet.log').open()
    end,
  },
  statistics = {
    run = function()
      require('parrotlet.statistics').show()
    end,
  },
  install = {
    run = function()
      require('parrotlet.install').ask()
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
    local known = table.concat(M.complete('', 'Parrotlet '), ', ')
    complain(('there is no :Parrotlet %s; wanted one of %s'):format(name, known))
  elseif not require('parrotlet.config').options then
    complain('not set up; see :messages')
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
