--- The server's settings: the option `settings`, and changes made since.
---
--- Names, defaults and validation are the server's. Changes last until Neovim exits.
local config = require('parrotlet.config')

local M = {}

--- Returns a copy of a table without empty tables in it, which Lua would send as lists.
---@param settings table
---@return table
local function copy_without_empty(settings)
  local copy = {}
  for name, value in pairs(settings) do
    local kept = type(value) == 'table' and copy_without_empty(value) or value
    if type(kept) ~= 'table' or next(kept) then
      copy[name] = kept
    end
  end
  return copy
end

--- Returns all settings that differ from the server's defaults.
---@return table<string, any>
function M.get_all()
  local settings = copy_without_empty(config.options and config.options.settings or {})
  return next(settings) and settings or vim.empty_dict()
end

--- Returns one setting; nil where the server's default applies.
---@param name string With dots, as in 'suggestion.extent'.
---@return any
function M.get(name)
  return vim.tbl_get(M.get_all(), unpack(vim.split(name, '.', { plain = true })))
end

--- Changes settings, and sends them to the running server.
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
  require('parrotlet.server.client').send_settings()
end

return M
