--- Switches models: the bundled one, a folder, one of the Hugging Face Hub, or a remote server.
---
--- Only names are looked at here; the server loads, downloads and reports errors. A change lasts
--- until Neovim is left; the option `settings` keeps one.
local message = require('parrotlet.ui.message')
local settings = require('parrotlet.settings.server_settings')

local M = {}

local BUNDLED = 'bundled'

--- The model in use, as the user would name it.
---@return string
function M.current()
  local url = settings.get('remote.url') or ''
  local model = settings.get('model') or ''
  return url ~= '' and url or model ~= '' and model or BUNDLED
end

--- Turns a name into settings.
---@param name string
---@return table<string, string>?
---@return string? complaint
function M.settings_for(name)
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

--- Changes to another model.
---@param name string
function M.use(name)
  local values, complaint = M.settings_for(name)
  if not values then
    message.complain(assert(complaint))
    return
  end
  require('parrotlet.ui.progress').is_awaited = true
  settings.change(values)
  message.tell(('model: %s (this session only)'):format(M.current()))
end

--- What the user can choose, and what is asked for each; nil asks nothing.
---@type { label: string, ask?: string, completion?: string }[]
local CHOICES = {
  { label = 'Bundled model' },
  { label = 'Model folder…', ask = 'Model folder: ', completion = 'dir' },
  { label = 'Hugging Face Hub…', ask = 'OWNER/NAME or OWNER/NAME@REVISION: ' },
  { label = 'Remote server… (sends your code there)', ask = 'Server URL: ' },
}

--- Lets the user choose a model.
function M.choose()
  local prompt = ('Switch model (current: %s)'):format(M.current())
  vim.ui.select(CHOICES, {
    prompt = prompt,
    format_item = function(choice)
      return choice.label
    end,
  }, function(choice)
    if not choice then
      return
    end
    if not choice.ask then
      M.use(BUNDLED)
      return
    end
    vim.ui.input({ prompt = choice.ask, completion = choice.completion }, function(name)
      if name and name ~= '' then
        M.use(name)
      end
    end)
  end)
end

--- Completes the names that can be known.
---@param typed string
---@return string[]
function M.complete(typed)
  local found = vim.startswith(BUNDLED, typed) and { BUNDLED } or {}
  return vim.list_extend(found, vim.fn.getcompletion(typed, 'dir'))
end

return M
