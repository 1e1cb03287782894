--- Runs the commands of an installation beside the editor: one after another, with a log, and in
--- one Neovim at a time.
---
--- Nothing of the project, the working folder or the user's Python variables reaches them. Called
--- by `parrotlet.install.installer`.
local M = {}

local CHECK_MS = 10000
local STOPPING_MS = 3000 -- for a command to end by itself
local is_windows = vim.fn.has('win32') == 1

---@class parrotlet.Running
---@field pid integer
---@field process vim.SystemObj
---@field is_ended boolean

--- The file to which the commands' output goes.
---@return string
function M.log_path()
  return vim.fs.joinpath(vim.fn.stdpath('log') --[[@as string]], 'parrotlet-install.log')
end

---@return vim.SystemOpts
local function options()
  local env = vim.fn.environ()
  for name in pairs(env) do
    if name:find('^PYTHON') or name == 'VIRTUAL_ENV' or name == 'PIP_TARGET' then
      env[name] = nil
    end
  end
  env.PIP_NO_INPUT, env.PIP_DISABLE_PIP_VERSION_CHECK, env.PIP_PROGRESS_BAR = '1', '1', 'off'
  return { env = env, clear_env = true, cwd = vim.uv.os_homedir() }
end

--- Says whether a short command succeeds.
---@param command string[]
---@return boolean
function M.succeeds(command)
  local is_run, result = pcall(function()
    return vim.system(command, options()):wait(CHECK_MS)
  end)
  return is_run and result.code == 0
end

--- Begins a new log.
function M.start_log()
  vim.fn.mkdir(vim.fs.dirname(M.log_path()), 'p')
  local file = io.open(M.log_path(), 'w')
  if file then
    file:close()
  end
end

local function log(text)
  local file = io.open(M.log_path(), 'a')
  if file then
    file:write(text)
    file:close()
  end
end

--- Returns a function that takes pieces of output, and calls back with each whole line.
---@param on_line fun(line: string)
---@return fun(piece: string)
local function line_splitter(on_line)
  local rest = ''
  return function(piece)
    rest = rest .. piece:gsub('\r\n?', '\n')
    for line in rest:gmatch('([^\n]*)\n') do
      on_line(line)
    end
    rest = rest:match('[^\n]*$')
  end
end

--- Runs a command.
---@param command string[]
---@param on_line fun(line: string) Called with each line of its output.
---@param on_end fun(is_success: boolean, output: string)
---@return parrotlet.Running
function M.run(command, on_line, on_end)
  log(('$ %s\n'):format(table.concat(command, ' ')))
  local output = {}
  local split = line_splitter(on_line)
  local take = vim.schedule_wrap(function(piece)
    output[#output + 1] = piece
    log(piece)
    split(piece)
  end)
  local function on_output(_, piece)
    if piece then
      take(piece)
    end
  end
  -- A group of its own, so that what pip starts can be ended with it.
  local how = vim.tbl_extend('force', options(), {
    detach = not is_windows,
    stdout = on_output,
    stderr = on_output,
  })
  ---@type parrotlet.Running
  local running = { pid = 0, is_ended = false }
  local on_exit = vim.schedule_wrap(function(result)
    running.is_ended = true
    on_end(result.code == 0 and result.signal == 0, table.concat(output))
  end)
  local is_started, process = pcall(vim.system, command, how, on_exit)
  if is_started then
    running.process, running.pid = process, process.pid
  else
    output[1] = tostring(process)
    log(output[1] .. '\n')
    on_exit({ code = 1, signal = 0 })
  end
  return running
end

---@param running parrotlet.Running
---@param signal string
local function kill(running, signal)
  if not running.process or running.is_ended then
    return
  elseif is_windows then
    running.process:kill(signal)
  else
    vim.uv.kill(-running.pid, signal)
  end
end

--- Ends a command and what it has started.
---@param running? parrotlet.Running
---@param is_now? boolean Whether there is no time to wait for it.
function M.stop(running, is_now)
  if not running then
    return
  end
  kill(running, is_now and 'sigkill' or 'sigterm')
  vim.defer_fn(function()
    kill(running, 'sigkill')
  end, STOPPING_MS)
end

local function lock_path()
  return vim.fs.joinpath(vim.fn.stdpath('data') --[[@as string]], 'parrotlet', 'install.lock')
end

--- Claims the installation for this Neovim; returns the process of the one that has it.
---@return integer? other
function M.lock()
  local path = lock_path()
  vim.fn.mkdir(vim.fs.dirname(path), 'p')
  for _ = 1, 2 do
    local file = vim.uv.fs_open(path, 'wx', tonumber('600', 8))
    if file then
      vim.uv.fs_write(file, tostring(vim.uv.os_getpid()))
      vim.uv.fs_close(file)
      return
    end
    local holder = io.open(path)
    local pid = holder and tonumber(holder:read('*a'))
    if holder then
      holder:close()
    end
    if pid and vim.uv.kill(pid, 0) == 0 then
      return pid
    end
    vim.uv.fs_unlink(path) -- it has died
  end
end

--- Gives the claim back.
function M.unlock()
  vim.uv.fs_unlink(lock_path())
end

return M
