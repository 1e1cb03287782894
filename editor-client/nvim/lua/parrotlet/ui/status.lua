--- What Parrotlet is doing, for status lines and for people.
---
--- The server reports its own state; without a server, while one is being installed, and where
--- suggestions are off, this module answers instead. `User ParrotletStatus` is triggered whenever
--- the status changes, with the status as its data.
local switch = require('parrotlet.suggestions.enablement')

local M = {}

---@class parrotlet.Status
---@field state 'installing'|'starting'|'ready'|'busy'|'idle'|'off'|'error'
---@field reason? string In words, where there is more to say.

--- The reason while no server has been started.
M.NOT_STARTED = 'not started (open a supported file)'

--- States in the words that people read; of the others, the reason says it all.
local WORDS = {
  installing = 'installing',
  starting = 'starting',
  ready = 'ready',
  idle = 'ready',
  busy = 'completing',
}

---@type parrotlet.Status
local of_server = { state = 'off', reason = M.NOT_STARTED }

--- The step of an installation that is under way.
---@type string?
local installing

--- The status in a buffer.
---@param bufnr? integer The current one unless given.
---@return parrotlet.Status
function M.get(bufnr)
  if installing then
    return { state = 'installing', reason = installing }
  end
  bufnr = (bufnr == nil or bufnr == 0) and vim.api.nvim_get_current_buf() or bufnr
  local why = switch.why_quiet(bufnr)
  if why then
    return { state = 'off', reason = why }
  end
  return vim.deepcopy(of_server)
end

--- The status in a few words, for a status line; "" in buffers without suggestions.
---@param bufnr? integer The current one unless given.
---@return string
function M.line(bufnr)
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
  return 'Parrotlet: ' .. text
end

--- The status in one sentence.
---@param bufnr? integer The current one unless given.
---@return string
function M.sentence(bufnr)
  local status = M.get(bufnr)
  local word = WORDS[status.state]
  if word and status.reason then
    return ('%s: %s'):format(word, status.reason)
  end
  return word or status.reason or status.state
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

--- Takes the step of an installation.
---@param step? string As in "2/4 downloading torch"; nil when it has ended.
function M.set_installing(step)
  if step ~= installing then
    installing = step
    M.announce()
  end
end

return M
