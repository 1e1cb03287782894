--- The server's life: started with the first buffer to complete, restarted when it crashes, and
--- left alone when it crashes too often.
local client = require('parrotlet.server.client')
local config = require('parrotlet.config')
local discovery = require('parrotlet.server.discovery')
local enablement = require('parrotlet.suggestions.enablement')
local message = require('parrotlet.ui.message')
local status = require('parrotlet.ui.status')
local unnamed_buffer = require('parrotlet.server.unnamed_buffer')

local M = {}

local MAX_CRASHES = 3 -- within CRASH_WINDOW_S; then the server is not restarted
local CRASH_WINDOW_S = 60
local STOP_TIMEOUT_MS = 2000

--- Clients that were asked to stop, and what to do afterwards.
---@type table<integer, fun()>
local on_stopped = {}

--- The times of recent crashes, in seconds.
---@type number[]
local crashes = {}

--- The command that was started last.
---@type string[]?
local last_command

--- The command that fails, and is started again only on request.
---@type string[]?
local failing_command

---@return boolean
function M.is_running()
  return client.get() ~= nil
end

--- Checks whether a buffer is completed, as far as its kind and the user's decisions go.
---@param bufnr integer
local function should_complete(bufnr)
  return vim.api.nvim_buf_is_loaded(bufnr)
    and vim.bo[bufnr].buftype == ''
    and enablement.get_disabled_reason(bufnr) == nil
end

--- Reports a failure, after which no further file starts the server.
---@param reason string
local function fail(reason)
  failing_command = last_command
  status.set('error', reason)
  message.warn(reason)
end

--- Reports a crash, and restarts the server unless it keeps crashing.
---@param how string
---@param was_initialized boolean
local function on_crash(how, was_initialized)
  if not was_initialized then
    fail(('server failed to start (%s); see :Parrotlet log'):format(how))
    return
  end
  local now = vim.uv.now() / 1000
  crashes = vim.tbl_filter(function(time)
    return now - time < CRASH_WINDOW_S
  end, crashes)
  crashes[#crashes + 1] = now
  if #crashes > MAX_CRASHES then
    fail(('server stopped %d times (%s); see :Parrotlet log'):format(#crashes, how))
    return
  end
  local reason = ('server stopped (%s); restarting it'):format(how)
  status.set('starting', reason)
  message.warn(reason)
  M.attach_all()
end

---@param client_id integer
---@param exit parrotlet.Exit
---@param was_initialized boolean
local function on_exit(client_id, exit, was_initialized)
  local continue = on_stopped[client_id]
  on_stopped[client_id] = nil
  local is_success = exit.code == 0 and exit.signal == 0
  local how = exit.signal > 0 and ('signal %d'):format(exit.signal)
    or ('exit code %d'):format(exit.code)
  vim.schedule(function()
    if vim.v.exiting ~= vim.NIL then
      return
    end
    if not client.get() then
      unnamed_buffer.release()
    end
    if continue then
      status.set('off', status.NOT_STARTED)
      continue()
    elseif was_initialized and is_success then
      status.set('off', 'stopped (start it with :Parrotlet restart)')
    else
      on_crash(how, was_initialized)
    end
  end)
end

--- Attaches the server to a buffer that should be completed; starts it if it is not running.
---@param bufnr integer
function M.attach(bufnr)
  if not should_complete(bufnr) then
    return
  end
  local running = client.get()
  if running then
    unnamed_buffer.claim(bufnr)
    vim.lsp.buf_attach_client(bufnr, running.id)
    return
  end
  -- Searched each time, so that a server installed in the meantime is found.
  local command, err = discovery.find(config.options.server)
  if not command then
    status.set('error', err)
    message.warn_once(assert(err))
    return
  end
  if vim.deep_equal(command, failing_command) then
    return
  end
  last_command = command
  status.set('starting')
  if client.start(command, bufnr, on_exit) then
    unnamed_buffer.claim(bufnr)
  else
    status.set('error', 'server failed to start; see :Parrotlet log')
  end
end

--- Attaches the server to every buffer that should be completed.
function M.attach_all()
  for _, bufnr in ipairs(vim.api.nvim_list_bufs()) do
    M.attach(bufnr)
  end
end

--- Attaches the server to another buffer without a name, if the one that it knew has got one or is
--- detached.
---@param bufnr integer
function M.release_unnamed(bufnr)
  if not unnamed_buffer.release(bufnr) then
    return
  end
  vim.schedule(function() -- after Neovim has told the server about the old one
    for _, other in ipairs(vim.api.nvim_list_bufs()) do
      if other ~= bufnr and vim.api.nvim_buf_get_name(other) == '' and client.get() then
        M.attach(other)
      end
    end
  end)
end

---@param bufnr integer
function M.detach(bufnr)
  local attached = client.get(bufnr)
  if attached then
    vim.lsp.buf_detach_client(bufnr, attached.id)
  end
end

--- Restarts the server, for all buffers.
function M.restart()
  crashes, failing_command = {}, nil
  local running = client.get()
  if not running then
    M.attach_all()
    return
  end
  on_stopped[running.id] = M.attach_all
  running:stop()
  vim.defer_fn(function()
    if on_stopped[running.id] then
      running.rpc.terminate()
    end
  end, STOP_TIMEOUT_MS)
end

return M
