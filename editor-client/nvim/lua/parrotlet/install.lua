--- Installs the server that belongs to this plugin: a virtual environment in Parrotlet's folder.
---
--- It runs two commands of Python in a terminal window, after asking, and nothing else. The server
--- is then found by itself, see `parrotlet.server`.
local client = require('parrotlet.client')
local message = require('parrotlet.message')
local server = require('parrotlet.server')

local M = {}

local LEAST_PYTHON = '3.11'
local PYTHONS = { 'python3', 'python', 'python3.14', 'python3.13', 'python3.12', 'python3.11' }
local CHECK = 'import sys, venv; sys.exit(sys.version_info < (%s))'

--- A Python that is new enough, and can make environments.
---@return string?
local function find_python()
  local check = CHECK:format((LEAST_PYTHON:gsub('%.', ', ')))
  return vim.iter(PYTHONS):find(function(name)
    return vim.fn.executable(name) == 1 and vim.system({ name, '-c', check }):wait(10000).code == 0
  end)
end

--- The commands that install, one after another.
---@param python string
---@return string[][]
function M.commands(python)
  local checkout = server.checkout()
  local environment = vim.fs.joinpath(checkout, '.venv')
  local pip = { server.in_environment(environment, 'python'), '-m', 'pip', 'install' }
  local constraints = vim.fs.joinpath(checkout, 'constraints.txt')
  if vim.uv.fs_stat(constraints) then
    vim.list_extend(pip, { '--constraint', constraints })
  end
  return {
    { python, '-m', 'venv', environment },
    vim.list_extend(pip, { '--editable', checkout }),
  }
end

--- Runs commands in the current window's terminal, until one fails.
---@param commands string[][]
---@param done fun(is_done: boolean)
local function run(commands, done)
  local command = table.remove(commands, 1)
  if not command then
    done(true)
    return
  end
  vim.cmd.enew()
  vim.fn.jobstart(command, {
    term = true,
    on_exit = function(_, code)
      if code == 0 then
        run(commands, done)
      else
        done(false)
      end
    end,
  })
  vim.cmd.normal({ 'G', bang = true }) -- so that the window follows the output
end

--- Installs without asking, with the output in a new window.
---@param python string
function M.run(python)
  vim.cmd.new({ mods = { split = 'botright' } })
  local window = vim.api.nvim_get_current_win()
  run(M.commands(python), function(is_done)
    if is_done then
      message.tell('the server is installed')
      client.attach_all()
    else
      message.complain('the server could not be installed; the window above says why')
    end
    if is_done and vim.api.nvim_win_is_valid(window) then
      vim.api.nvim_win_close(window, true)
    end
  end)
end

--- Asks, and installs.
function M.ask()
  local python = find_python()
  if not python then
    local text = 'found no Python %s or newer with venv; install one, then :Parrotlet install'
    message.complain(text:format(LEAST_PYTHON))
    return
  end
  local prompt = ('Install the server into %s/.venv?'):format(server.checkout())
  vim.ui.select({ 'Yes, install it', 'No' }, { prompt = prompt }, function(_, choice)
    if choice == 1 then
      M.run(python)
    end
  end)
end

return M
