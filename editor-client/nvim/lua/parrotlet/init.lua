--- Ghost text from Parrotlet's server: what users call.
---
--- setup() listens for files to complete; nothing else is loaded, and no server started, before
--- there is one. The rest are the functions for mappings and status lines.
local config = require('parrotlet.config')

--- For mappings; each says whether there was anything to do.
---@class parrotlet.Api
---@field accept fun(): boolean Takes what is shown.
---@field accept_word fun(): boolean Takes its next word.
---@field accept_line fun(): boolean Takes the rest of its line.
---@field next fun(): boolean Shows the next alternative.
---@field previous fun(): boolean Shows the one before.
---@field dismiss fun(): boolean Hides what is shown.
---@field suggest fun(): boolean Asks for a suggestion.
local M = {}

--- Whether setup() has been called.
M.is_set_up = false

--- Whether what needs the server is loaded and listens.
local is_prepared = false

--- Acts when a client of ours is attached to a buffer, or leaves it.
local function on_client(event, group, act)
  local name = require('parrotlet.server.client').NAME
  vim.api.nvim_create_autocmd(event, {
    group = group,
    callback = function(args)
      local client = vim.lsp.get_client_by_id(args.data.client_id)
      if client and client.name == name then
        act(args.buf, client)
      end
    end,
  })
end

--- Makes everything ready, when there is something to complete.
local function prepare(group)
  if is_prepared then
    return
  end
  is_prepared = true
  local client, typing = require('parrotlet.server.client'), require('parrotlet.suggestions.events')
  local keymap, sessions =
    require('parrotlet.suggestions.keymap'), require('parrotlet.suggestions.session')
  on_client('LspAttach', group, function(bufnr, attached)
    client.note(attached, bufnr)
    sessions.start(bufnr)
    keymap.map(bufnr, config.options.keys)
    typing.look_soon()
  end)
  on_client('LspDetach', group, function(bufnr)
    sessions.stop(bufnr)
    keymap.unmap(bufnr)
  end)
  typing.listen(group)
  require('parrotlet.ui.progress').listen(group)
  -- setup() may have been called before, with other options.
  for bufnr in pairs(sessions.all()) do
    keymap.unmap(bufnr)
    keymap.map(bufnr, config.options.keys)
  end
  client.tell_settings()
end

---@param bufnr integer
---@return boolean
local function is_of_a_language(bufnr)
  return vim.list_contains(config.options.languages, vim.bo[bufnr].filetype)
end

--- Has a buffer completed, if it is of a language of the options.
local function consider(group, bufnr)
  if not is_of_a_language(bufnr) then
    local client = package.loaded['parrotlet.server.client']
    if client then
      client.detach(bufnr)
    end
    return
  end
  prepare(group)
  require('parrotlet.server.client').attach(bufnr)
end

--- Listens for files, and for switches.
local function listen(group)
  is_prepared = false
  vim.api.nvim_create_autocmd('FileType', {
    group = group,
    callback = function(args)
      -- Later, so that keys which others map for the file are there already.
      vim.schedule(function()
        if vim.api.nvim_buf_is_loaded(args.buf) then
          consider(group, args.buf)
        end
      end)
    end,
  })
  vim.api.nvim_create_autocmd('User', {
    group = group,
    pattern = 'ParrotletSwitch',
    callback = function()
      if is_prepared then
        require('parrotlet.server.client').attach_all()
        require('parrotlet.suggestions.events').obey_switch()
      end
      require('parrotlet.ui.status').announce()
    end,
  })
  -- Files that were there before the plugin was loaded.
  for _, bufnr in ipairs(vim.api.nvim_list_bufs()) do
    if vim.api.nvim_buf_is_loaded(bufnr) and is_of_a_language(bufnr) then
      consider(group, bufnr)
    end
  end
end

--- Starts Parrotlet.
---@param given? table See |parrotlet-options|.
function M.setup(given)
  M.is_set_up = true
  local options, complaint = config.resolve(given)
  config.options = options
  local group = vim.api.nvim_create_augroup('parrotlet', { clear = true })
  if options then
    listen(group)
  else
    require('parrotlet.ui.message').complain(assert(complaint))
  end
end

--- What Parrotlet is doing in the current buffer, or another: `state` and `reason`.
---@param bufnr? integer
---@return parrotlet.Status
function M.status(bufnr)
  return require('parrotlet.ui.status').get(bufnr)
end

--- The same in a few words, for 'statusline'; "" in files that are not to be completed.
---@param bufnr? integer
---@return string
function M.statusline(bufnr)
  return require('parrotlet.ui.status').line(bufnr)
end

--- Says whether ghost text stands in the current buffer.
---@return boolean
function M.is_shown()
  local session = package.loaded['parrotlet.suggestions.session']
  local current = session and session.current()
  return current ~= nil and current:shown() ~= nil
end

-- The functions for mappings are found when they are first called.
return setmetatable(M, {
  __index = function(_, name)
    if config.defaults.keys[name] ~= nil then
      return require('parrotlet.suggestions.keymap').ACTIONS[name]
    end
  end,
})
