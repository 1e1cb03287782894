--- The one buffer without a name that the server knows.
---
--- Neovim's client gives all buffers without a name the same URI, so that the server would take two
--- of them for one document. Whichever is attached first stays the only one until it is saved under
--- a name, or gone. Called by `parrotlet.server.lifecycle` and `parrotlet.suggestions.enablement`.
local M = {}

local owner ---@type integer?

---@param bufnr integer
local function is_unnamed(bufnr)
  return vim.api.nvim_buf_get_name(bufnr) == ''
end

--- Records that the server knows a buffer, if it has no name.
---@param bufnr integer
function M.claim(bufnr)
  if is_unnamed(bufnr) then
    owner = bufnr
  end
end

--- Records that the server does not know a buffer as unnamed any more; returns whether it did.
---@param bufnr? integer Any by default.
---@return boolean
function M.release(bufnr)
  local was_known = owner ~= nil and (bufnr == nil or owner == bufnr)
  if was_known then
    owner = nil
  end
  return was_known
end

--- Checks whether a buffer has no name while the server knows another that has none.
---@param bufnr integer
---@return boolean
function M.is_excluded(bufnr)
  return is_unnamed(bufnr) and owner ~= nil and owner ~= bufnr and vim.api.nvim_buf_is_loaded(owner)
end

return M
