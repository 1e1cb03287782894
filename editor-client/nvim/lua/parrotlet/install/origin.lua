--- Where this plugin comes from: a checkout of Parrotlet, its Python package, or neither.
---
--- Used by `parrotlet.server.discovery` and `parrotlet.install.source`.
local environment = require('parrotlet.install.environment')

local M = {}

local LEVELS_BELOW_PLUGIN = 4 -- PLUGIN/lua/parrotlet/install/origin.lua
local LEVELS_ABOVE_SITE = 3 -- ENVIRONMENT/lib/python3.X/site-packages

--- Returns the folder of this plugin, with links resolved.
---@return string
function M.get_plugin_folder()
  local here = debug.getinfo(1, 'S').source:sub(2)
  local path = vim.fs.normalize(vim.uv.fs_realpath(here) or here)
  for _ = 1, LEVELS_BELOW_PLUGIN do
    path = vim.fs.dirname(path)
  end
  return path
end

---@param path string
---@return string # Its content; empty if it cannot be read.
local function read_file(path)
  local file = io.open(path)
  local text = file and file:read('*a') or ''
  if file then
    file:close()
  end
  return text
end

--- Finds the checkout of Parrotlet that contains the plugin.
---@return string? folder
function M.find_checkout()
  local root = M.get_plugin_folder():match('^(.*)/editor%-client/nvim$')
  local project = root and read_file(vim.fs.joinpath(root, 'pyproject.toml')) or ''
  local is_parrotlet = ('\n' .. project):find('\nname = "parrotlet"', 1, true) ~= nil
  return is_parrotlet and root or nil
end

--- Finds the Python environment into which the plugin was installed as part of Parrotlet's wheel.
---@return string? folder
function M.find_wheel_environment()
  local site = M.get_plugin_folder():match('^(.*/%a+%-packages)/parrotlet/editors/nvim$')
  local folder = site
  for _ = 1, site and LEVELS_ABOVE_SITE or 0 do
    folder = vim.fs.dirname(folder)
    if vim.fn.executable(environment.get_server(folder)) == 1 then
      return folder
    end
  end
end

return M
