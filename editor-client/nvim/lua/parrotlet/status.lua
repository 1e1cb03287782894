--- What Parrotlet is doing, for status lines and for people.
---
--- The server tells its own state; where there is none, or nothing is to be suggested in a buffer,
--- that is told instead. `User ParrotletStatus` is triggered whenever it changes, with the status
--- as its data.
local switch = require('parrotlet.switch')

local M = {}

---@class parrotlet.Status
---@field state 'starting'|'ready'|'busy'|'idle'|'off'|'error'
---@field reason? string In words, where there is more to say.

---@type parrotlet.Status
local of_server = { state = 'off', reason = 'no server runs; it starts with a file to complete' }

--- The status in a buffer.
---@param bufnr? integer The current one unless told.
---@return parrotlet.Status
function M.get(bufnr)
  bufnr = (bufnr == nil or bufnr == 0) and vim.api.nvim_get_current_buf() or bufnr
  local why = switch.why_quiet(bufnr)
  if why then
    return { state = 'off', reason = why }
  end
  return vim.deepcopy(of_server)
end

--- The status in a few words, for a status line; "" in buffers that are not to be completed.
---@param bufnr? integer The current one unless told.
---@return string
function M.line(bufnr)
  local options = require('parrotlet.config').options
  local filetype = vim.bo[bufnr or 0].filetype
  if not options or not vim.list_contains(options.languages, filetype) then
    return ''
  end
  local status = M.get(bufnr)
  local is_telling = status.reason and status.state == 'starting'
  return 'Parrotlet: ' .. (is_telling and status.reason or status.state)
end

--- The status in one sentence.
---@param bufnr? integer The current one unless told.
---@return string
function M.sentence(bufnr)
  local status = M.get(bufnr)
  return status.reason and ('%s: %s'):format(status.state, status.reason) or status.state
end

--- Tells whoever shows the status that it may have changed.
function M.announce()
  vim.api.nvim_exec_autocmds('User', {
    pattern = 'ParrotletStatus',
    modeline = false,
    data = M.get(),
  })
  vim.cmd.redrawstatus({ bang = true })
end

--- Takes what the server, or its end, has to say.
---@param state string
---@param reason? string
function M.set(state, reason)
  if state ~= of_server.state or reason ~= of_server.reason then
    of_server = { state = state, reason = reason }
    M.announce()
  end
end

return M
