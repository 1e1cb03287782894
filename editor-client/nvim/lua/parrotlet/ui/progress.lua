--- Shows that a model is being loaded or downloaded, if that takes long.
---
--- In the message line, without an entry in the history; other plugins can show the same progress
--- from Neovim's own event `LspProgress`.
local client = require('parrotlet.server.client')

local M = {}

local PATIENCE_MS = 3000

--- Whether the user waits for it: then all of it is shown.
M.is_awaited = false

---@class parrotlet.Progress
---@field message string The newest.
---@field is_shown boolean

--- What is under way, by token.
---@type table<string|integer, parrotlet.Progress>
local under_way = {}

local function show(text)
  require('parrotlet.ui.message').progress(text)
end

---@param token string|integer
local function show_newest(token)
  local progress = under_way[token]
  if progress then
    progress.is_shown = true
    show(progress.message)
  end
end

--- Takes one message of progress.
---@param token string|integer
---@param value { kind: 'begin'|'report'|'end', message?: string }
local function take(token, value)
  local progress = under_way[token]
  if value.kind == 'end' then
    under_way[token], M.is_awaited = nil, false
    if progress and progress.is_shown then
      show(require('parrotlet.ui.status').sentence())
    end
  elseif progress then
    progress.message = value.message or progress.message
    if progress.is_shown then
      show_newest(token)
    end
  else
    under_way[token] = { message = value.message or 'starting', is_shown = false }
    vim.defer_fn(function()
      show_newest(token)
    end, M.is_awaited and 0 or PATIENCE_MS)
  end
end

--- Listens to Neovim.
---@param group integer The group of autocommands for it.
function M.listen(group)
  vim.api.nvim_create_autocmd('LspProgress', {
    group = group,
    callback = function(args)
      local running = client.get()
      if running and running.id == args.data.client_id then
        take(args.data.params.token, args.data.params.value)
      end
    end,
  })
end

return M
