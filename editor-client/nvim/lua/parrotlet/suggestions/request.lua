--- One question to the server: what is to be suggested at a place.
---
--- An answer counts only while the place is the same; a question that is overtaken is called off.
--- Called by `parrotlet.suggestions.session`.
local client = require('parrotlet.server.client')
local places = require('parrotlet.suggestions.cursor')
local suggestions = require('parrotlet.suggestions.suggestion')

local M = {}

local METHOD = 'textDocument/inlineCompletion'
local INVOKED, AUTOMATIC = 1, 2 -- kinds of lsp.InlineCompletionTriggerKind

---@class parrotlet.Request
---@field id? integer
---@field place parrotlet.Place
---@field is_invoked boolean Whether the user asked, and wants alternatives.
---@field is_cancelled boolean
---@field since integer In nanoseconds.

---@param place parrotlet.Place
---@param is_invoked boolean
---@param encoding 'utf-8'|'utf-16'|'utf-32'
---@return table # lsp.InlineCompletionParams
local function params_at(place, is_invoked, encoding)
  local function position(col)
    local character = vim.str_utfindex(place.line, encoding, col, false)
    return { line = place.row, character = character }
  end
  local context = { triggerKind = is_invoked and INVOKED or AUTOMATIC }
  local selection = place.selection
  if selection then
    local range = { start = position(place.col - selection.length), ['end'] = position(place.col) }
    context.selectedCompletionInfo = { range = range, text = selection.text }
  end
  return {
    textDocument = vim.lsp.util.make_text_document_params(place.bufnr),
    position = position(place.col),
    context = context,
  }
end

--- Turns an answer into suggestions, the best first.
---@param request parrotlet.Request
---@param result any An lsp.InlineCompletionList, or its items.
---@param encoding 'utf-8'|'utf-16'|'utf-32'
---@return parrotlet.Suggestion[]
local function suggestions_of(request, result, encoding)
  local ms = (vim.uv.hrtime() - request.since) / 1e6
  local list = {}
  for _, item in ipairs(result and (result.items or result) or {}) do
    local suggestion = suggestions.from_item(request.place.bufnr, item, encoding)
    if suggestion then
      suggestion.ms = ms
      suggestion.selected = places.selected(request.place)
      list[#list + 1] = suggestion
    end
  end
  return list
end

--- Asks. The answer is dropped if it comes too late.
---@param place parrotlet.Place
---@param is_invoked boolean
---@param take fun(request: parrotlet.Request, list: parrotlet.Suggestion[])
---@return parrotlet.Request? # nil if there is nobody to ask, or nothing that could be suggested.
function M.send(place, is_invoked, take)
  local running = client.get(place.bufnr)
  if not running or not running.initialized or place.is_other then
    return
  end
  local encoding = running.offset_encoding
  ---@type parrotlet.Request
  local request = {
    place = place,
    is_invoked = is_invoked,
    is_cancelled = false,
    since = vim.uv.hrtime(),
  }
  local params = params_at(place, is_invoked, encoding)
  local _, id = running:request(METHOD, params, function(err, result)
    local is_wanted = not request.is_cancelled and places.is_typed_into(place.bufnr)
    if is_wanted and places.is_same(places.here(), place) then
      take(request, suggestions_of(request, not err and result or nil, encoding))
    end
  end, place.bufnr)
  request.id = id
  return id and request
end

--- Calls a question off.
---@param request? parrotlet.Request
function M.cancel(request)
  if not request or request.is_cancelled then
    return
  end
  request.is_cancelled = true
  local running = client.get(request.place.bufnr)
  if running and running.requests[request.id] then
    running:cancel_request(request.id)
  end
end

return M
