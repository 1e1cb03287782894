--- Finds the command that starts the server.
---
--- Never in the project that is being edited: opening one of its files would then let that project
--- decide what runs on this machine. Called by `parrotlet.server.lifecycle` and `parrotlet.health`.
local environment = require('parrotlet.install.environment')
local origin = require('parrotlet.install.origin')
local search_path = require('parrotlet.install.search_path')

local M = {}

local MAX_HEAD_BYTES = 4096

--- How the programs of a virtual environment name their interpreter. pip and uv have a shell start
--- one whose path has spaces, or is too long for a shebang.
local INTERPRETERS = {
  '^#!/bin/sh\n' .. [['''exec' "([^"]+)" "$0"]],
  '^#!/bin/sh\n' .. [['''exec' '([^']+)' "$0"]],
  '^#!/bin/sh\n' .. [['''exec' (%S+) "$0"]],
  '^#! *(/%S+)',
}

--- Checks that a program can be run. Those of an environment stay executable when the Python that
--- they were installed with is removed or replaced by an upgrade.
---@param path string
---@return boolean
local function is_runnable(path)
  if vim.fn.executable(path) ~= 1 then
    return false
  end
  local file = io.open(path, 'rb')
  local head = file and file:read(MAX_HEAD_BYTES) or ''
  if file then
    file:close()
  end
  for _, pattern in ipairs(INTERPRETERS) do
    local interpreter = head:match(pattern)
    if interpreter then
      return vim.fn.executable(interpreter) == 1
    end
  end
  return true
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
      candidates[#candidates + 1] = { place = place, path = is_runnable(path) and path or nil }
    end
  end
  local checkout = origin.find_checkout()
  add('active virtual environment', vim.env.VIRTUAL_ENV)
  add("the plugin's Python environment", origin.find_wheel_environment())
  add("the plugin's checkout", checkout and vim.fs.joinpath(checkout, '.venv'))
  add('installed by :Parrotlet install', environment.get_own_folder())
  local on_path = search_path.find(environment.SERVER, is_runnable)
  candidates[#candidates + 1] = { place = 'PATH', path = on_path }
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
