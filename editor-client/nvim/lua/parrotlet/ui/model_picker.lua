--- Switches the model: bundled, a folder, one on the Hugging Face Hub, or a remote server.
---
--- Only the form of a name is checked here; the server loads and downloads models and reports
--- errors. A switch lasts until Neovim exits; the option `settings` makes it permanent.
local message = require('parrotlet.ui.message')
local server_settings = require('parrotlet.settings.server_settings')

local M = {}

local BUNDLED = 'bundled'

--- The settings that describe what one remote server serves.
local OF_SERVER = { 'remote.model', 'remote.tokenizer' }

--- Their values by the servers' URLs: those of servers that were used in this session.
---@type table<string, table<string, string>>
local known_servers = {}

--- Returns the current model, as the user would name it.
---@return string
function M.get_current()
  local url = server_settings.get('remote.url') or ''
  local model = server_settings.get('model') or ''
  return url ~= '' and url or model ~= '' and model or BUNDLED
end

--- Converts a name to settings.
---@param name string
---@return table<string, string>?
---@return string? err
function M.resolve_name(name)
  if name == BUNDLED then
    return { model = '', ['remote.url'] = '' }
  end
  if name:match('^https?://') then
    return { ['remote.url'] = name }
  end
  local folder = vim.fs.abspath(vim.fs.normalize(name))
  if vim.fn.isdirectory(folder) == 1 then
    return { model = folder, ['remote.url'] = '' }
  end
  if name:match('^[%w_-][%w_.-]*/[%w_-][%w_.-]*$') or name:match('^[^/~.][^/]*/[^/]+@.+$') then
    return { model = name, ['remote.url'] = '' }
  end
  return nil, ("no model '%s'; see :help parrotlet-models"):format(name)
end

--- Returns the settings that describe what the current server serves, or is to serve.
---@return table<string, string>
local function get_of_server()
  local values = {}
  for _, setting in ipairs(OF_SERVER) do
    values[setting] = server_settings.get(setting) or ''
  end
  return values
end

--- Adds what another server serves to the settings of a switch: as far as it is known from before,
--- otherwise nothing, since names and tokenizers of one server are wrong for another.
---@param values table<string, string> With the new `remote.url`.
---@return boolean is_reset Whether something that was set is not any more.
local function add_of_server(values)
  local url, former_url = values['remote.url'], server_settings.get('remote.url') or ''
  local former = get_of_server()
  if former_url ~= '' then
    known_servers[former_url] = former
  end
  if url == '' or url == former_url or not next(known_servers) then
    return false
  end
  local is_reset = false
  for _, setting in ipairs(OF_SERVER) do
    values[setting] = known_servers[url] and known_servers[url][setting] or ''
    is_reset = is_reset or (values[setting] == '' and former[setting] ~= '')
  end
  return is_reset
end

--- Switches to another model.
---@param name string
function M.switch_to(name)
  local values, err = M.resolve_name(name)
  if not values then
    message.warn(assert(err))
    return
  end
  require('parrotlet.ui.progress').is_awaited = true
  local is_reset = add_of_server(values)
  server_settings.change(values)
  local what = is_reset and '; name and tokenizer reset' or ' (this session only)'
  message.info('model: ' .. M.get_current() .. what)
end

---@class parrotlet.ModelChoice
---@field label string
---@field prompt? string What to ask for; nil for the bundled model.
---@field completion? string

---@type parrotlet.ModelChoice[]
local CHOICES = {
  { label = 'Bundled model' },
  { label = 'Model folder…', prompt = 'Model folder: ', completion = 'dir' },
  { label = 'Hugging Face Hub…', prompt = 'OWNER/NAME or OWNER/NAME@REVISION: ' },
  { label = 'Remote server… (sends your code there)', prompt = 'Server URL: ' },
}

---@param choice? parrotlet.ModelChoice
local function on_choice(choice)
  if not choice then
    return
  end
  if not choice.prompt then
    M.switch_to(BUNDLED)
    return
  end
  vim.ui.input({ prompt = choice.prompt, completion = choice.completion }, function(name)
    if name and name ~= '' then
      M.switch_to(name)
    end
  end)
end

--- Lets the user choose a model.
function M.open()
  vim.ui.select(CHOICES, {
    prompt = ('Switch model (current: %s)'):format(M.get_current()),
    format_item = function(choice)
      return choice.label
    end,
  }, on_choice)
end

--- Completes the names of the bundled model and of folders.
---@param typed string
---@return string[]
function M.complete(typed)
  local found = vim.startswith(BUNDLED, typed) and { BUNDLED } or {}
  return vim.list_extend(found, vim.fn.getcompletion(typed, 'dir'))
end

return M
