--- Runs the commands of an installation in the background, one after another, with a log, and in
--- one Neovim at a time.
---
--- The commands see nothing of the project, the working folder or the user's Python variables.
--- Called by `parrotlet.install.installer` and `parrotlet.install.python`.
local M = {}

local CHECK_TIMEOUT_MS = 10000
local STOP_TIMEOUT_MS = 3000
local is_windows = vim.fn.has('win32') == 1

---@class parrotlet.Process
---@field pid integer
---@field system? vim.SystemObj
---@field has_exited boolean

--- Returns the file to which the commands' output is written.
---@return string
function M.get_log_path()
  return vim.fs.joinpath(vim.fn.stdpath('log') --[[@as string]], 'parrotlet-install.log')
end

--- Variables that decide where pip installs, besides Python's own.
local PLACES = { 'VIRTUAL_ENV', 'PIP_PREFIX', 'PIP_PYTHON', 'PIP_ROOT', 'PIP_TARGET', 'PIP_USER' }

---@return vim.SystemOpts
local function build_options()
  local env = vim.fn.environ()
  for name in pairs(env) do
    if name:find('^PYTHON') or vim.list_contains(PLACES, name) then
      env[name] = nil
    end
  end
  env.PIP_NO_INPUT, env.PIP_DISABLE_PIP_VERSION_CHECK, env.PIP_PROGRESS_BAR = '1', '1', 'off'
  return { env = env, clear_env = true, cwd = vim.uv.os_homedir() }
end

--- Runs a short command, and returns whether it succeeded.
---@param command string[]
---@return boolean
function M.succeeds(command)
  local is_started, result = pcall(function()
    return vim.system(command, build_options()):wait(CHECK_TIMEOUT_MS)
  end)
  return is_started and result.code == 0
end

--- Empties the log.
function M.start_log()
  vim.fn.mkdir(vim.fs.dirname(M.get_log_path()), 'p')
  local file = io.open(M.get_log_path(), 'w')
  if file then
    file:close()
  end
end

---@param text string
local function append_to_log(text)
  local file = io.open(M.get_log_path(), 'a')
  if file then
    file:write(text)
    file:close()
  end
end

--- Returns a function that accepts chunks of output and calls back with each complete line.
---@param on_line fun(line: string)
---@return fun(chunk: string)
local function make_line_splitter(on_line)
  local rest = ''
  return function(chunk)
    rest = rest .. chunk:gsub('\r\n?', '\n')
    for line in rest:gmatch('([^\n]*)\n') do
      on_line(line)
    end
    rest = rest:match('[^\n]*$')
  end
end

--- Starts a command.
---@param command string[]
---@param on_line fun(line: string) Called with each line of its output.
---@param on_exit fun(is_success: boolean, output: string)
---@return parrotlet.Process
function M.run(command, on_line, on_exit)
  append_to_log(('$ %s\n'):format(table.concat(command, ' ')))
  local output = {}
  local split_lines = make_line_splitter(on_line)
  local add_chunk = vim.schedule_wrap(function(chunk)
    output[#output + 1] = chunk
    append_to_log(chunk)
    split_lines(chunk)
  end)
  local function on_output(_, chunk)
    if chunk then
      add_chunk(chunk)
    end
  end
  -- A process group of its own, so that pip's child processes can be stopped with it.
  local options = vim.tbl_extend('force', build_options(), {
    detach = not is_windows,
    stdout = on_output,
    stderr = on_output,
  })
  ---@type parrotlet.Process
  local process = { pid = 0, has_exited = false }
  local on_result = vim.schedule_wrap(function(result)
    process.has_exited = true
    on_exit(result.code == 0 and result.signal == 0, table.concat(output))
  end)
  local is_started, system = pcall(vim.system, command, options, on_result)
  if is_started then
    process.system, process.pid = system, system.pid
  else
    output[1] = tostring(system)
    append_to_log(output[1] .. '\n')
    on_result({ code = 1, signal = 0 })
  end
  return process
end

---@param process parrotlet.Process
---@param signal string
local function kill(process, signal)
  if not process.system or process.has_exited then
    return
  elseif is_windows then
    process.system:kill(signal)
  else
    vim.uv.kill(-process.pid, signal)
  end
end

--- Stops a command and its child processes.
---@param process? parrotlet.Process
---@param is_now? boolean Kills it at once instead of giving it time to clean up.
function M.stop(process, is_now)
  if not process then
    return
  end
  kill(process, is_now and 'sigkill' or 'sigterm')
  vim.defer_fn(function()
    kill(process, 'sigkill')
  end, STOP_TIMEOUT_MS)
end

local function get_lock_path()
  return vim.fs.joinpath(vim.fn.stdpath('data') --[[@as string]], 'parrotlet', 'install.lock')
end

--- Reserves the installation for this Neovim.
---@return integer? other_pid The process that holds the lock; nil if this Neovim now does.
function M.acquire_lock()
  local path = get_lock_path()
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
    vim.uv.fs_unlink(path) -- left behind by a process that no longer exists
  end
end

function M.release_lock()
  vim.uv.fs_unlink(get_lock_path())
end

return M
