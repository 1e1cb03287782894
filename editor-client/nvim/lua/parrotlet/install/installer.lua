--- Installs the server into a Python environment, step by step, without a terminal window.
---
--- From the checkout that the plugin is in, from a wheel file that the user names, or, after
--- asking, from the user's package index. It runs venv and pip, checks that the server answers, and
--- starts it; `parrotlet.server.discovery` finds it from then on. The output goes to a log of its
--- own.
local client = require('parrotlet.server.client')
local config = require('parrotlet.config')
local message = require('parrotlet.ui.message')
local pip = require('parrotlet.install.pip_output')
local runner = require('parrotlet.install.process')
local server = require('parrotlet.server.discovery')
local status = require('parrotlet.ui.status')

local M = {}

--- What is installed from a package index: the release that this plugin belongs to.
M.REQUIREMENT = 'parrotlet==0.2.0'

local LEAST_PYTHON = '3.11'
local PYTHONS = { 'python3', 'python', 'python3.14', 'python3.13', 'python3.12', 'python3.11' }
local CAN_MAKE = 'venv, ensurepip' -- modules of a Python that can make an environment
local CAN_INSTALL = 'pip' -- and of an environment that can be installed into
local CHECK = 'import sys, %s; sys.exit(sys.version_info < (%s))'
local N_STEPS = 4
local MOST_PATH = 40 -- columns, in the list of choices
local SHORT_PATH = 20 -- where the note stands behind it
local NOTE = ' (several GB: :help parrotlet-cpu)'

---@class parrotlet.Source
---@field requirement string[] The arguments that name it to pip.
---@field environment string The folder of the environment.
---@field replaces boolean Whether an installed server of the same version is replaced.

---@class parrotlet.Installation
---@field source parrotlet.Source
---@field is_new boolean Whether the environment is made by this installation.
---@field running? parrotlet.Running The command that runs now.
---@field is_cancelled boolean

--- The installation that is under way.
---@type parrotlet.Installation?
local current

--- Says whether a Python is new enough, and has some modules.
---@param path string
---@param modules string
local function is_usable(path, modules)
  local check = CHECK:format(modules, (LEAST_PYTHON:gsub('%.', ', ')))
  return runner.succeeds({ path, '-I', '-c', check })
end

--- A Python that is new enough, and can make environments.
---@return string?
local function find_python()
  for _, name in ipairs(PYTHONS) do
    local path = vim.fn.exepath(name)
    if path ~= '' and is_usable(path, CAN_MAKE) then
      return path
    end
  end
end

--- The command that makes an environment; nil if there is one that works, which another Python
--- would break. One of the user's is never emptied.
---@param environment string
---@return string[]? command
---@return string? complaint
local function venv_command(environment)
  local is_empty = not vim.uv.fs_stat(environment) or not next(vim.fn.readdir(environment))
  if not is_empty and is_usable(server.in_environment(environment, 'python'), CAN_INSTALL) then
    return
  end
  local python = find_python()
  if not python then
    return nil, ('install Python %s or newer with venv first'):format(LEAST_PYTHON)
  elseif not is_empty and environment ~= server.own_environment() then
    return nil, ('this environment is broken; remove it first: %s'):format(environment)
  end
  return { python, '-I', '-m', 'venv', '--clear', environment }
end

---@param number integer
---@param text string
local function show_step(number, text)
  local step = ('%d/%d %s'):format(number, N_STEPS, text)
  status.set_installing(step)
  message.progress('installing ' .. step)
end

--- Ends the installation, successfully or not.
---@param complaint? string
local function finish(complaint)
  local installation = assert(current)
  current = nil
  runner.unlock()
  local is_done = not complaint and not installation.is_cancelled
  if not is_done and installation.is_new then
    vim.fn.delete(installation.source.environment, 'rf')
  end
  status.set_installing(nil)
  if installation.is_cancelled then
    message.tell('installation cancelled')
  elseif complaint then
    if not client.get() then
      status.set('error', 'installation failed: ' .. complaint)
    end
    message.complain('installation failed; see :Parrotlet log install')
  end
  return is_done
end

--- Runs a command of the installation; goes on if it succeeds.
---@param command string[]
---@param on_line fun(line: string)
---@param go_on fun(output: string)
local function run(command, on_line, go_on)
  assert(current).running = runner.run(command, on_line, function(is_success, output)
    if not current then
      return
    elseif current.is_cancelled or not is_success then
      finish(pip.failure(output))
    else
      go_on(output)
    end
  end)
end

--- The last step: the server must answer before anybody relies on it.
local function check_server()
  show_step(4, 'checking the server')
  local environment = assert(current).source.environment
  local program = server.in_environment(environment, 'parrotlet-server')
  run({ program, '--version' }, function() end, function(output)
    local version = output:match('%d[%w.+-]*')
    if not version then
      finish('the installed server does not report its version')
    elseif finish() then
      message.tell(('server %s installed'):format(version))
      client.restart()
    end
  end)
end

--- The second and third step.
local function install_packages()
  local source = assert(current).source
  local python = { server.in_environment(source.environment, 'python'), '-I', '-u', '-m', 'pip' }
  local function with_pip(...)
    return vim.list_extend(vim.deepcopy(python), { ... })
  end
  local command = with_pip('install')
  local index = config.options.extra_index_url
  if index ~= '' then
    vim.list_extend(command, { '--extra-index-url', index })
  end
  vim.list_extend(command, source.requirement)
  local function on_line(line)
    local step = pip.step(line)
    if step then
      show_step(step.is_installing and 3 or 2, step.text)
    end
  end
  show_step(2, 'downloading packages')
  if source.replaces then
    run(with_pip('uninstall', '--yes', 'parrotlet'), function() end, function()
      run(command, on_line, check_server)
    end)
  else
    run(command, on_line, check_server)
  end
end

--- Installs from a source.
---@param source parrotlet.Source
function M.start(source)
  if current then
    message.tell('already installing; :Parrotlet install cancel stops it')
    return
  end
  local command, complaint = venv_command(source.environment)
  if complaint then
    message.complain(complaint)
    return
  end
  local other = runner.lock()
  if other then
    message.complain(('another Neovim is installing (process %d)'):format(other))
    return
  end
  local is_new = vim.uv.fs_stat(source.environment) == nil
  current = { source = source, is_new = is_new, is_cancelled = false }
  runner.start_log()
  if command then
    show_step(1, 'creating the environment')
    run(command, function() end, install_packages)
  else
    install_packages()
  end
end

--- Ends the installation that is under way.
function M.cancel()
  if current then
    current.is_cancelled = true
    runner.stop(current.running)
  else
    message.tell('no installation is running')
  end
end

--- Ends it with Neovim, which nobody watches any more.
function M.leave()
  if current then
    runner.stop(current.running, true)
    current.is_cancelled = true
    finish()
  end
end

--- What a choice says of the size of PyTorch for Linux, which comes with CUDA's libraries.
---@return string
local function note()
  local is_big = vim.uv.os_uname().sysname == 'Linux' and config.options.extra_index_url == ''
  return is_big and NOTE or ''
end

--- Asks, and installs.
---@param source parrotlet.Source
---@param label string
---@param others? table<string, fun()> What else can be chosen.
local function confirm(source, label, others)
  local choices = vim.list_extend({ label }, vim.tbl_keys(others or {}))
  choices[#choices + 1] = 'Cancel'
  local target = message.short_path(source.environment, MOST_PATH)
  local prompt = ('Install the server into %s'):format(target)
  vim.ui.select(choices, { prompt = prompt }, function(choice, number)
    if number == 1 then
      M.start(source)
    elseif others and others[choice] then
      others[choice]()
    end
  end)
end

--- Installs from a wheel file, after asking: what it needs is downloaded.
---@param path string As the user wrote it.
local function ask_for_wheel(path)
  local whole = vim.fs.abspath(vim.fs.normalize(path))
  if not whole:find('%.whl$') or not vim.uv.fs_stat(whole) then
    message.complain(("no wheel file '%s'; expected PATH.whl"):format(path))
    return
  end
  local environment = server.own_environment()
  local label = ('Install %s%s'):format(message.short_path(whole, MOST_PATH), note())
  confirm({ requirement = { whole }, environment = environment, replaces = true }, label)
end

--- The source without a wheel, and what to call it: the checkout, or the package index.
---@return string label
---@return parrotlet.Source
function M.default_source()
  local checkout = server.checkout()
  if not checkout then
    local label = ('Run pip install %s'):format(M.REQUIREMENT)
    local index = config.options.extra_index_url
    if index ~= '' then
      label = ('%s --extra-index-url %s'):format(label, index)
    end
    local environment = server.own_environment()
    local source = { requirement = { M.REQUIREMENT }, environment = environment, replaces = false }
    return label .. note(), source
  end
  local requirement = { '--editable', checkout }
  local constraints = vim.fs.joinpath(checkout, 'constraints.txt')
  if vim.uv.fs_stat(constraints) then
    vim.list_extend(requirement, { '--constraint', constraints })
  end
  local environment = vim.fs.joinpath(checkout, '.venv')
  local columns = note() == '' and MOST_PATH or SHORT_PATH
  local label = 'Install from the checkout ' .. message.short_path(checkout, columns)
  return label .. note(), { requirement = requirement, environment = environment, replaces = false }
end

--- Asks where from, and installs.
local function ask()
  local label, source = M.default_source()
  confirm(source, label, {
    ['Install from a wheel file…'] = function()
      vim.ui.input({ prompt = 'Wheel file: ', completion = 'file' }, function(path)
        if path and path ~= '' then
          ask_for_wheel(path)
        end
      end)
    end,
  })
end

--- Does what the user asked for.
---@param argument? string A wheel file, "cancel", or nothing.
function M.run(argument)
  if argument == 'cancel' then
    M.cancel()
  elseif current then
    message.tell('already installing; :Parrotlet install cancel stops it')
  elseif config.options.server[1] then
    message.complain('the server option is set; remove it, then install')
  elseif argument then
    ask_for_wheel(argument)
  else
    ask()
  end
end

vim.api.nvim_create_autocmd('VimLeavePre', {
  group = vim.api.nvim_create_augroup('parrotlet.install', {}),
  callback = M.leave,
})

return M
