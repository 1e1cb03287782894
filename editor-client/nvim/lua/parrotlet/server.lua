--- Finds the server's executable.
---
--- Never in the project that is being edited: whoever wrote that project would then choose what
--- runs as soon as one of its files is opened. Called by `parrotlet` and by `parrotlet.health`.
local M = {}

local NAME = 'parrotlet-server'

--- The folder of Parrotlet that this file came with, even where the plugin is a link to it.
local function checkout()
  local here = debug.getinfo(1, 'S').source:sub(2)
  local path = vim.uv.fs_realpath(here) or here -- ROOT/editor-client/nvim/lua/parrotlet/server.lua
  for _ = 1, 5 do
    path = vim.fs.dirname(path)
  end
  return path
end

local function in_environment(folder)
  local scripts = vim.fn.has('win32') == 1 and 'Scripts' or 'bin'
  return vim.fs.joinpath(folder, scripts, NAME)
end

--- Where the server is looked for, in this order.
---@return { place: string, path: string }[]
function M.candidates()
  local found = {}
  if (vim.env.VIRTUAL_ENV or '') ~= '' then
    local path = in_environment(vim.env.VIRTUAL_ENV)
    found[#found + 1] = { place = 'the active virtual environment', path = path }
  end
  local own = vim.fs.joinpath(checkout(), '.venv')
  found[#found + 1] = { place = own, path = in_environment(own) }
  found[#found + 1] = { place = 'PATH', path = NAME }
  return found
end

--- Returns the command that starts the server.
---@param cmd? string[] The user's own command, taken as it is.
---@return string[]? command
---@return string? complaint Why there is none and what to do, in one sentence.
function M.find(cmd)
  if cmd then
    if vim.fn.executable(cmd[1]) == 1 then
      return cmd
    end
    return nil, ("cannot run '%s'; correct the option cmd or remove it"):format(cmd[1])
  end
  local places = {}
  for _, candidate in ipairs(M.candidates()) do
    if vim.fn.executable(candidate.path) == 1 then
      return { candidate.path }
    end
    places[#places + 1] = candidate.place
  end
  return nil,
    ('found no %s in %s; run "make demo" in %s or set the option cmd'):format(
      NAME,
      table.concat(places, ', '),
      checkout()
    )
end

return M
