--- The suggestions of a buffer: requested, shown, kept while they are typed, and discarded.
---
--- There is one session for each buffer with a server. `parrotlet.suggestions.events` calls it when
--- something changes; `parrotlet.suggestions.ghost_text` draws suggestions, and
--- `parrotlet.suggestions.acceptance` inserts them.
local client = require('parrotlet.server.client')
local cursor = require('parrotlet.suggestions.cursor')
local enablement = require('parrotlet.suggestions.enablement')
local ghost_text = require('parrotlet.suggestions.ghost_text')
local message = require('parrotlet.ui.message')
local requests = require('parrotlet.suggestions.request')
local suggestions = require('parrotlet.suggestions.suggestion')

--- The command of a suggestion that repeats the training corpus; its title names the source.
local SOURCE_COMMAND = 'parrotlet.source'

---@class parrotlet.Session
---@field bufnr integer
---@field last_context? parrotlet.CursorContext The one of the last update.
---@field request? parrotlet.Request The last one that was sent.
---@field list parrotlet.Suggestion[] The alternatives.
---@field index integer The one to show, if it still fits.
---@field has_alternatives boolean Whether alternatives were requested; then they are numbered.
local Session = {}
Session.__index = Session

--- An alternative that fits the buffer.
---@class parrotlet.Match
---@field index integer In the session's list.
---@field suggestion parrotlet.Suggestion
---@field remainder parrotlet.Remainder

---@param bufnr integer
---@return parrotlet.Session
function Session.new(bufnr)
  return setmetatable({ bufnr = bufnr, list = {}, index = 1, has_alternatives = false }, Session)
end

--- Returns the alternatives that fit at the cursor.
---@return parrotlet.Match[]
---@return integer position Of the shown one among them.
function Session:find_matches()
  local matches, position = {}, 1
  if not self.list[1] or not cursor.is_inserting(self.bufnr) then
    return matches, position
  end
  local context = cursor.get_context()
  if context.has_conflicting_selection then
    return matches, position
  end
  local selected_text = cursor.get_selected_text(context)
  for index, suggestion in ipairs(self.list) do
    local remainder = suggestion.selected_text == selected_text
      and suggestions.compute_remainder(self.bufnr, suggestion, context.row, context.col)
    if remainder then
      matches[#matches + 1] = { index = index, suggestion = suggestion, remainder = remainder }
      position = index == self.index and #matches or position
    end
  end
  return matches, position
end

--- Returns the suggestion that is shown; nil if there is none.
---@return parrotlet.Match?
function Session:get_shown()
  local matches, position = self:find_matches()
  return matches[position]
end

---@param method string
---@param params table
function Session:notify_server(method, params)
  local running = client.get(self.bufnr)
  if running then
    running:notify(method, params)
  end
end

--- Draws the suggestion that fits.
---@return boolean is_drawn
function Session:draw()
  local matches, position = self:find_matches()
  local match = matches[position]
  if not match then
    return false
  end
  self.index = match.index
  local is_numbered = self.has_alternatives and #matches > 1
  local hint = is_numbered and ('(%d/%d)'):format(position, #matches) or nil
  ghost_text.draw(self.bufnr, match.remainder, hint)
  local suggestion = match.suggestion
  if not suggestion.is_reported then
    suggestion.is_reported = true
    local characters = vim.fn.strchars(match.remainder.text)
    self:notify_server('parrotlet/didShow', { characters = characters, ms = suggestion.latency_ms })
    require('parrotlet.ui.key_hint').show_once(self.bufnr)
  end
  return true
end

--- Discards all suggestions.
function Session:clear()
  ghost_text.clear(self.bufnr)
  for _, suggestion in ipairs(self.list) do
    suggestions.delete_extmark(self.bufnr, suggestion)
  end
  self.list, self.index, self.has_alternatives = {}, 1, false
end

--- Reacts to a change of the buffer or the cursor: keeps the suggestion, or requests another.
function Session:update()
  if not cursor.is_inserting(self.bufnr) then
    return
  end
  local context, last = cursor.get_context(), self.last_context
  if cursor.is_same(context, last) then
    return
  end
  self.last_context = context
  requests.cancel(self.request)
  if self:draw() then
    return
  end
  self:clear()
  local has_typed = not last or last.changedtick ~= context.changedtick
  local has_selected = last and cursor.get_selected_text(last) ~= cursor.get_selected_text(context)
  if (has_typed or has_selected) and enablement.is_automatic(self.bufnr) then
    self:send_request()
  end
end

--- Requests suggestions at the cursor.
---@param step? integer For a request by the user, how many alternatives to move on; nil otherwise.
---@param is_repeated? boolean Whether the server has answered the same request right before.
---@return boolean is_sent
function Session:send_request(step, is_repeated)
  requests.cancel(self.request)
  self.last_context = cursor.get_context()
  self.request = requests.send(self.last_context, step ~= nil, function(list)
    if list[1] then
      self:show(list, step, is_repeated)
    elseif step and not self.list[1] then
      require('parrotlet.ui.explanation').show_summary(self.bufnr)
    end
  end)
  return self.request ~= nil
end

--- Shows the suggestions of a response.
---@param list parrotlet.Suggestion[]
---@param step? integer
---@param is_repeated? boolean
function Session:show(list, step, is_repeated)
  if step and step ~= 0 and #list == 1 and not is_repeated then
    -- Where a part was typed, the server learns by this request what is shown; the next one cycles.
    suggestions.delete_extmark(self.bufnr, list[1])
    self:send_request(step, true)
    return
  end
  local shown = self:get_shown()
  self:clear()
  self.list, self.has_alternatives = list, step ~= nil and (step ~= 0 or #list > 1)
  if shown and step then
    self:select_from(shown.remainder.text, step)
  end
  self:draw()
end

--- Selects the alternative some steps after the one with a text.
---@param text string What remains of it.
---@param step integer
function Session:select_from(text, step)
  local matches = self:find_matches()
  for position, match in ipairs(matches) do
    if match.remainder.text == text then
      self.index = matches[(position - 1 + step) % #matches + 1].index
      return
    end
  end
  self.index = matches[1] and matches[1].index or 1
end

--- Requests suggestions for the user; says why if that is impossible.
function Session:suggest()
  local reason = enablement.get_disabled_reason(self.bufnr)
  if reason then
    message.info(reason)
  elseif not self:send_request(0) then
    require('parrotlet.ui.explanation').show_summary(self.bufnr)
  end
end

--- Shows another alternative. The first call requests them: the server draws alternatives only when
--- a suggestion is shown and another one is requested at the same place. Where the shown one was
--- requested elsewhere, it takes two requests.
---@param step integer 1 for the next, -1 for the previous.
---@return boolean is_done
function Session:cycle(step)
  local shown = self:get_shown()
  if not shown then
    return false
  end
  if not self.has_alternatives then
    return self:send_request(step)
  end
  self:select_from(shown.remainder.text, step)
  return self:draw()
end

--- Hides the suggestion until something is typed.
---@return boolean was_shown
function Session:dismiss()
  if not self:get_shown() then
    return false
  end
  requests.cancel(self.request)
  self:clear()
  self:notify_server('parrotlet/didReject', vim.empty_dict())
  return true
end

--- Reports an acceptance to the server, and continues with the rest of the suggestion.
---@param suggestion parrotlet.Suggestion
---@param piece string What was inserted.
---@param unit parrotlet.AcceptUnit
function Session:on_accepted(suggestion, piece, unit)
  self:notify_server('parrotlet/didAccept', { characters = vim.fn.strchars(piece), how = unit })
  local command, running = suggestion.command, client.get(self.bufnr)
  if command and running then
    suggestion.command = nil
    running:exec_cmd(command, { bufnr = self.bufnr })
    if command.command == SOURCE_COMMAND then
      message.info(command.title)
    end
  end
  self:update()
end

--- Discards everything, because the user has stopped typing here.
function Session:reset()
  requests.cancel(self.request)
  self:clear()
  self.last_context = nil
end

local M = {}

---@type table<integer, parrotlet.Session>
local sessions = {}

--- Returns the current buffer's session, if the user is in Insert mode.
---@return parrotlet.Session?
function M.get_current()
  local bufnr = vim.api.nvim_get_current_buf()
  return cursor.is_inserting(bufnr) and sessions[bufnr] or nil
end

--- Returns all sessions, by buffer.
---@return table<integer, parrotlet.Session>
function M.get_all()
  return sessions
end

--- Starts a buffer's session, unless it has one.
---@param bufnr integer
function M.start(bufnr)
  sessions[bufnr] = sessions[bufnr] or Session.new(bufnr)
end

--- Ends a buffer's session.
---@param bufnr integer
function M.stop(bufnr)
  local session = sessions[bufnr]
  sessions[bufnr] = nil
  if session then
    session:reset()
  end
end

return M
