--- Finds the server's executable, and what the plugin came with.
---
--- Never in the project that is being edited: whoever wrote that project would then choose what
--- runs as soon as one of its files is opened. Called by
--- `parrotlet.server.client`, `parrotlet.install.installer` and `parrotlet.health`.
local M = {}

local NAME = 'parrotlet-server'
local LEVELS_ABOVE_SITE = 3 -- ENVIRONMENT/lib/python3.X/site-packages
local LEVELS_BELOW_PLUGIN = 4 -- PLUGIN/lua/parrotlet/server/discovery.lua
local is_windows = vim.fn.has('win32') == 1

--- The folder of this plugin, even where it is loaded through a link.
---@return string
function M.plugin()
  local here = debug.getinfo(1, 'S').source:sub(2)
  local path = vim.fs.normalize(vim.uv.fs_realpath(here) or here)
  for _ = 1, LEVELS_BELOW_PLUGIN do
    path = vim.fs.dirname(path)
  end
  return path
end

local function read(path)
  local file = io.open(path)
  local text = file and file:read('*a') or ''
  if file then
    file:close()
  end
  return text
end

--- The checkout of Parrotlet in which the plugin is; nil if it is in none.
---@return string?
function M.checkout()
  local root = M.plugin():match('^(.*)/editor%-client/nvim$')
  local project = root and read(vim.fs.joinpath(root, 'pyproject.toml')) or ''
  local is_ours = ('\n' .. project):find('\nname = "parrotlet"', 1, true) ~= nil
  return is_ours and root or nil
end

--- A program of a Python environment.
---@param folder string The environment's.
---@param name string
---@return string
function M.in_environment(folder, name)
  return vim.fs.joinpath(folder, is_windows and 'Scripts' or 'bin', name)
end

--- The environment into which the plugin was installed as a part of Parrotlet's wheel; nil if it
--- was not.
---@return string?
function M.wheel_environment()
  local site = M.plugin():match('^(.*/%a+%-packages)/parrotlet/editors/nvim$')
  local folder = site
  for _ = 1, site and LEVELS_ABOVE_SITE or 0 do
    folder = vim.fs.dirname(folder)
    if vim.fn.executable(M.in_environment(folder, NAME)) == 1 then
      return folder
    end
  end
end

--- The environment that `:Parrotlet install` makes where there is no checkout.
---@return string
function M.own_environment()
  return vim.fs.joinpath(vim.fn.stdpath('data') --[[@as string]], 'parrotlet', 'server')
end

--- The environment into which the server is installed.
---@return string
function M.target_environment()
  local checkout = M.checkout()
  return checkout and vim.fs.joinpath(checkout, '.venv') or M.own_environment()
end

--- Finds the server by PATH. Entries that depend on the working folder are left out: it may be the
--- project that is edited, where Windows even looks first.
---@return string?
local function on_path()
  for folder in vim.gsplit(vim.env.PATH or '', is_windows and ';' or ':', { plain = true }) do
    local is_absolute = folder:match('^/') or folder:match('^%a:[/\\]')
    local path = vim.fs.joinpath(folder, NAME)
    if is_absolute and vim.fn.executable(path) == 1 then
      return path
    end
  end
end

--- Where the server is looked for, in this order; without a path it is not there.
---@return { place: string, path?: string }[]
function M.candidates()
  local environments = {}
  local function add(place, folder)
    if folder and folder ~= '' then
      environments[#environments + 1] = { place = place, folder = folder }
    end
  end
  local checkout = M.checkout()
  add('active virtual environment', vim.env.VIRTUAL_ENV)
  add("the plugin's Python environment", M.wheel_environment())
  add("the plugin's checkout", checkout and vim.fs.joinpath(checkout, '.venv'))
  add('installed by :Parrotlet install', M.own_environment())
  local found = {}
  for _, environment in ipairs(environments) do
    local path = M.in_environment(environment.folder, NAME)
    local is_there = vim.fn.executable(path) == 1
    found[#found + 1] = { place = environment.place, path = is_there and path or nil }
  end
  found[#found + 1] = { place = 'PATH', path = on_path() }
  return found
end

--- Returns the command that starts the server.
---@param command string[] The user's own, taken as it is; empty looks for it.
---@return string[]? command
---@return string? complaint Why there is none and what to do, in one sentence.
function M.find(command)
  if command[1] then
    if vim.fn.executable(command[1]) == 1 then
      return command
    end
    return nil, ("cannot run '%s'; fix the server option"):format(command[1])
  end
  for _, candidate in ipairs(M.candidates()) do
    if candidate.path then
      return { candidate.path }
    end
  end
  return nil, 'no server yet; run :Parrotlet install'
end

return M
