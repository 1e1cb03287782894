--- The connection to the server: one process for all buffers and all projects.
---
--- Starts the process and sends it settings, workspace folders and commands. When it is started and
--- restarted is decided by `parrotlet.server.lifecycle`; suggestions are requested by
--- `parrotlet.suggestions.request`.
local log = require('parrotlet.server.log')
local message = require('parrotlet.ui.message')
local server_settings = require('parrotlet.settings.server_settings')
local status = require('parrotlet.ui.status')
local workspace = require('parrotlet.settings.workspace')

local M = {}

--- The client's name, as Neovim's own commands show it.
M.NAME = 'parrotlet'

local LOG_LEVELS = { vim.log.levels.ERROR, vim.log.levels.WARN } -- by lsp.MessageType

--- The newest client, running or not.
---@type integer?
local newest_id

--- Clients that have completed the handshake.
---@type table<integer, boolean>
local is_initialized = {}

--- How a process ended.
---@class parrotlet.Exit
---@field code integer
---@field signal integer

--- Returns the running client, if there is one.
---@param bufnr? integer Only if it is attached to this buffer.
---@return vim.lsp.Client?
function M.get(bufnr)
  local client = newest_id and vim.lsp.get_client_by_id(newest_id)
  if client and not client:is_stopped() and (not bufnr or client.attached_buffers[bufnr]) then
    return client
  end
end

--- Shows a message from the server.
---@param params lsp.ShowMessageParams
local function on_message(_, params)
  local level = LOG_LEVELS[params.type] or vim.log.levels.INFO
  message.relay_server_message(params.message, level)
end

--- Shows the server's status.
---@param params any
local function on_status(_, params)
  if type(params) == 'table' then
    status.set(params.state, params.reason ~= vim.NIL and params.reason or nil)
  end
end

--- Shows how an adaptation is going.
---@param params any
local function on_adaptation(_, params)
  if type(params) == 'table' then
    require('parrotlet.ui.adaptation').on_report(params)
  end
end

---@param client vim.lsp.Client
local function on_init(client)
  is_initialized[client.id] = true
  -- Neovim's own ghost text, where it is enabled, must not show this server's suggestions too.
  client.server_capabilities.inlineCompletionProvider = nil
end

--- Starts the server's process.
---@param command string[]
---@param dispatchers vim.lsp.rpc.Dispatchers
---@param exit parrotlet.Exit Filled in when the process ends.
---@return vim.lsp.rpc.PublicClient
local function spawn(command, dispatchers, exit)
  local on_exit = dispatchers.on_exit
  dispatchers = vim.tbl_extend('force', dispatchers, {
    on_exit = function(code, signal)
      exit.code, exit.signal = code, signal
      on_exit(0, 0) -- otherwise Neovim would report the exit too, without saying what follows
    end,
  })
  -- Not in the project, whose files must not decide what Python imports.
  local options = { cwd = vim.uv.os_homedir() }
  return vim.lsp.rpc.start(log.redirect_stderr(command), dispatchers, options)
end

---@param command string[]
---@param root string
---@param on_exit fun(client_id: integer, exit: parrotlet.Exit, was_initialized: boolean)
---@return vim.lsp.ClientConfig
local function build_config(command, root, on_exit)
  local ours = {
    textDocument = { inlineCompletion = { dynamicRegistration = false } },
    -- Not "progress", which other plugins show, too: they listen for Neovim's event.
    -- Settings are always sent as a whole: one that is removed no longer applies.
    experimental = { parrotlet = { shows = { 'messages' }, sendsAllSettings = true } },
  }
  local capabilities = vim.lsp.protocol.make_client_capabilities()
  ---@type parrotlet.Exit
  local exit = { code = 0, signal = 0 }
  return {
    name = M.NAME,
    cmd = function(dispatchers)
      return spawn(command, dispatchers, exit)
    end,
    root_dir = root,
    capabilities = vim.tbl_deep_extend('force', capabilities, ours),
    init_options = server_settings.get_all(),
    settings = { [M.NAME] = server_settings.get_all() },
    on_init = on_init,
    on_exit = function(_, _, client_id)
      local was_initialized = is_initialized[client_id] or false
      is_initialized[client_id] = nil
      vim.schedule(function()
        require('parrotlet.ui.adaptation').clear()
      end)
      on_exit(client_id, exit, was_initialized)
    end,
    handlers = {
      ['parrotlet/status'] = on_status,
      ['parrotlet/adaptation'] = on_adaptation,
      ['window/showMessage'] = on_message,
    },
  }
end

--- Starts the server for a buffer.
---@param command string[]
---@param bufnr integer
---@param on_exit fun(client_id: integer, exit: parrotlet.Exit, was_initialized: boolean)
---@return boolean is_started
function M.start(command, bufnr, on_exit)
  newest_id = vim.lsp.start(build_config(command, workspace.find_root(bufnr), on_exit), {
    bufnr = bufnr,
    reuse_client = function()
      return false
    end,
  })
  return newest_id ~= nil
end

--- Records that a client was attached to a buffer, and adds the buffer's workspace folder to it.
---@param client vim.lsp.Client
---@param bufnr integer
function M.register_attachment(client, bufnr)
  newest_id = client.id
  local root = workspace.find_root(bufnr)
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

--- Sends the current settings to the running server.
function M.send_settings()
  local client = M.get()
  if client then
    client.settings = { [M.NAME] = server_settings.get_all() }
    client:notify('workspace/didChangeConfiguration', { settings = client.settings })
  end
end

--- Runs one of the server's commands.
---@param command string
---@param on_result fun(result: any) Called with the result; nil for an error or an empty result.
---@param argument? table What the command is about.
---@return boolean is_sent
function M.execute(command, on_result, argument)
  local client = M.get()
  if not client or not client.initialized then
    return false
  end
  local bufnr = next(client.attached_buffers) or vim.api.nvim_get_current_buf()
  local params = { command = command, arguments = { argument } }
  local is_sent = client:request('workspace/executeCommand', params, function(err, result)
    on_result(not err and result ~= vim.NIL and result or nil)
  end, bufnr)
  return is_sent
end

return M
