--- Python virtual environments: paths inside one, and the one that `:Parrotlet install` creates.
local python = require('parrotlet.install.python')

local M = {}

--- The name of the server's executable.
M.SERVER = 'parrotlet-server'

local is_windows = vim.fn.has('win32') == 1

---@param folder string The environment's.
---@param name string
---@return string
function M.get_program(folder, name)
  return vim.fs.joinpath(folder, is_windows and 'Scripts' or 'bin', name)
end

--- Returns the path of the server's executable in an environment, whether or not it exists.
---@param folder string The environment's.
---@return string
function M.get_server(folder)
  return M.get_program(folder, M.SERVER)
end

--- Returns the environment that `:Parrotlet install` uses where there is no checkout.
---@return string folder
function M.get_own_folder()
  return vim.fs.joinpath(vim.fn.stdpath('data') --[[@as string]], 'parrotlet', 'server')
end

--- Returns the command that creates an environment; nil if a working one exists, which another
--- Python would break. A broken environment is emptied only if it is the plugin's own.
---@param folder string
---@return string[]? command
---@return string? err
function M.build_venv_command(folder)
  local is_empty = not vim.uv.fs_stat(folder) or not next(vim.fn.readdir(folder))
  if not is_empty and python.can_install(M.get_program(folder, 'python')) then
    return
  end
  local path = python.find()
  if not path then
    return nil, ('install Python %s or newer with venv first'):format(python.MIN_VERSION)
  elseif not is_empty and folder ~= M.get_own_folder() then
    return nil, ('this environment is broken; remove it first: %s'):format(folder)
  end
  return { path, '-I', '-m', 'venv', '--clear', folder }
end

return M
