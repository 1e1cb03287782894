--- Shows the progress of loading or downloading a model, if that takes long, and of adapting one.
---
--- It appears in the message line and leaves no entry in the history. Other plugins can show the
--- same progress from Neovim's own event `LspProgress`.
local client = require('parrotlet.server.client')

local M = {}

local DELAY_MS = 3000

--- Whether the user is waiting for the operation; then its progress is shown without delay.
M.is_awaited = false

-- Adaptations take long: they are shown at each such step, and otherwise in the status line.
local ADAPTATION_TOKEN = '^parrotlet%-adaptation'
local ADAPTATION_STEP = 10 -- percent

---@class parrotlet.Progress
---@field message string The newest.
---@field is_shown boolean

--- Operations in progress, by token.
---@type table<string|integer, parrotlet.Progress>
local operations = {}

---@param text string
local function show(text)
  require('parrotlet.ui.message').show_progress(text)
end

---@param token string|integer
local function show_newest(token)
  local operation = operations[token]
  if operation then
    operation.is_shown = true
    show(operation.message)
  end
end

--- The last step of an adaptation that was shown.
---@type integer?
local adaptation_step

---@param value { kind: 'begin'|'report'|'end', message?: string, percentage?: integer }
local function on_adaptation(value)
  local step = value.kind ~= 'end' and math.floor((value.percentage or 0) / ADAPTATION_STEP) or nil
  if step and step ~= adaptation_step and value.message then
    show(value.message)
  end
  adaptation_step = step
end

---@param token string|integer
---@param value { kind: 'begin'|'report'|'end', message?: string, percentage?: integer }
local function on_progress(token, value)
  if tostring(token):find(ADAPTATION_TOKEN) then
    on_adaptation(value)
    return
  end
  local operation = operations[token]
  if value.kind == 'end' then
    operations[token], M.is_awaited = nil, false
    if operation and operation.is_shown then
      show(require('parrotlet.ui.status').describe())
    end
  elseif operation then
    operation.message = value.message or operation.message
    if operation.is_shown then
      show_newest(token)
    end
  else
    operations[token] = { message = value.message or 'starting', is_shown = false }
    vim.defer_fn(function()
      show_newest(token)
    end, M.is_awaited and 0 or DELAY_MS)
  end
end

--- Starts listening.
---@param group integer The autocommand group.
function M.listen(group)
  vim.api.nvim_create_autocmd('LspProgress', {
    group = group,
    callback = function(args)
      local running = client.get()
      if running and running.id == args.data.client_id then
        on_progress(args.data.params.token, args.data.params.value)
      end
    end,
  })
end

return M
