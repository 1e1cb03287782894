--- The connection to the server: one process for all buffers and all projects.
---
--- Starts it with the first buffer to complete, gives it the settings, and starts it again when it
--- dies. What is asked of it and shown is `parrotlet.suggestions.session`'s.
local config = require('parrotlet.config')
local message = require('parrotlet.ui.message')
local settings = require('parrotlet.settings.server_settings')
local status = require('parrotlet.ui.status')
local switch = require('parrotlet.suggestions.enablement')
local workspace = require('parrotlet.settings.workspace')

local M = {}

--- The client's name, as Neovim's own commands show it.
M.NAME = 'parrotlet'

local MOST_DEATHS = 3 -- within so many seconds; after them the server is left alone
local DEATHS_S = 60
local STOPPING_MS = 2000 -- for the server to leave by itself
local LEVELS = { vim.log.levels.ERROR, vim.log.levels.WARN } -- by an lsp.MessageType

--- The newest client, running or not.
---@type integer?
local newest

--- Clients that have said hello.
---@type table<integer, boolean>
local greeted = {}

--- Clients that were asked to leave, and what to do when they are gone.
---@type table<integer, fun()>
local leaving = {}

--- When the server died lately, in seconds.
---@type number[]
local deaths = {}

--- The running client, if there is one.
---@param bufnr? integer Only if it is attached to this buffer.
---@return vim.lsp.Client?
function M.get(bufnr)
  local client = newest and vim.lsp.get_client_by_id(newest)
  if client and not client:is_stopped() and (not bufnr or client.attached_buffers[bufnr]) then
    return client
  end
end

--- Says whether a buffer is one to complete, as far as its kind and its switches go.
local function is_to_be_completed(bufnr)
  return vim.api.nvim_buf_is_loaded(bufnr)
    and vim.bo[bufnr].buftype == ''
    and switch.why_off(bufnr) == nil
end

--- Attaches the server to every buffer that is to be completed.
function M.attach_all()
  for _, bufnr in ipairs(vim.api.nvim_list_bufs()) do
    M.attach(bufnr)
  end
end

local function fail(sentence)
  status.set('error', sentence)
  message.complain(sentence)
end

--- Says how the server ended, and starts it again unless that would be in vain.
---@param how string
---@param was_ready boolean
local function on_death(how, was_ready)
  if not was_ready then
    fail(('server failed to start (%s); see :Parrotlet log'):format(how))
    return
  end
  local now = vim.uv.now() / 1000
  deaths = vim.tbl_filter(function(at)
    return now - at < DEATHS_S
  end, deaths)
  deaths[#deaths + 1] = now
  if #deaths > MOST_DEATHS then
    local sentence = 'server stopped %d times (%s); see :Parrotlet log'
    fail(sentence:format(#deaths, how))
    return
  end
  local sentence = ('server stopped (%s); restarting it'):format(how)
  status.set('starting', sentence)
  message.complain(sentence)
  M.attach_all()
end

--- Says what the server has to say to the user.
---@param told lsp.ShowMessageParams
local function on_message(_, told)
  message.pass_on(told.message, LEVELS[told.type] or vim.log.levels.INFO)
end

---@class parrotlet.End
---@field code integer
---@field signal integer

---@param client_id integer
---@param ended parrotlet.End
local function on_exit(client_id, ended)
  local was_ready, after = greeted[client_id] or false, leaving[client_id]
  greeted[client_id], leaving[client_id] = nil, nil
  local is_polite = ended.code == 0 and ended.signal == 0
  local how = ended.signal > 0 and ('signal %d'):format(ended.signal)
    or ('exit code %d'):format(ended.code)
  vim.schedule(function()
    if vim.v.exiting ~= vim.NIL then
      return
    end
    if after then
      status.set('off', status.NOT_STARTED)
      after()
    elseif was_ready and is_polite then
      status.set('off', 'stopped (start it with :Parrotlet restart)')
    else
      on_death(how, was_ready)
    end
  end)
end

---@param client vim.lsp.Client
local function on_init(client)
  greeted[client.id] = true
  -- Neovim's own ghost text, where it is enabled, leaves this server to the plugin.
  client.server_capabilities.inlineCompletionProvider = nil
end

--- Takes the server's state.
---@param told any
local function on_status(_, told)
  if type(told) == 'table' then
    status.set(told.state, told.reason ~= vim.NIL and told.reason or nil)
  end
end

--- Starts the server's process.
---@param command string[]
---@param dispatchers vim.lsp.rpc.Dispatchers
---@param ended parrotlet.End Told how it ends.
---@return vim.lsp.rpc.PublicClient
local function spawn(command, dispatchers, ended)
  local on_end = dispatchers.on_exit
  dispatchers = vim.tbl_extend('force', dispatchers, {
    on_exit = function(code, signal)
      ended.code, ended.signal = code, signal
      on_end(0, 0) -- else Neovim would complain too, without saying what happens next
    end,
  })
  -- Not in the project: what lies there must not decide what Python imports.
  local place = { cwd = vim.uv.os_homedir() }
  return vim.lsp.rpc.start(require('parrotlet.server.log').redirected(command), dispatchers, place)
end

---@param command string[]
---@param root string
---@return vim.lsp.ClientConfig
local function client_config(command, root)
  local inline = { textDocument = { inlineCompletion = { dynamicRegistration = false } } }
  local capabilities = vim.lsp.protocol.make_client_capabilities()
  ---@type parrotlet.End
  local ended = { code = 0, signal = 0 }
  return {
    name = M.NAME,
    cmd = function(dispatchers)
      return spawn(command, dispatchers, ended)
    end,
    root_dir = root,
    capabilities = vim.tbl_deep_extend('force', capabilities, inline),
    init_options = settings.tree(),
    settings = { [M.NAME] = settings.tree() },
    on_init = on_init,
    on_exit = function(_, _, client_id)
      on_exit(client_id, ended)
    end,
    handlers = { ['parrotlet/status'] = on_status, ['window/showMessage'] = on_message },
  }
end

--- Takes note of a client that was attached to a buffer, and tells it of the buffer's project.
---@param client vim.lsp.Client
---@param bufnr integer
function M.note(client, bufnr)
  newest = client.id
  local root = workspace.root(bufnr)
  local folder = { uri = vim.uri_from_fname(root), name = root }
  client.workspace_folders = client.workspace_folders or {}
  local is_known = vim.iter(client.workspace_folders):any(function(known)
    return known.uri == folder.uri
  end)
  if not is_known then
    table.insert(client.workspace_folders, folder)
    local event = { added = { folder }, removed = {} }
    client:notify('workspace/didChangeWorkspaceFolders', { event = event })
  end
end

--- Has a buffer completed, if it is to be: starts the server or attaches the one that runs.
---@param bufnr integer
function M.attach(bufnr)
  if not is_to_be_completed(bufnr) then
    return
  end
  local running = M.get()
  if running then
    vim.lsp.buf_attach_client(bufnr, running.id)
    return
  end
  -- Looked for each time, so that a server installed meanwhile is found.
  local command, complaint = require('parrotlet.server.discovery').find(config.options.server)
  if not command then
    status.set('error', complaint)
    message.complain_once(assert(complaint))
    return
  end
  status.set('starting')
  newest = vim.lsp.start(client_config(command, workspace.root(bufnr)), {
    bufnr = bufnr,
    reuse_client = function()
      return false
    end,
  })
  if not newest then
    status.set('error', 'server failed to start; see :Parrotlet log')
  end
end

--- Leaves a buffer alone.
---@param bufnr integer
function M.detach(bufnr)
  local client = M.get(bufnr)
  if client then
    vim.lsp.buf_detach_client(bufnr, client.id)
  end
end

--- Starts the server anew, for all buffers.
function M.restart()
  deaths = {}
  local client = M.get()
  if not client then
    M.attach_all()
    return
  end
  leaving[client.id] = M.attach_all
  client:stop()
  vim.defer_fn(function()
    if leaving[client.id] then
      client.rpc.terminate()
    end
  end, STOPPING_MS)
end

--- Gives the running server the settings that hold now.
function M.tell_settings()
  local client = M.get()
  if client then
    client.settings = { [M.NAME] = settings.tree() }
    client:notify('workspace/didChangeConfiguration', { settings = client.settings })
  end
end

--- Has the server do one of its commands.
---@param command string
---@param take fun(result: any) Called with what it answers; nil if that is nothing, or an error.
---@return boolean is_running
function M.execute(command, take)
  local client = M.get()
  if not client or not client.initialized then
    return false
  end
  local bufnr = next(client.attached_buffers) or vim.api.nvim_get_current_buf()
  local params = { command = command }
  local is_sent = client:request('workspace/executeCommand', params, function(err, result)
    take(not err and result ~= vim.NIL and result or nil)
  end, bufnr)
  return is_sent
end

return M
