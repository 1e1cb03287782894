--- Switches the model: bundled, a folder, one on the Hugging Face Hub, or a remote server.
---
--- Only the form of a name is checked here; the server loads and downloads models and reports
--- errors. A switch lasts until Neovim exits; the option `settings` makes it permanent.
local message = require('parrotlet.ui.message')
local server_settings = require('parrotlet.settings.server_settings')

local M = {}

local BUNDLED = 'bundled'

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

--- Switches to another model.
---@param name string
function M.switch_to(name)
  local values, err = M.resolve_name(name)
  if not values then
    message.warn(assert(err))
    return
  end
  require('parrotlet.ui.progress').is_awaited = true
  server_settings.change(values)
  message.info(('model: %s (this session only)'):format(M.get_current()))
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
