--- `:Parrotlet install`: installs the server into a Python environment, step by step.
---
--- It creates the environment, runs pip, checks that the server answers, and starts it;
--- `parrotlet.server.discovery` finds it from then on. The output goes to a log of its own.
local config = require('parrotlet.config')
local discovery = require('parrotlet.server.discovery')
local environment = require('parrotlet.install.environment')
local lifecycle = require('parrotlet.server.lifecycle')
local message = require('parrotlet.ui.message')
local pip_output = require('parrotlet.install.pip_output')
local process = require('parrotlet.install.process')
local sources = require('parrotlet.install.source')
local status = require('parrotlet.ui.status')

local M = {}

local N_STEPS = 4
local ALREADY_INSTALLING = 'already installing; :Parrotlet install cancel stops it'

---@class parrotlet.Installation
---@field source parrotlet.Source
---@field is_new boolean Whether this installation creates the environment.
---@field process? parrotlet.Process The current command.
---@field is_cancelled boolean

--- The installation in progress.
---@type parrotlet.Installation?
local current

---@param number integer
---@param text string
local function show_step(number, text)
  local step = ('%d/%d %s'):format(number, N_STEPS, text)
  status.set_installing(step)
  message.show_progress('installing ' .. step)
end

--- Ends the installation, and removes an environment that it leaves incomplete.
---@param err? string
---@return boolean is_success
local function finish(err)
  local installation = assert(current)
  current = nil
  process.release_lock()
  local is_success = not err and not installation.is_cancelled
  if not is_success and installation.is_new then
    vim.fn.delete(installation.source.environment, 'rf')
  end
  status.set_installing(nil)
  if installation.is_cancelled then
    message.info('installation cancelled')
  elseif err then
    if not lifecycle.is_running() then
      status.set('error', 'installation failed: ' .. err)
    end
    message.warn('installation failed; see :Parrotlet log install')
  end
  return is_success
end

--- Runs a command of the installation, and continues if it succeeds.
---@param command string[]
---@param on_line fun(line: string)
---@param on_success fun(output: string)
local function run_command(command, on_line, on_success)
  assert(current).process = process.run(command, on_line, function(is_success, output)
    if not current then
      return
    elseif current.is_cancelled or not is_success then
      finish(pip_output.find_error(output))
    else
      on_success(output)
    end
  end)
end

local function ignore_line() end

--- Says that a server was installed; also, if another one is found before it.
---@param version string
---@param server string The installed one's path.
local function announce(version, server)
  local command = discovery.find({})
  if command and command[1] ~= server then
    message.warn(('server %s installed, but %s comes first'):format(version, command[1]))
  else
    message.info(('server %s installed'):format(version))
  end
end

--- Step 4: checks that the installed server answers.
local function check_server()
  show_step(4, 'checking the server')
  local server = environment.get_server(assert(current).source.environment)
  run_command({ server, '--version' }, ignore_line, function(output)
    local version = output:match('%d[%w.+-]*')
    if not version then
      finish('the installed server does not report its version')
    elseif finish() then
      announce(version, server)
      lifecycle.restart()
    end
  end)
end

--- Steps 2 and 3: downloads and installs the packages.
local function install_packages()
  local source = assert(current).source
  local python = environment.get_program(source.environment, 'python')
  local function build_pip_command(...)
    return { python, '-I', '-u', '-m', 'pip', ... }
  end
  local command = build_pip_command('install')
  local index = config.options.extra_index_url
  if index ~= '' then
    vim.list_extend(command, { '--extra-index-url', index })
  end
  vim.list_extend(command, source.requirement)
  local function on_line(line)
    local step = pip_output.parse_step(line)
    if step then
      show_step(step.is_installing and 3 or 2, step.text)
    end
  end
  show_step(2, 'downloading packages')
  run_command(command, on_line, function()
    if not source.replaces then
      check_server()
      return
    end
    -- pip keeps an installed server of the same version. Only now, when all packages are there, so
    -- that a failure leaves it as it is.
    local again = build_pip_command('install', '--force-reinstall', '--no-deps')
    run_command(vim.list_extend(again, source.requirement), on_line, check_server)
  end)
end

--- Installs from a source.
---@param source parrotlet.Source
function M.install(source)
  if current then
    message.info(ALREADY_INSTALLING)
    return
  end
  local venv_command, err = environment.build_venv_command(source.environment)
  if err then
    message.warn(err)
    return
  end
  local other_pid = process.acquire_lock()
  if other_pid then
    message.warn(('another Neovim is installing (process %d)'):format(other_pid))
    return
  end
  local is_new = vim.uv.fs_stat(source.environment) == nil
  current = { source = source, is_new = is_new, is_cancelled = false }
  process.start_log()
  if venv_command then
    show_step(1, 'creating the environment')
    run_command(venv_command, ignore_line, install_packages)
  else
    install_packages()
  end
end

--- Cancels the installation in progress.
function M.cancel()
  if current then
    current.is_cancelled = true
    process.stop(current.process)
  else
    message.info('no installation is running')
  end
end

--- Cancels it without waiting, because Neovim is exiting.
function M.abort()
  if current then
    process.stop(current.process, true)
    current.is_cancelled = true
    finish()
  end
end

--- Runs `:Parrotlet install`.
---@param argument? string A wheel file, "cancel", or nothing.
function M.run(argument)
  if argument == 'cancel' then
    M.cancel()
  elseif current then
    message.info(ALREADY_INSTALLING)
  elseif config.options.server[1] then
    message.warn('the server option is set; remove it, then install')
  elseif argument then
    sources.confirm_wheel(argument, M.install)
  else
    sources.choose(M.install)
  end
end

vim.api.nvim_create_autocmd('VimLeavePre', {
  group = vim.api.nvim_create_augroup('parrotlet.install', {}),
  callback = M.abort,
})

return M
