--- Connects Neovim's built-in inline completion to Parrotlet's server.
---
--- It registers the server, turns on inline completion where the server is, maps one key and says
--- what went wrong. It completes nothing, keeps no settings of the server's, and talks LSP only.
local config = require('parrotlet.config')
local keymap = require('parrotlet.keymap')
local server = require('parrotlet.server')

local M = {}

local NAME = 'parrotlet'

--- Whether setup() has been called.
M.is_set_up = false

--- The options in force; nil before setup() and after a refused one.
---@type parrotlet.Options?
M.options = nil

--- Says a sentence, once: it would come again with each buffer.
local function complain(sentence)
  vim.notify_once('parrotlet: ' .. sentence, vim.log.levels.ERROR)
end

--- Registers the server with Neovim.
---@param options parrotlet.Options
local function register(options)
  vim.lsp.config(NAME, {
    -- Looked for when a file is opened, so that a server installed meanwhile is found. One server
    -- serves all projects: it holds one model in memory and knows no workspace; there is no root.
    root_dir = function(_, start)
      local command, complaint = server.find(options.cmd)
      if command then
        start(nil)
      else
        complain(assert(complaint))
      end
    end,
    cmd = function(dispatchers)
      return vim.lsp.rpc.start(assert(server.find(options.cmd)), dispatchers)
    end,
    filetypes = options.filetypes,
    init_options = next(options.settings) and options.settings or nil,
    handlers = {
      ['parrotlet/status'] = function(_, status)
        if type(status) == 'table' and status.state == 'error' then
          complain(tostring(status.reason))
        end
      end,
    },
  })
  vim.lsp.enable(NAME)
end

--- Does `act` with the buffer whenever our client comes to one, or leaves one.
local function on_client(event, group, act)
  vim.api.nvim_create_autocmd(event, {
    group = group,
    callback = function(args)
      local client = vim.lsp.get_client_by_id(args.data.client_id)
      if client and client.name == NAME then
        act(args.buf)
      end
    end,
  })
end

--- Starts Parrotlet.
---@param given? table See |parrotlet-options|.
function M.setup(given)
  M.is_set_up = true
  local options, complaint = config.resolve(given)
  M.options = options
  if not options then
    complain(assert(complaint))
    return
  end
  local group = vim.api.nvim_create_augroup(NAME, { clear = true })
  on_client('LspAttach', group, function(bufnr)
    -- For the buffer only: a user who has turned inline completion off everywhere keeps it off.
    vim.lsp.inline_completion.enable(true, { bufnr = bufnr })
    if options.accept_key then
      keymap.map(bufnr, options.accept_key)
    end
  end)
  on_client('LspDetach', group, keymap.unmap)
  register(options)
end

return M
