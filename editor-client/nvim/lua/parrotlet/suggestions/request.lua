--- Requests for suggestions. A response counts only while the cursor's context is unchanged; a
--- superseded request is cancelled. Called by `parrotlet.suggestions.session`.
local client = require('parrotlet.server.client')
local cursor = require('parrotlet.suggestions.cursor')
local suggestions = require('parrotlet.suggestions.suggestion')

local M = {}

local METHOD = 'textDocument/inlineCompletion'
local INVOKED, AUTOMATIC = 1, 2 -- lsp.InlineCompletionTriggerKind

---@class parrotlet.Request
---@field id? integer
---@field context parrotlet.CursorContext
---@field is_cancelled boolean
---@field started_ns integer

---@param context parrotlet.CursorContext
---@param is_invoked boolean
---@param encoding 'utf-8'|'utf-16'|'utf-32'
---@return table # lsp.InlineCompletionParams
local function build_params(context, is_invoked, encoding)
  local function make_position(col)
    local character = vim.str_utfindex(context.line, encoding, col, false)
    return { line = context.row, character = character }
  end
  local position = make_position(context.col)
  local completion_context = { triggerKind = is_invoked and INVOKED or AUTOMATIC }
  local selection = context.selection
  if selection then
    completion_context.selectedCompletionInfo = {
      range = { start = make_position(context.col - selection.n_typed), ['end'] = position },
      text = selection.text,
    }
  end
  return {
    textDocument = vim.lsp.util.make_text_document_params(context.bufnr),
    position = position,
    context = completion_context,
  }
end

--- Converts a response to suggestions, the best first.
---@param request parrotlet.Request
---@param result any An lsp.InlineCompletionList, or its items.
---@param encoding 'utf-8'|'utf-16'|'utf-32'
---@return parrotlet.Suggestion[]
local function parse_result(request, result, encoding)
  local latency_ms = (vim.uv.hrtime() - request.started_ns) / 1e6
  local parsed = {}
  for _, item in ipairs(result and (result.items or result) or {}) do
    local suggestion = suggestions.from_item(request.context.bufnr, item, encoding)
    if suggestion then
      suggestion.latency_ms = latency_ms
      suggestion.selected_text = cursor.get_selected_text(request.context)
      parsed[#parsed + 1] = suggestion
    end
  end
  return parsed
end

--- Sends a request. Its response is dropped if the context has changed in the meantime.
---@param context parrotlet.CursorContext
---@param is_invoked boolean Whether the user requested it, and wants alternatives.
---@param on_result fun(list: parrotlet.Suggestion[])
---@return parrotlet.Request? # nil without a server, or if nothing can be suggested here.
function M.send(context, is_invoked, on_result)
  local running = client.get(context.bufnr)
  if not running or not running.initialized or context.has_conflicting_selection then
    return
  end
  local encoding = running.offset_encoding
  ---@type parrotlet.Request
  local request = { context = context, is_cancelled = false, started_ns = vim.uv.hrtime() }
  local params = build_params(context, is_invoked, encoding)
  local _, id = running:request(METHOD, params, function(err, result)
    local is_current = not request.is_cancelled and cursor.is_inserting(context.bufnr)
    if is_current and cursor.is_same(cursor.get_context(), context) then
      on_result(parse_result(request, not err and result or nil, encoding))
    end
  end, context.bufnr)
  request.id = id
  return id and request
end

---@param request? parrotlet.Request
function M.cancel(request)
  if not request or request.is_cancelled then
    return
  end
  request.is_cancelled = true
  local running = client.get(request.context.bufnr)
  if running and running.requests[request.id] then
    running:cancel_request(request.id)
  end
end

return M
