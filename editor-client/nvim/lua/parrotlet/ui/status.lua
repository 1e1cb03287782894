--- What Parrotlet is doing, for status lines and for people.
---
--- The server reports its own state. Where suggestions are off, without a server and while one is
--- being installed, the status comes from the plugin. `User ParrotletStatus` is triggered whenever
--- the status changes, with the status as its data.
local enablement = require('parrotlet.suggestions.enablement')

local M = {}

---@class parrotlet.Status
---@field state 'installing'|'starting'|'ready'|'busy'|'idle'|'off'|'error'
---@field reason? string In words, where there is more to say.
---@field adaptation? string How an adaptation of the model is going, in a few words.

--- The reason until a server is started.
M.NOT_STARTED = 'not started (open a supported file)'

--- The words for states; for other states, the reason says everything.
local WORDS = {
  installing = 'installing',
  starting = 'starting',
  ready = 'ready',
  idle = 'ready',
  busy = 'completing',
}

---@type parrotlet.Status
local server_status = { state = 'off', reason = M.NOT_STARTED }

--- The current step of an installation.
---@type string?
local install_step

--- How an adaptation is going.
---@type string?
local adaptation

---@param bufnr? integer
---@return parrotlet.Status
local function find(bufnr)
  if install_step then
    return { state = 'installing', reason = install_step }
  end
  bufnr = (bufnr == nil or bufnr == 0) and vim.api.nvim_get_current_buf() or bufnr
  local reason = enablement.get_pause_reason(bufnr)
  if reason then
    return { state = 'off', reason = reason }
  end
  return vim.deepcopy(server_status)
end

--- Returns the status in a buffer.
---@param bufnr? integer The current one by default.
---@return parrotlet.Status
function M.get(bufnr)
  local status = find(bufnr)
  status.adaptation = adaptation
  return status
end

--- Appends how an adaptation is going.
---@param text string
---@return string
local function append_adaptation(text)
  if not adaptation then
    return text
  end
  return ('%s, %s'):format(text, adaptation:sub(1, 1):lower() .. adaptation:sub(2))
end

--- Formats the status for a status line; "" in buffers without suggestions.
---@param bufnr? integer The current one by default.
---@return string
function M.format_statusline(bufnr)
  local options = require('parrotlet.config').options
  local filetype = vim.bo[bufnr or 0].filetype
  if not options or not vim.list_contains(options.languages, filetype) then
    return ''
  end
  local status = M.get(bufnr)
  local text = WORDS[status.state] or status.state
  if status.state == 'installing' then
    text = ('installing %s'):format(status.reason:match('^%S+'))
  elseif status.state == 'starting' then
    text = status.reason or text
  end
  return append_adaptation('Parrotlet: ' .. text)
end

--- Describes the status in one sentence.
---@param bufnr? integer The current one by default.
---@return string
function M.describe(bufnr)
  local status = M.get(bufnr)
  local word = WORDS[status.state]
  if word and status.reason then
    return append_adaptation(('%s: %s'):format(word, status.reason))
  end
  return append_adaptation(word or status.reason or status.state)
end

--- Triggers the event for everyone who shows the status.
function M.announce()
  vim.api.nvim_exec_autocmds('User', {
    pattern = 'ParrotletStatus',
    modeline = false,
    data = M.get(),
  })
  vim.cmd.redrawstatus({ bang = true })
end

--- Sets the server's state, as it reports it or as it ended.
---@param state string
---@param reason? string
function M.set(state, reason)
  if state ~= server_status.state or reason ~= server_status.reason then
    server_status = { state = state, reason = reason }
    M.announce()
  end
end

--- Sets how an adaptation of the model is going.
---@param text? string As the server words it; nil when it has ended.
function M.set_adaptation(text)
  if text ~= adaptation then
    adaptation = text
    M.announce()
  end
end

--- Sets the step of an installation.
---@param step? string As in "2/4 downloading torch"; nil when it has ended.
function M.set_installing(step)
  if step ~= install_step then
    install_step = step
    M.announce()
  end
end

return M
