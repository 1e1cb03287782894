--- Finds the server's executable.
---
--- Never in the project that is being edited: whoever wrote that project would then choose what
--- runs as soon as one of its files is opened. Called by `parrotlet.client`, `parrotlet.install`
--- and `parrotlet.health`.
local M = {}

local NAME = 'parrotlet-server'
local is_windows = vim.fn.has('win32') == 1

--- The folder of Parrotlet that this file came with, even where the plugin is a link to it.
---@return string
function M.checkout()
  local here = debug.getinfo(1, 'S').source:sub(2)
  local path = vim.uv.fs_realpath(here) or here -- ROOT/editor-client/nvim/lua/parrotlet/server.lua
  for _ = 1, 5 do
    path = vim.fs.dirname(path)
  end
  return path
end

--- A program of a virtual environment.
---@param folder string The environment's.
---@param name string
---@return string
function M.in_environment(folder, name)
  return vim.fs.joinpath(folder, is_windows and 'Scripts' or 'bin', name)
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
  if (vim.env.VIRTUAL_ENV or '') ~= '' then
    environments[1] = { place = 'the active virtual environment', folder = vim.env.VIRTUAL_ENV }
  end
  local own = vim.fs.joinpath(M.checkout(), '.venv')
  environments[#environments + 1] = { place = own, folder = own }
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
    return nil, ("cannot run '%s'; correct the option server or remove it"):format(command[1])
  end
  local places = {}
  for _, candidate in ipairs(M.candidates()) do
    if candidate.path then
      return { candidate.path }
    end
    places[#places + 1] = candidate.place
  end
  local list = table.concat(places, ', ')
  return nil, ('found no %s in %s; get it with :Parrotlet install'):format(NAME, list)
end

return M
