--- Finds a Python interpreter that can run the server.
local process = require('parrotlet.install.process')
local search_path = require('parrotlet.install.search_path')

local M = {}

M.MIN_VERSION = '3.11'

local NAMES = { 'python3', 'python', 'python3.14', 'python3.13', 'python3.12', 'python3.11' }
if vim.fn.has('win32') == 1 then -- there, python.org adds no Python to the PATH, but its launcher
  NAMES[#NAMES + 1] = 'py'
end
local CHECK = 'import sys, %s; sys.exit(sys.version_info < (%s))'

--- Checks that an interpreter is new enough and has some modules.
---@param path string
---@param modules string As in an import statement.
---@return boolean
local function is_usable(path, modules)
  local check = CHECK:format(modules, (M.MIN_VERSION:gsub('%.', ', ')))
  return process.succeeds({ path, '-I', '-c', check })
end

--- Checks that packages can be installed with an interpreter.
---@param path string
---@return boolean
function M.can_install(path)
  return is_usable(path, 'pip')
end

--- Finds an interpreter that can create virtual environments.
---@return string? path
function M.find()
  for _, name in ipairs(NAMES) do
    local found = search_path.find(name, function(path)
      return is_usable(path, 'venv, ensurepip')
    end)
    if found then
      return found
    end
  end
end

return M
