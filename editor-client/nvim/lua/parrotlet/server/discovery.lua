--- Finds the command that starts the server.
---
--- Never in the project that is being edited: opening one of its files would then let that project
--- decide what runs on this machine. Called by `parrotlet.server.lifecycle` and `parrotlet.health`.
local environment = require('parrotlet.install.environment')
local origin = require('parrotlet.install.origin')

local M = {}

local is_windows = vim.fn.has('win32') == 1

--- Finds the server on the PATH. Relative entries are skipped: they may lead into the project that
--- is being edited, where Windows even looks first.
---@return string?
local function find_on_path()
  for folder in vim.gsplit(vim.env.PATH or '', is_windows and ';' or ':', { plain = true }) do
    local is_absolute = folder:match('^/') or folder:match('^%a:[/\\]')
    local path = vim.fs.joinpath(folder, environment.SERVER)
    if is_absolute and vim.fn.executable(path) == 1 then
      return path
    end
  end
end

---@class parrotlet.Candidate
---@field place string
---@field path? string nil if there is no server.

--- Lists the places that are searched, in this order.
---@return parrotlet.Candidate[]
function M.list_candidates()
  ---@type parrotlet.Candidate[]
  local candidates = {}
  local function add(place, folder)
    if folder and folder ~= '' then
      local path = environment.get_server(folder)
      local is_there = vim.fn.executable(path) == 1
      candidates[#candidates + 1] = { place = place, path = is_there and path or nil }
    end
  end
  local checkout = origin.find_checkout()
  add('active virtual environment', vim.env.VIRTUAL_ENV)
  add("the plugin's Python environment", origin.find_wheel_environment())
  add("the plugin's checkout", checkout and vim.fs.joinpath(checkout, '.venv'))
  add('installed by :Parrotlet install', environment.get_own_folder())
  candidates[#candidates + 1] = { place = 'PATH', path = find_on_path() }
  return candidates
end

--- Returns the command that starts the server.
---@param command string[] The user's own, used as it is; searches if empty.
---@return string[]? command
---@return string? err Why there is none and what to do, in one sentence.
function M.find(command)
  if command[1] then
    if vim.fn.executable(command[1]) == 1 then
      return command
    end
    return nil, ("cannot run '%s'; fix the server option"):format(command[1])
  end
  for _, candidate in ipairs(M.list_candidates()) do
    if candidate.path then
      return { candidate.path }
    end
  end
  return nil, 'no server yet; run :Parrotlet install'
end

return M
