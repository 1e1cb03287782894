--- The functions that users call: `require('parrotlet')`.
---
--- setup() listens for files to complete. Until there is one, nothing else is loaded and no server
--- is started.
local config = require('parrotlet.config')

--- Functions for mappings; each returns whether there was anything to do.
---@class parrotlet.Api
---@field accept fun(): boolean Accepts the suggestion.
---@field accept_word fun(): boolean Accepts its next word.
---@field accept_line fun(): boolean Accepts the rest of its line.
---@field next fun(): boolean Shows the next alternative.
---@field previous fun(): boolean Shows the previous alternative.
---@field dismiss fun(): boolean Hides the suggestion.
---@field suggest fun(): boolean Requests a suggestion.
local M = {}

--- Whether setup() has been called.
M.is_set_up = false

--- Whether the modules that need the server are loaded and listening.
local is_activated = false

--- Calls back when our client is attached to a buffer or detached from it.
---@param event 'LspAttach'|'LspDetach'
---@param group integer
---@param callback fun(bufnr: integer, client: vim.lsp.Client)
local function on_client_event(event, group, callback)
  local name = require('parrotlet.server.client').NAME
  vim.api.nvim_create_autocmd(event, {
    group = group,
    callback = function(args)
      local client = vim.lsp.get_client_by_id(args.data.client_id)
      if client and client.name == name then
        callback(args.buf, client)
      end
    end,
  })
end

--- Has the server know each buffer by its current name, which Neovim's client announces late or not
--- at all. Where a buffer without a name gets one by being written, Neovim acts as if it was wiped
--- out.
---@param group integer
local function follow_names(group)
  local lifecycle = require('parrotlet.server.lifecycle')
  vim.api.nvim_create_autocmd({ 'BufFilePre', 'BufWipeout' }, {
    group = group,
    callback = function(args)
      lifecycle.detach(args.buf)
    end,
  })
  vim.api.nvim_create_autocmd({ 'BufFilePost', 'BufWritePost' }, {
    group = group,
    callback = function(args)
      if not require('parrotlet.server.client').get(args.buf) then
        lifecycle.attach(args.buf)
      end
    end,
  })
end

--- Loads everything and starts listening, as soon as there is a file to complete.
---@param group integer
local function activate(group)
  if is_activated then
    return
  end
  is_activated = true
  local client = require('parrotlet.server.client')
  local events = require('parrotlet.suggestions.events')
  local keymap = require('parrotlet.suggestions.keymap')
  local sessions = require('parrotlet.suggestions.session')
  on_client_event('LspAttach', group, function(bufnr, attached)
    client.register_attachment(attached, bufnr)
    sessions.start(bufnr)
    keymap.map(bufnr, config.options.keys)
    events.schedule_update()
  end)
  on_client_event('LspDetach', group, function(bufnr)
    sessions.stop(bufnr)
    keymap.unmap(bufnr)
    require('parrotlet.server.lifecycle').release_unnamed(bufnr)
  end)
  follow_names(group)
  events.listen(group)
  require('parrotlet.ui.progress').listen(group)
  -- setup() may have been called before, with other options; with wrong ones, nobody has listened.
  for bufnr in pairs(sessions.get_all()) do
    keymap.unmap(bufnr)
    if vim.api.nvim_buf_is_valid(bufnr) then
      keymap.map(bufnr, config.options.keys)
    else
      sessions.stop(bufnr)
    end
  end
  client.send_settings()
end

---@param bufnr integer
---@return boolean
local function has_supported_language(bufnr)
  return vim.list_contains(config.options.languages, vim.bo[bufnr].filetype)
end

--- Attaches the server to a buffer, or detaches it, according to the buffer's language.
---@param group integer
---@param bufnr integer
local function update_buffer(group, bufnr)
  if has_supported_language(bufnr) then
    activate(group)
    require('parrotlet.server.lifecycle').attach(bufnr)
  elseif package.loaded['parrotlet.server.lifecycle'] then
    require('parrotlet.server.lifecycle').detach(bufnr)
  end
end

local function on_enablement_changed()
  if is_activated then
    require('parrotlet.server.lifecycle').attach_all()
    require('parrotlet.suggestions.events').apply_enablement()
  end
  require('parrotlet.ui.status').announce()
end

--- Listens for files, and for suggestions being turned on or off.
---@param group integer
local function listen(group)
  is_activated = false
  vim.api.nvim_create_autocmd('FileType', {
    group = group,
    callback = function(args)
      -- Later, so that keys that others map for the file type are mapped by then.
      vim.schedule(function()
        if vim.api.nvim_buf_is_loaded(args.buf) then
          update_buffer(group, args.buf)
        end
      end)
    end,
  })
  vim.api.nvim_create_autocmd('User', {
    group = group,
    pattern = 'ParrotletEnablementChanged',
    callback = on_enablement_changed,
  })
  -- Files that were opened before the plugin was loaded.
  for _, bufnr in ipairs(vim.api.nvim_list_bufs()) do
    if vim.api.nvim_buf_is_loaded(bufnr) and has_supported_language(bufnr) then
      update_buffer(group, bufnr)
    end
  end
end

--- Starts Parrotlet.
---@param options? table See |parrotlet-options|.
function M.setup(options)
  M.is_set_up = true
  local resolved, err = config.resolve(options)
  config.options = resolved
  local group = vim.api.nvim_create_augroup('parrotlet', { clear = true })
  if resolved then
    listen(group)
  else
    require('parrotlet.ui.message').warn(assert(err))
  end
end

--- Returns what Parrotlet is doing in a buffer: `state` and `reason`.
---@param bufnr? integer The current one by default.
---@return parrotlet.Status
function M.status(bufnr)
  return require('parrotlet.ui.status').get(bufnr)
end

--- Returns the same in a few words, for 'statusline'; "" in files that are not supported.
---@param bufnr? integer The current one by default.
---@return string
function M.statusline(bufnr)
  return require('parrotlet.ui.status').format_statusline(bufnr)
end

--- Returns whether ghost text is shown in the current buffer.
---@return boolean
function M.is_shown()
  local sessions = package.loaded['parrotlet.suggestions.session']
  local session = sessions and sessions.get_current()
  return session ~= nil and session:get_shown() ~= nil
end

-- The functions for mappings are loaded on first use.
return setmetatable(M, {
  __index = function(_, name)
    if config.defaults.keys[name] ~= nil then
      return require('parrotlet.suggestions.keymap').functions[name]
    end
  end,
})
