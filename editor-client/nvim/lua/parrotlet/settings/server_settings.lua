--- The server's settings, as they hold now: the option `settings`, and what was changed since.
---
--- Names, defaults and checks are the server's. Changes last until Neovim is left. Called by
--- `parrotlet.server.client`, which sends them, and by those that change them.
local config = require('parrotlet.config')

local M = {}

--- All that differ from the server's defaults.
---@return table<string, any>
function M.tree()
  local tree = config.options and config.options.settings or {}
  return next(tree) and vim.deepcopy(tree) or vim.empty_dict()
end

--- One setting; nil where the server's default holds.
---@param name string With dots, as in 'suggestion.extent'.
---@return any
function M.get(name)
  return vim.tbl_get(M.tree(), unpack(vim.split(name, '.', { plain = true })))
end

--- Changes settings, in the running server too.
---@param values table<string, any> By their names, with dots.
function M.change(values)
  for name, value in pairs(values) do
    local path = vim.split(name, '.', { plain = true })
    local group = config.options.settings
    for _, part in ipairs(path) do
      if part == path[#path] then
        group[part] = value
      else
        group[part] = group[part] or {}
        group = group[part]
      end
    end
  end
  require('parrotlet.server.client').tell_settings()
end

return M
