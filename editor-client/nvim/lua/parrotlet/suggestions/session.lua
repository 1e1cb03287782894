--- What is suggested in a buffer: asked for, shown, kept while it is typed, and let go.
---
--- One session for each buffer with the server. `parrotlet.suggestions.events` calls it when
--- something changes; how a suggestion is drawn is `parrotlet.suggestions.ghost_text`'s, and how it
--- is taken `parrotlet.suggestions.acceptance`'s.
local client = require('parrotlet.server.client')
local ghost = require('parrotlet.suggestions.ghost_text')
local message = require('parrotlet.ui.message')
local places = require('parrotlet.suggestions.cursor')
local requests = require('parrotlet.suggestions.request')
local suggestions = require('parrotlet.suggestions.suggestion')
local switch = require('parrotlet.suggestions.enablement')

--- The command of a suggestion that repeats somebody's text; its title says whose.
local SOURCE_COMMAND = 'parrotlet.source'

---@class parrotlet.Session
---@field bufnr integer
---@field seen? parrotlet.Place The last that was looked at.
---@field request? parrotlet.Request The last that was sent.
---@field list parrotlet.Suggestion[] The alternatives.
---@field index integer The one that is shown, if it still fits.
---@field has_all boolean Whether the user asked for alternatives, which are counted then.
local Session = {}
Session.__index = Session

--- An alternative that fits, and what of it is to come.
---@class parrotlet.Fitting
---@field index integer
---@field suggestion parrotlet.Suggestion
---@field rest parrotlet.Rest

--- Begins a buffer's session.
---@param bufnr integer
---@return parrotlet.Session
function Session.new(bufnr)
  return setmetatable({ bufnr = bufnr, list = {}, index = 1, has_all = false }, Session)
end

--- Returns the alternatives that fit at the cursor, and the place among them of the shown one.
---@return parrotlet.Fitting[]
---@return integer at
function Session:fitting()
  local found, at = {}, 1
  if not self.list[1] or not places.is_typed_into(self.bufnr) then
    return found, at
  end
  local place = places.here()
  for index, suggestion in ipairs(self.list) do
    local is_for_it = not place.is_other and suggestion.selected == places.selected(place)
    local rest = is_for_it and suggestions.rest(self.bufnr, suggestion, place.row, place.col)
    if rest then
      found[#found + 1] = { index = index, suggestion = suggestion, rest = rest }
      at = index == self.index and #found or at
    end
  end
  return found, at
end

--- The suggestion that is shown; nil if none is.
---@return parrotlet.Fitting?
function Session:shown()
  local fitting, at = self:fitting()
  return fitting[at]
end

--- Tells the server something.
---@param method string
---@param params table
function Session:tell(method, params)
  local running = client.get(self.bufnr)
  if running then
    running:notify(method, params)
  end
end

--- Draws the suggestion that fits; says whether one does.
---@return boolean
function Session:draw()
  local fitting, at = self:fitting()
  local one = fitting[at]
  if not one then
    return false
  end
  self.index = one.index
  local is_counted = self.has_all and #fitting > 1
  ghost.draw(self.bufnr, one.rest, is_counted and ('(%d/%d)'):format(at, #fitting) or nil)
  if not one.suggestion.is_told then
    one.suggestion.is_told = true
    local characters = vim.fn.strchars(one.rest.text)
    self:tell('parrotlet/didShow', { characters = characters, ms = one.suggestion.ms })
    require('parrotlet.ui.key_hint').show_once(self.bufnr)
  end
  return true
end

--- Shows nothing any more.
function Session:hide()
  ghost.clear(self.bufnr)
  for _, suggestion in ipairs(self.list) do
    suggestions.forget(self.bufnr, suggestion)
  end
  self.list, self.index, self.has_all = {}, 1, false
end

--- Looks at what has changed: goes on with what is shown, or lets it go and asks.
function Session:look()
  if not places.is_typed_into(self.bufnr) then
    return
  end
  local place, seen = places.here(), self.seen
  if places.is_same(place, seen) then
    return
  end
  self.seen = place
  requests.cancel(self.request)
  if self:draw() then
    return
  end
  self:hide()
  local is_typed = not seen or seen.tick ~= place.tick
  local is_chosen = seen and places.selected(seen) ~= places.selected(place)
  if (is_typed or is_chosen) and switch.asks_by_itself(self.bufnr) then
    self:ask()
  end
end

--- Asks the server for what to suggest at the cursor.
---@param wanted? { step: integer } The user asked, and wants alternatives; by how many to go on.
---@return boolean is_asked
function Session:ask(wanted)
  requests.cancel(self.request)
  self.seen = places.here()
  self.request = requests.send(self.seen, wanted ~= nil, function(_, list)
    if list[1] then
      self:take(list, wanted)
    elseif wanted and not self.list[1] then
      require('parrotlet.ui.explanation').tell(self.bufnr)
    end
  end)
  return self.request ~= nil
end

--- Shows what was answered.
---@param list parrotlet.Suggestion[]
---@param wanted? { step: integer }
function Session:take(list, wanted)
  local shown = self:shown()
  self:hide()
  self.list, self.has_all = list, wanted ~= nil
  if shown and wanted then
    self:go_on_from(shown.rest.text, wanted.step)
  end
  self:draw()
end

--- Goes on from an alternative, wherever it stands in the list.
---@param text string What of it is to come.
---@param step integer
function Session:go_on_from(text, step)
  local fitting = self:fitting()
  for at, one in ipairs(fitting) do
    if one.rest.text == text then
      self.index = fitting[(at - 1 + step) % #fitting + 1].index
      return
    end
  end
  self.index = fitting[1] and fitting[1].index or 1
end

--- Asks because the user wants it; says why if that is not possible.
function Session:suggest()
  local why = switch.why_off(self.bufnr)
  if why then
    message.tell(why)
  elseif not self:ask({ step = 0 }) then
    require('parrotlet.ui.explanation').tell(self.bufnr)
  end
end

--- Shows another alternative; asks for some if there are none yet.
---@param step integer 1 for the next, -1 for the one before.
---@return boolean is_done
function Session:cycle(step)
  local shown = self:shown()
  if not shown then
    return false
  end
  if not self.has_all then
    return self:ask({ step = step })
  end
  self:go_on_from(shown.rest.text, step)
  return self:draw()
end

--- Hides what is shown, until something is typed; says whether there was anything.
---@return boolean
function Session:dismiss()
  if not self:shown() then
    return false
  end
  requests.cancel(self.request)
  self:hide()
  self:tell('parrotlet/didReject', vim.empty_dict())
  return true
end

--- Goes on after a part of the suggestion, or all of it, was taken.
---@param suggestion parrotlet.Suggestion
---@param piece string What was taken.
---@param how 'whole'|'word'|'line'
function Session:took(suggestion, piece, how)
  self:tell('parrotlet/didAccept', { characters = vim.fn.strchars(piece), how = how })
  local command, running = suggestion.command, client.get(self.bufnr)
  if command and running then
    suggestion.command = nil
    running:exec_cmd(command, { bufnr = self.bufnr })
    if command.command == SOURCE_COMMAND then
      message.tell(command.title)
    end
  end
  self:look()
end

--- Leaves everything that was suggested behind: nobody types any more.
function Session:leave()
  requests.cancel(self.request)
  self:hide()
  self.seen = nil
end

local M = {}

---@type table<integer, parrotlet.Session>
local sessions = {}

--- The session of the current buffer, if one is typed into.
---@return parrotlet.Session?
function M.current()
  local bufnr = vim.api.nvim_get_current_buf()
  return places.is_typed_into(bufnr) and sessions[bufnr] or nil
end

--- All sessions, by buffer.
---@return table<integer, parrotlet.Session>
function M.all()
  return sessions
end

--- Begins a buffer's session.
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
    session:leave()
  end
end

return M
